import type { Insertable, Selectable } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import type { AccountLinksTable, LinkPurpose } from '../database/schema.ts';

export type AccountLink = Selectable<AccountLinksTable>;

/** The table `account_links`. A link that is over stays until it expires: whoever asks for it again makes no second one. */
export class AccountLinksRepository {
  constructor(private readonly database: Database) {}

  /** Writes down a link, and says whether it was not there before. */
  async insert(tx: Executor, link: Insertable<AccountLinksTable>): Promise<boolean> {
    const made = await tx
      .insertInto('account_links')
      .values(link)
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .execute();
    return made.length > 0;
  }

  /** A link, whether or not it is good any more. */
  byId(id: string): Promise<AccountLink | undefined> {
    return this.database.read.selectFrom('account_links').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** The newest live link of somebody. */
  newest(userId: string, purpose: LinkPurpose, now: number): Promise<AccountLink | undefined> {
    return this.liveOnes(purpose, now).where('user_id', '=', userId).orderBy('created_at', 'desc').executeTakeFirst();
  }

  /** Counts one code that is tried of a live link, before it is looked at; false where there were too many. */
  async countTry(id: string, { now, most }: { now: number; most: number }): Promise<boolean> {
    const counted = await this.database.write
      .updateTable('account_links')
      .set(({ eb }) => ({ tries: eb('tries', '+', 1) }))
      .where('id', '=', id)
      .where('used_at', 'is', null)
      .where('expires_at', '>', now)
      .where('tries', '<', most)
      .returning('id')
      .execute();
    return counted.length > 0;
  }

  /** Uses a live link up, and says whether it was live. */
  async use(tx: Executor, id: string, now: number): Promise<boolean> {
    const used = await tx
      .updateTable('account_links')
      .set({ used_at: now })
      .where('id', '=', id)
      .where('used_at', 'is', null)
      .where('expires_at', '>', now)
      .returning('id')
      .execute();
    return used.length > 0;
  }

  /** Ends the live links of somebody: all, or those of one purpose, but for `except`. */
  async end(tx: Executor, userId: string, now: number, which: { purpose?: LinkPurpose; except?: string } = {}) {
    let query = tx
      .updateTable('account_links')
      .set({ used_at: now })
      .where('user_id', '=', userId)
      .where('used_at', 'is', null);
    if (which.purpose !== undefined) query = query.where('purpose', '=', which.purpose);
    if (which.except !== undefined) query = query.where('id', '!=', which.except);
    await query.execute();
  }

  /**
   * Ends what is live of some accounts for an address that has become another's, or of one whose address has become another:
   * `email` is the address, `isKept` whether it is the one to keep.
   */
  async endByAddress(
    tx: Executor,
    userIds: string[],
    now: number,
    { email, isKept }: { email: string; isKept: boolean },
  ) {
    if (userIds.length === 0) return;
    await tx
      .updateTable('account_links')
      .set({ used_at: now })
      .where('user_id', 'in', userIds)
      .where('used_at', 'is', null)
      .where('email', isKept ? '!=' : '=', email)
      .execute();
  }

  /** Takes every second factor from an account, and each sign-in that waits for one. */
  async removeFactors(tx: Executor, userId: string): Promise<void> {
    await tx.deleteFrom('mfa_tickets').where('user_id', '=', userId).execute();
    await tx.deleteFrom('recovery_codes').where('user_id', '=', userId).execute();
    await tx.deleteFrom('totp').where('user_id', '=', userId).execute();
    await tx.updateTable('users').set({ has_factor: 0 }).where('id', '=', userId).execute();
  }

  async deleteExpired(before: number, limit: number): Promise<number> {
    const { write } = this.database;
    const expired = write.selectFrom('account_links').select('id').where('expires_at', '<', before).limit(limit);
    const result = await write.deleteFrom('account_links').where('id', 'in', expired).executeTakeFirst();
    return Number(result.numDeletedRows);
  }

  private liveOnes(purpose: LinkPurpose, now: number) {
    return this.database.read
      .selectFrom('account_links')
      .selectAll()
      .where('purpose', '=', purpose)
      .where('used_at', 'is', null)
      .where('expires_at', '>', now);
  }
}
