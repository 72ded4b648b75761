import type { Insertable, Selectable } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import type { AuditTable } from '../database/schema.ts';

export type AuditRow = Selectable<AuditTable>;

/** What of the trail is asked for. */
export interface AuditQuery {
  /** Done by this account, or to it. */
  accountId?: string;
  kind?: string;
  /** In milliseconds since the Unix epoch. */
  since?: number;
  limit: number;
}

/** The table `audit`. Rows are never changed. */
export class AuditRepository {
  constructor(private readonly database: Database) {}

  async insert(tx: Executor, rows: Insertable<AuditTable>[]): Promise<void> {
    if (rows.length > 0) await tx.insertInto('audit').values(rows).execute();
  }

  /** The newest that fit, the oldest of them first. */
  async list({ accountId, kind, since, limit }: AuditQuery): Promise<AuditRow[]> {
    let query = this.database.read
      .selectFrom('audit')
      .selectAll()
      .orderBy('at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit);
    if (kind !== undefined) query = query.where('kind', '=', kind);
    if (since !== undefined) query = query.where('at', '>=', since);
    if (accountId !== undefined) {
      query = query.where(({ eb, or }) => or([eb('subject_id', '=', accountId), eb('actor_id', '=', accountId)]));
    }
    return (await query.execute()).reverse();
  }

  /** Deletes up to `limit` rows from before `before`, and says how many. */
  async deleteBefore(before: number, limit: number): Promise<number> {
    const { write } = this.database;
    const old = write.selectFrom('audit').select('id').where('at', '<', before).limit(limit);
    const result = await write.deleteFrom('audit').where('id', 'in', old).executeTakeFirst();
    return Number(result.numDeletedRows);
  }
}
