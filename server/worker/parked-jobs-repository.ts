import type { Database } from '../database/database.ts';
import type { ParkedJob } from './model.ts';

/** A time that is past by every clock: the database's decides, not that of the operator's machine. */
const DUE = 0;

/** Parked jobs of all consumers, as an operator sees them. */
export class ParkedJobsRepository {
  constructor(private readonly database: Database) {}

  /** The oldest first. */
  list(limit: number): Promise<ParkedJob[]> {
    return this.database.read.selectFrom('parked_jobs').selectAll().orderBy('id').limit(limit).execute();
  }

  find(id: string): Promise<ParkedJob | undefined> {
    return this.database.read.selectFrom('parked_jobs').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** Has them tried again at once, with all of their tries; without an id: all that are parked. Answers how many. */
  async retry(id?: string): Promise<number> {
    const update = this.database.write.updateTable('parked_jobs').set({ attempts: 0, next_at: DUE });
    const one = id === undefined ? update.where('next_at', 'is', null) : update.where('id', '=', id);
    return Number((await one.executeTakeFirst()).numUpdatedRows);
  }

  /** Forgets them: they are never done. Without an id: all that are parked. Answers how many. */
  async discard(id?: string): Promise<number> {
    const deletion = this.database.write.deleteFrom('parked_jobs');
    const one = id === undefined ? deletion.where('next_at', 'is', null) : deletion.where('id', '=', id);
    return Number((await one.executeTakeFirst()).numDeletedRows);
  }
}
