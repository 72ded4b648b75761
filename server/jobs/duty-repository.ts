import { sql } from 'kysely';
import { databaseClock } from '../database/clock.ts';
import type { Database } from '../database/database.ts';

/** The duties of all nodes: when each is next, and who does it now. Times are the database's. */
export class DutyRepository {
  constructor(private readonly database: Database) {}

  /** Which of some duties are not done by anybody now, and due: their time has come, or they were never done. */
  async listDue(duties: readonly { name: string; everyMs: number }[]): Promise<Set<string>> {
    const rows = await this.database.read
      .selectFrom('duties')
      .select(['name', 'next_at', 'lease_until', this.clock().as('now')])
      .where(
        'name',
        'in',
        duties.map(({ name }) => name),
      )
      .execute();
    const known = new Map(rows.map((row) => [row.name, row]));
    const isDue = ({ name, everyMs }: { name: string; everyMs: number }) => {
      const row = known.get(name);
      if (!row) return true;
      const [now, next] = [Number(row.now), row.next_at];
      return (row.lease_until === null || row.lease_until <= now) && (next <= now || next > now + everyMs);
    };
    return new Set(duties.filter(isDue).map(({ name }) => name));
  }

  /**
   * Takes a duty for a time, unless another has it or has done it: then false. `owner` names this run. A next time that lies
   * further ahead than it ever should is none: the clock was set back.
   */
  async claim({ name, everyMs }: { name: string; everyMs: number }, owner: string, leaseMs: number): Promise<boolean> {
    const row = await this.database.write
      .insertInto('duties')
      .values({ name, owner, lease_until: this.clock(leaseMs), next_at: this.clock() })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet({ owner, lease_until: this.clock(leaseMs) })
          .where((eb) =>
            eb.or([eb('duties.next_at', '<=', this.clock()), eb('duties.next_at', '>', this.clock(everyMs))]),
          )
          .where((eb) => eb.or([eb('duties.lease_until', 'is', null), eb('duties.lease_until', '<=', this.clock())])),
      )
      .returning('owner')
      .executeTakeFirst();
    return row !== undefined;
  }

  /** The lease begins anew. False where it was lost. */
  async renew(name: string, owner: string, leaseMs: number): Promise<boolean> {
    return this.update(name, owner, { lease_until: this.clock(leaseMs) });
  }

  /** The run is over, well or not; the next is due after so long. */
  async finish(name: string, owner: string, nextMs: number, isDone: boolean): Promise<boolean> {
    const next_at = this.clock(nextMs);
    // One look at the clock: two would differ now and then.
    const last_run_at = sql<number>`${next_at} - ${sql.lit(nextMs)}`;
    const times = { next_at, ...(isDone && { last_run_at }) };
    return this.update(name, owner, { owner: null, lease_until: null, ...times });
  }

  /** The run was broken off: another node may do it at once. */
  async giveBack(name: string, owner: string): Promise<boolean> {
    return this.update(name, owner, { owner: null, lease_until: null });
  }

  private async update(name: string, owner: string, change: object): Promise<boolean> {
    const { numUpdatedRows } = await this.database.write
      .updateTable('duties')
      .set(change)
      .where('name', '=', name)
      .where('owner', '=', owner)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  private clock(plusMs = 0) {
    return databaseClock(this.database.engine, plusMs);
  }
}
