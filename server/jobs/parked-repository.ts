import type { ExpressionBuilder, Selectable } from 'kysely';
import { databaseClock } from '../database/clock.ts';
import type { Database } from '../database/database.ts';
import type { JobsTable, Schema } from '../database/schema.ts';

export type QueuedJob = Selectable<JobsTable>;

/** Parked jobs of the queue, as an operator sees them. */
export class ParkedRepository {
  constructor(private readonly database: Database) {}

  /** The one that was parked first before the others. */
  list(limit: number): Promise<QueuedJob[]> {
    return this.database.read
      .selectFrom('jobs')
      .selectAll()
      .where('parked_at', 'is not', null)
      .orderBy('parked_at')
      .orderBy('id')
      .limit(limit)
      .execute();
  }

  /** A job, parked or not. */
  find(id: string): Promise<QueuedJob | undefined> {
    return this.database.read.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /**
   * Has them tried again at once, with all of their tries; without an id: all that are parked. Answers how many. Where a newer
   * job with the same key waits or runs, that one stands for both.
   */
  retry(id?: string): Promise<number> {
    return this.database.transaction(async (tx) => {
      const { numDeletedRows } = await tx
        .deleteFrom('jobs')
        .where(isParked(id))
        .where((eb) =>
          eb.exists(
            eb
              .selectFrom('jobs as newer')
              .select('newer.id')
              .whereRef('newer.kind', '=', 'jobs.kind')
              .whereRef('newer.dedupe_key', '=', 'jobs.dedupe_key')
              .where('newer.parked_at', 'is', null),
          ),
        )
        .executeTakeFirst();
      const { numUpdatedRows } = await tx
        .updateTable('jobs')
        .set({ parked_at: null, attempts: 0, due_at: databaseClock(this.database.engine) })
        .where(isParked(id))
        .executeTakeFirst();
      return Number(numDeletedRows + numUpdatedRows);
    });
  }

  /** Forgets them: they are never done. Without an id: all that are parked. Answers how many. */
  async discard(id?: string): Promise<number> {
    const { numDeletedRows } = await this.database.write.deleteFrom('jobs').where(isParked(id)).executeTakeFirst();
    return Number(numDeletedRows);
  }
}

function isParked(id: string | undefined) {
  return (eb: ExpressionBuilder<Schema, 'jobs'>) => {
    const parked = eb('jobs.parked_at', 'is not', null);
    return id === undefined ? parked : parked.and('jobs.id', '=', id);
  };
}
