import type { Database } from '../database/database.ts';

/** Places in conversations that one look for sharers visits, at most. */
const PLACES_AT_ONCE = 50_000;

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

  /**
   * Those of some users with whom a user shares a conversation at this moment. It goes through what the user is in, or what
   * the others are in, whichever is less; of much only some of the others are asked for at a time, so that whoever reads
   * something else need not wait for all of it.
   */
  async sharers(userId: string, others: string[]): Promise<Set<string>> {
    const sharers = new Set<string>();
    if (others.length === 0) return sharers;
    const counts = await this.countConversations([userId, ...others]);
    const own = counts.get(userId) ?? 0;
    let some: string[] = [];
    let places = 0;
    const ask = async () => {
      const byOwn = own * some.length <= places;
      for (const id of await this.sharersAmong(userId, some, byOwn)) sharers.add(id);
    };
    for (const other of others) {
      const more = counts.get(other) ?? 0;
      if (some.length > 0 && Math.min(own * (some.length + 1), places + more) > PLACES_AT_ONCE) {
        await ask();
        some = [];
        places = 0;
      }
      some.push(other);
      places += more;
    }
    await ask();
    return sharers;
  }

  private async countConversations(userIds: string[]): Promise<Map<string, number>> {
    const rows = await this.database.read
      .selectFrom('account_totals')
      .select(['user_id', 'conversations'])
      .where('user_id', 'in', userIds)
      .execute();
    return new Map(rows.map((row) => [row.user_id, row.conversations]));
  }

  private async sharersAmong(userId: string, others: string[], byOwn: boolean): Promise<string[]> {
    const { read } = this.database;
    // SQLite goes through the tables of a cross join in this order.
    const ownFirst = read.selectFrom('participants as mine').crossJoin('participants as theirs');
    const theirsFirst = read.selectFrom('participants as theirs').crossJoin('participants as mine');
    const rows = await (byOwn ? ownFirst : (theirsFirst as unknown as typeof ownFirst))
      .select('theirs.user_id')
      .distinct()
      .whereRef('theirs.conversation_id', '=', 'mine.conversation_id')
      .where('mine.user_id', '=', userId)
      .where('mine.left_rev', 'is', null)
      .where('theirs.left_rev', 'is', null)
      .where('theirs.user_id', 'in', others)
      .execute();
    return rows.map((row) => row.user_id);
  }
}
