import type pg from 'pg';
import type { PostgresDatabase } from './postgres-database.ts';

/** A holder of whom PostgreSQL hears nothing for so long loses the lock with its session. */
const SILENCE = '15s';

/**
 * A lock that one process of all has, for as long as its session lives (`pg_try_advisory_lock`). Whoever holds it must ask
 * `isHeld` every few seconds: that is what keeps the session.
 */
export class AdvisoryLock {
  private readonly pool: pg.Pool;
  private client: pg.PoolClient | undefined;

  /** `key` names the lock: the same on all nodes. */
  constructor(
    database: PostgresDatabase,
    private readonly key: number,
  ) {
    this.pool = database.ownConnection(async (client) => {
      await client.query(`set idle_session_timeout = '${SILENCE}'`);
    });
  }

  /** Whether this process has the lock: takes it where it is free. A session that was lost is no longer asked. */
  async isHeld(): Promise<boolean> {
    if (this.client) return this.isAlive(this.client);
    const client = await this.pool.connect();
    try {
      const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock($1) as held', [this.key]);
      if (rows[0]?.held) this.client = client;
      else client.release();
      return rows[0]?.held === true;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  /** Lets another process have it. */
  async release(): Promise<void> {
    this.client?.release(true);
    this.client = undefined;
  }

  private async isAlive(client: pg.PoolClient): Promise<boolean> {
    try {
      await client.query('select 1');
      return true;
    } catch {
      client.release(true);
      this.client = undefined;
      return false;
    }
  }
}
