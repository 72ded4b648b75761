import type { Insertable, Selectable } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import type { AuditTable } from '../database/schema.ts';
import type { AuditKind } from './events.ts';

export type AuditRow = Selectable<AuditTable>;

/** What of the trail is asked for: rows that fit all that is given. */
export interface AuditQuery {
  /** Done by this account, or to it. */
  accountId?: string;
  kind?: AuditKind;
  outcome?: AuditRow['outcome'];
  /** From this moment on, in milliseconds since the Unix epoch. */
  since?: number;
  /** Before this moment, in milliseconds since the Unix epoch. */
  until?: number;
  /** Older than this row. */
  before?: Pick<AuditRow, 'at' | 'id'>;
  limit: number;
}

/** The table `audit`. Rows are never changed. */
export class AuditRepository {
  constructor(private readonly database: Database) {}

  async insert(tx: Executor, rows: Insertable<AuditTable>[]): Promise<void> {
    if (rows.length > 0) await tx.insertInto('audit').values(rows).execute();
  }

  byId(id: string): Promise<AuditRow | undefined> {
    return this.database.read.selectFrom('audit').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** The newest that fit, the newest first. */
  async list(query: AuditQuery): Promise<AuditRow[]> {
    const { accountId, limit } = query;
    const all = this.newest(query);
    if (accountId === undefined) return all.execute();
    // Each along an index of its own: asked for with "or", all that an account ever did would be sorted for one page.
    const [did, underwent] = await this.database.readTogether([
      all.where('actor_id', '=', accountId).compile(),
      all.where('subject_id', '=', accountId).compile(),
    ]);
    const found = new Map([...did, ...underwent].map((row) => [row.id, row]));
    return [...found.values()].sort(newestFirst).slice(0, limit);
  }

  /** Deletes up to `limit` rows from before `before`, and says how many. */
  async deleteBefore(before: number, limit: number): Promise<number> {
    const { write } = this.database;
    const old = write.selectFrom('audit').select('id').where('at', '<', before).limit(limit);
    const result = await write.deleteFrom('audit').where('id', 'in', old).executeTakeFirst();
    return Number(result.numDeletedRows);
  }

  private newest({ kind, outcome, since, until, before, limit }: AuditQuery) {
    let query = this.database.read.selectFrom('audit').selectAll();
    if (kind !== undefined) query = query.where('kind', '=', kind);
    if (outcome !== undefined) query = query.where('outcome', '=', outcome);
    if (since !== undefined) query = query.where('at', '>=', since);
    if (until !== undefined) query = query.where('at', '<', until);
    if (before !== undefined) {
      query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), '<', tuple(before.at, before.id)));
    }
    return query.orderBy('at', 'desc').orderBy('id', 'desc').limit(limit);
  }
}

function newestFirst(one: AuditRow, other: AuditRow): number {
  return other.at - one.at || (other.id < one.id ? -1 : 1);
}
