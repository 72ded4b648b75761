import type { Selectable } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import type { TotpTable } from '../database/schema.ts';

export type TotpRow = Selectable<TotpTable>;

/** The table `totp`. */
export class TotpRepository {
  constructor(private readonly database: Database) {}

  of(userId: string): Promise<TotpRow | undefined> {
    return this.database.read.selectFrom('totp').selectAll().where('user_id', '=', userId).executeTakeFirst();
  }

  /** Keeps a secret that waits for its first code, in place of one that waited before. */
  async await(tx: Executor, userId: string, secret: string, now: number): Promise<void> {
    const pending = { pending_secret: secret, pending_at: now };
    await tx
      .insertInto('totp')
      .values({ user_id: userId, secret: null, confirmed_at: null, ...pending })
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet(pending))
      .execute();
  }

  /** Takes the secret that waits into use, where it is still `pending`, and says whether it was. */
  async confirm(tx: Executor, userId: string, { pending, step, now }: { pending: string; step: number; now: number }) {
    const confirmed = await tx
      .updateTable('totp')
      .set({ secret: pending, confirmed_at: now, last_step: step, pending_secret: null, pending_at: null })
      .where('user_id', '=', userId)
      .where('pending_secret', '=', pending)
      .returning('user_id')
      .execute();
    return confirmed.length > 0;
  }

  /** Takes the code of a step of the secret that is in use `since` then, where neither it nor a later one was taken; of many at once, one does. */
  async take(tx: Executor, userId: string, { since, step }: { since: number; step: number }): Promise<boolean> {
    const taken = await tx
      .updateTable('totp')
      .set({ last_step: step })
      .where('user_id', '=', userId)
      .where('confirmed_at', '=', since)
      .where('last_step', '<', step)
      .returning('user_id')
      .execute();
    return taken.length > 0;
  }

  /** Keeps the same secret in another form, where it is still in the form that was read, and says whether it was. */
  async reseal(userId: string, column: 'secret' | 'pending_secret', before: string, after: string): Promise<boolean> {
    const resealed = await this.database.write
      .updateTable('totp')
      .set({ [column]: after })
      .where('user_id', '=', userId)
      .where(column, '=', before)
      .returning('user_id')
      .execute();
    return resealed.length > 0;
  }

  /** Secrets that do not begin with `prefix`, in the order of their users. */
  listOthers(prefix: string, limit: number, afterUserId?: string): Promise<TotpRow[]> {
    let query = this.database.read
      .selectFrom('totp')
      .selectAll()
      .where(({ eb, or }) =>
        or([eb('secret', 'not like', `${prefix}%`), eb('pending_secret', 'not like', `${prefix}%`)]),
      )
      .orderBy('user_id')
      .limit(limit);
    if (afterUserId !== undefined) query = query.where('user_id', '>', afterUserId);
    return query.execute();
  }

  async delete(tx: Executor, userId: string): Promise<void> {
    await tx.deleteFrom('totp').where('user_id', '=', userId).execute();
  }
}
