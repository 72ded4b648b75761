import type { Insertable } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import type { RecoveryCodesTable } from '../database/schema.ts';

/** The table `recovery_codes`. */
export class RecoveryCodesRepository {
  constructor(private readonly database: Database) {}

  /** The hash of the unused code of a user that begins with `hint`. */
  async hashOf(userId: string, hint: string): Promise<string | undefined> {
    const row = await this.database.read
      .selectFrom('recovery_codes')
      .select('code_hash')
      .where('user_id', '=', userId)
      .where('hint', '=', hint)
      .where('used_at', 'is', null)
      .executeTakeFirst();
    return row?.code_hash;
  }

  /** Uses a code up, and says whether it was still unused; of many at once, one does. */
  async use(tx: Executor, userId: string, { hash, now }: { hash: string; now: number }): Promise<boolean> {
    const used = await tx
      .updateTable('recovery_codes')
      .set({ used_at: now })
      .where('user_id', '=', userId)
      .where('code_hash', '=', hash)
      .where('used_at', 'is', null)
      .returning('user_id')
      .execute();
    return used.length > 0;
  }

  /** How many of a user's codes are unused. */
  async left(executor: Executor, userId: string): Promise<number> {
    const { count } = await executor
      .selectFrom('recovery_codes')
      .select(({ fn }) => fn.countAll().as('count'))
      .where('user_id', '=', userId)
      .where('used_at', 'is', null)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Puts other codes in the place of those that are there, used or not; with none, takes them away. */
  async replace(tx: Executor, userId: string, codes: Insertable<RecoveryCodesTable>[]): Promise<void> {
    await tx.deleteFrom('recovery_codes').where('user_id', '=', userId).execute();
    if (codes.length > 0) await tx.insertInto('recovery_codes').values(codes).execute();
  }
}
