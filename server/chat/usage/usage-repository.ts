import type { Database, Executor } from '../../database/database.ts';

/** Rows of one statement. */
const CHUNK = 500;

/** The table `account_totals`: what an account has of that of which it may not have any number. */
export class UsageRepository {
  constructor(private readonly database: Database) {}

  /** Which of some users are in more conversations than `max`, as the transaction sees it. */
  async inMoreThan(max: number, userIds: string[], tx: Executor): Promise<string[]> {
    const full: string[] = [];
    for (let start = 0; start < userIds.length; start += CHUNK) {
      const rows = await tx
        .selectFrom('account_totals')
        .select('user_id')
        .where('user_id', 'in', userIds.slice(start, start + CHUNK))
        .where('conversations', '>', max)
        .execute();
      full.push(...rows.map((row) => row.user_id));
    }
    return full;
  }

  /** Adds to what some users have stored, and answers how much that is now. */
  async addStored(bytes: Map<string, number>): Promise<Map<string, number>> {
    const rows = await this.database.write
      .insertInto('account_totals')
      .values([...bytes].map(([user_id, stored_bytes]) => ({ user_id, stored_bytes })))
      .onConflict((conflict) =>
        conflict.column('user_id').doUpdateSet((eb) => ({
          stored_bytes: eb('account_totals.stored_bytes', '+', eb.ref('excluded.stored_bytes')),
        })),
      )
      .returning(['user_id', 'stored_bytes'])
      .execute();
    return new Map(rows.map((row) => [row.user_id, row.stored_bytes]));
  }

  /** How much some users have stored. */
  async stored(userIds: string[]): Promise<Map<string, number>> {
    const rows = await this.database.read
      .selectFrom('account_totals')
      .select(['user_id', 'stored_bytes'])
      .where('user_id', 'in', userIds)
      .execute();
    return new Map(rows.map((row) => [row.user_id, row.stored_bytes]));
  }
}
