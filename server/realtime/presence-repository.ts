import type { Database } from '../database/database.ts';

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
    if (others.length === 0) return new Set();
    const rows = await this.database.read
      .selectFrom('participants as mine')
      .innerJoin('participants as theirs', 'theirs.conversation_id', 'mine.conversation_id')
      .select('theirs.user_id')
      .distinct()
      .where('mine.user_id', '=', userId)
      .where('mine.left_rev', 'is', null)
      .where('theirs.left_rev', 'is', null)
      .where('theirs.user_id', 'in', others)
      .execute();
    return new Set(rows.map((row) => row.user_id));
  }
}
