import type { Insertable, Selectable } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import type { MfaTicketsTable } from '../database/schema.ts';

export type MfaTicket = Selectable<MfaTicketsTable>;

/** The table `mfa_tickets`. */
export class MfaTicketsRepository {
  constructor(private readonly database: Database) {}

  async insert(tx: Executor, ticket: Insertable<MfaTicketsTable>): Promise<void> {
    await tx.insertInto('mfa_tickets').values(ticket).execute();
  }

  /** Counts one try of a ticket that is not used and not over, and answers it. */
  countTry(id: string, { now, most }: { now: number; most: number }): Promise<MfaTicket | undefined> {
    return this.database.write
      .updateTable('mfa_tickets')
      .set(({ eb }) => ({ tries: eb('tries', '+', 1) }))
      .where('id', '=', id)
      .where('used_at', 'is', null)
      .where('expires_at', '>', now)
      .where('tries', '<', most)
      .returningAll()
      .executeTakeFirst();
  }

  /** Marks a ticket as used, and says whether it was not before. */
  async use(tx: Executor, id: string, now: number): Promise<boolean> {
    const used = await tx
      .updateTable('mfa_tickets')
      .set({ used_at: now })
      .where('id', '=', id)
      .where('used_at', 'is', null)
      .returning('id')
      .execute();
    return used.length > 0;
  }

  async deleteExpired(before: number, limit: number): Promise<number> {
    const { write } = this.database;
    const expired = write.selectFrom('mfa_tickets').select('id').where('expires_at', '<', before).limit(limit);
    const result = await write.deleteFrom('mfa_tickets').where('id', 'in', expired).executeTakeFirst();
    return Number(result.numDeletedRows);
  }
}
