import type { Database, Executor } from '../database/database.ts';
import { sweep } from '../shared/sweep.ts';
import { claimOf } from './usernames.ts';

/** Names that are held back for one account, at most: whoever takes one name after the other holds the latest. */
const HELD_NAMES = 10;
const SWEEP_CHUNK = 1000;

/**
 * The table `username_claims`: who has a name, and with it all that look like it, or had it until lately. Its primary key
 * decides who gets a name, whichever of two nodes is asked for it.
 */
export class UsernameClaims {
  constructor(
    private readonly database: Database,
    /** For how long a name that was given up is held back, in milliseconds. */
    private readonly holdMs: number,
  ) {}

  /** Whether somebody could take a name at this moment. */
  async isFree(username: string, now: number, userId?: string): Promise<boolean> {
    const claim = await this.database.read
      .selectFrom('username_claims')
      .select(['user_id', 'held_until'])
      .where('name_hash', '=', claimOf(username))
      .executeTakeFirst();
    return !claim || claim.user_id === userId || (claim.held_until !== null && claim.held_until <= now);
  }

  /** Gives somebody a name, and answers whether they have it: not where it is another's, looks like another's, or is held back. */
  async take(tx: Executor, userId: string, username: string, now: number): Promise<boolean> {
    const taken = await tx
      .insertInto('username_claims')
      .values({ name_hash: claimOf(username), user_id: userId, held_until: null })
      .onConflict((conflict) =>
        conflict
          .column('name_hash')
          .doUpdateSet({ user_id: userId, held_until: null })
          .where((eb) =>
            eb.or([eb('username_claims.user_id', '=', userId), eb('username_claims.held_until', '<=', now)]),
          ),
      )
      .returning('name_hash')
      .executeTakeFirst();
    return taken !== undefined;
  }

  /** Holds back what somebody has, but for the name that they go by from now on: for a while only they may take it again. */
  async giveUp(tx: Executor, userId: string, now: number, username?: string): Promise<void> {
    let given = tx
      .updateTable('username_claims')
      .set({ held_until: now + this.holdMs })
      .where('user_id', '=', userId)
      .where('held_until', 'is', null);
    if (username !== undefined) given = given.where('name_hash', '<>', claimOf(username));
    await given.execute();
    const held = await tx
      .selectFrom('username_claims')
      .select('name_hash')
      .where('user_id', '=', userId)
      .where('held_until', 'is not', null)
      .orderBy('held_until', 'desc')
      .execute();
    const tooMany = held.slice(HELD_NAMES).map(({ name_hash }) => name_hash);
    if (tooMany.length > 0) await tx.deleteFrom('username_claims').where('name_hash', 'in', tooMany).execute();
  }

  /** Forgets names that are held back no more. */
  async sweep(signal: AbortSignal, now: number): Promise<void> {
    await sweep(SWEEP_CHUNK, (limit) => this.deleteSome(now, limit), signal);
  }

  private async deleteSome(now: number, limit: number): Promise<number> {
    const { write } = this.database;
    const { numDeletedRows } = await write
      .deleteFrom('username_claims')
      .where('name_hash', 'in', ({ selectFrom }) =>
        selectFrom('username_claims').select('name_hash').where('held_until', '<=', now).limit(limit),
      )
      // Whoever took one in this moment has it.
      .where('held_until', '<=', now)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }
}
