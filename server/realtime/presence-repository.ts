import type { Database } from '../database/database.ts';

/** Users who are looked for by one query: other reads have their turn between two of them. */
const ASKED_AT_ONCE = 100;
/** Conversations beyond which nobody is looked for in each of them. */
const MANY = 200;

/** When users who are not connected last were, and who may know it. */
export class PresenceRepository {
  constructor(private readonly database: Database) {}

  async lastSeen(userIds: string[]): Promise<Map<string, number>> {
    if (userIds.length === 0) return new Map();
    const rows = await this.database.read.selectFrom('last_seen').selectAll().where('user_id', 'in', userIds).execute();
    return new Map(rows.map((row) => [row.user_id, row.at]));
  }

  async saveLastSeen(seen: Map<string, number>): Promise<void> {
    const rows = [...seen].map(([user_id, at]) => ({ user_id, at }));
    await this.database.write
      .insertInto('last_seen')
      .values(rows)
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet((eb) => ({ at: eb.ref('excluded.at') })))
      .execute();
  }

  /** Those of some users with whom a user shares a conversation at this moment. */
  async sharers(userId: string, others: string[]): Promise<Set<string>> {
    const found = new Set<string>();
    if (others.length === 0) return found;
    const sharing = (await this.isInMany(userId)) ? this.sharingFromTheirs : this.sharingFromMine;
    for (let index = 0; index < others.length; index += ASKED_AT_ONCE) {
      const rows = await sharing.call(this, userId, others.slice(index, index + ASKED_AT_ONCE));
      for (const { user_id } of rows) found.add(user_id);
    }
    return found;
  }

  private async isInMany(userId: string): Promise<boolean> {
    const { read } = this.database;
    const beyond = await read
      .selectFrom('participants')
      .select('user_id')
      .where('user_id', '=', userId)
      .where('left_rev', 'is', null)
      .limit(1)
      .offset(MANY)
      .executeTakeFirst();
    return beyond !== undefined;
  }

  /** Looks for each of the others in each of the user's conversations. */
  private sharingFromMine(userId: string, others: string[]): Promise<{ user_id: string }[]> {
    return this.database.read
      .selectFrom('participants as mine')
      .innerJoin('participants as theirs', 'theirs.conversation_id', 'mine.conversation_id')
      .select('theirs.user_id')
      .distinct()
      .where('mine.user_id', '=', userId)
      .where('mine.left_rev', 'is', null)
      .where('theirs.left_rev', 'is', null)
      .where('theirs.user_id', 'in', others)
      .execute();
  }

  /**
   * Looks for the user in the conversations of each of the others, up to the first that they share. The limits keep it in this
   * order: left to themselves, the engines begin with all that the user is in.
   */
  private sharingFromTheirs(userId: string, others: string[]): Promise<{ user_id: string }[]> {
    return this.database.read
      .selectFrom('users as other')
      .select('other.id as user_id')
      .where('other.id', 'in', others)
      .where(
        ({ selectFrom }) =>
          selectFrom('participants as theirs')
            .select('theirs.user_id')
            .whereRef('theirs.user_id', '=', 'other.id')
            .where('theirs.left_rev', 'is', null)
            .where(
              (theirs) =>
                theirs
                  .selectFrom('participants as mine')
                  .select('mine.user_id')
                  .whereRef('mine.conversation_id', '=', 'theirs.conversation_id')
                  .where('mine.user_id', '=', userId)
                  .where('mine.left_rev', 'is', null)
                  .limit(1),
              'is not',
              null,
            )
            .limit(1),
        'is not',
        null,
      )
      .execute();
  }
}
