import { type CompiledQuery, Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import type pg from 'pg';
import type { Database, RowsOf } from '../database.ts';
import type { Schema } from '../schema.ts';
import { wasInTheWay } from './faults.ts';
import { createPool, type GuardedClient, GuardedPool } from './pool.ts';
import { checkRequirements } from './requirements.ts';

export interface PostgresOptions {
  /** `postgres://user:password@host/database`, with a password that is for nobody's eyes. */
  url: string;
  /** Connections of this process at most: one for the log, and halves of the rest for reads and for transactions. */
  poolSize: number;
}

/** How often a transaction is tried that others were in the way of. */
const MAX_TRIES = 5;

/**
 * PostgreSQL. Transactions have connections that reads never take: one that reads on the side would else wait for itself
 * when all are taken by its like.
 */
export class PostgresDatabase implements Database {
  readonly engine = 'postgres';
  readonly read: Kysely<Schema>;
  readonly write: Kysely<Schema>;
  private readonly readers: GuardedPool;
  private readonly writers: GuardedPool;
  private readonly own: pg.Pool[] = [];

  private constructor(private readonly options: PostgresOptions) {
    const { url, poolSize } = options;
    const writers = Math.floor((poolSize - 1) / 2);
    this.writers = new GuardedPool({ url, size: writers });
    this.readers = new GuardedPool({ url, size: poolSize - 1 - writers });
    this.write = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: this.writers }) });
    this.read = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: this.readers }) });
  }

  /** Connects. Fails with a RequirementError where the server cannot keep what Parley promises. */
  static async open(options: PostgresOptions): Promise<PostgresDatabase> {
    const database = new PostgresDatabase(options);
    try {
      await database.writers.with(checkRequirements);
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** Retries what was rolled back only because another was in the way: nothing of it had happened. */
  async transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.write.transaction().execute(work);
      } catch (error) {
        if (tries === MAX_TRIES || !wasInTheWay(error)) throw error;
      }
    }
  }

  async readTogether<const Queries extends readonly CompiledQuery[]>(queries: Queries): Promise<RowsOf<Queries>> {
    if (queries.length === 0) return [] as RowsOf<Queries>;
    return this.readers.with(async (client) => {
      const [only] = queries;
      // One statement sees one moment anyway.
      if (queries.length === 1) return [(await client.query(only!.sql, only!.parameters)).rows] as RowsOf<Queries>;
      // All are on their way before the first is answered.
      const statements = [
        client.query('begin isolation level repeatable read read only', []),
        ...queries.map((query) => client.query(query.sql, query.parameters)),
        client.query('commit', []),
      ];
      const settled = await Promise.allSettled(statements);
      const failed = settled.find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
      return settled.slice(1, -1).map((one) => one.status === 'fulfilled' && one.value.rows) as RowsOf<Queries>;
    });
  }

  async patiently<T>(work: (db: Kysely<Schema>) => Promise<T>): Promise<T> {
    const pool = new GuardedPool({ url: this.options.url, size: 2, isPatient: true });
    const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
    try {
      return await work(db);
    } finally {
      await pool.end();
    }
  }

  /** Runs statements that are no query builder's, in one transaction. */
  runInTransaction<T>(work: (client: GuardedClient) => Promise<T>): Promise<T> {
    return this.writers.with(async (client) => {
      await client.query('begin', []);
      try {
        const result = await work(client);
        await client.query('commit', []);
        return result;
      } catch (error) {
        // A connection that is lost has nothing left to roll back; the first failure is the one to be told.
        await client.query('rollback', []).catch(() => {});
        throw error;
      }
    });
  }

  /** A connection for one purpose, prepared by `onConnect` each time that it is made. It is closed with the database. */
  ownConnection(onConnect: (client: pg.ClientBase) => Promise<void>): pg.Pool {
    const pool = createPool({ url: this.options.url, size: 1, onConnect });
    this.own.push(pool);
    return pool;
  }

  async check(): Promise<void> {
    await sql`select 1 from meta`.execute(this.read);
  }

  async close(): Promise<void> {
    await Promise.all([this.readers, this.writers, ...this.own].map((pool) => pool.end()));
  }
}
