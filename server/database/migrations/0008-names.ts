import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.ts';
import type { ColumnTypes } from './column-types.ts';

/** Users of which the names are claimed together. */
const PAGE = 500;

/**
 * Who has a username, with all that look like it, or had it until lately. Of accounts from before with names that look alike
 * the oldest has the claim, and the others keep their names. And a note that texts of system messages, which hold names, are to be
 * taken out of their rows: that goes on beside the running server.
 */
export const names = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('username_claims')
      .addColumn('name_hash', types.key, (column) => column.primaryKey().notNull())
      .addColumn('user_id', types.id, (column) => column.notNull())
      .addColumn('held_until', types.time)
      .execute();
    await db.schema.createIndex('username_claims_user').on('username_claims').column('user_id').execute();
    // For the sweep.
    await db.schema
      .createIndex('username_claims_held')
      .on('username_claims')
      .column('held_until')
      .where(sql.ref('held_until'), 'is not', null)
      .execute();
    await claimNames(db as Kysely<Schema>);
    await sql`insert into meta (key, value) select 'system_texts', ''
      where exists (select 1 from conversations where type = 'group')`.execute(db);
  },

  async down(db: Kysely<unknown>): Promise<void> {
    await sql`delete from meta where key = 'system_texts'`.execute(db);
    await db.schema.dropTable('username_claims').execute();
  },
});

async function claimNames(db: Kysely<Schema>): Promise<void> {
  for (let after: string | undefined, isMore = true; isMore; ) {
    let page = db
      .selectFrom('users')
      .select(['id', 'username_key'])
      .where('username_key', 'is not', null)
      .orderBy('id') // which begins with when it was made
      .limit(PAGE);
    if (after !== undefined) page = page.where('id', '>', after);
    const users = await page.execute();
    if (users.length > 0) {
      await db
        .insertInto('username_claims')
        .values(
          users.map(({ id, username_key }) => ({ name_hash: claimOf(username_key!), user_id: id, held_until: null })),
        )
        .onConflict((conflict) => conflict.column('name_hash').doNothing())
        .execute();
    }
    after = users.at(-1)?.id;
    isMore = users.length === PAGE;
  }
}

const LOOKALIKES: Readonly<Record<string, string>> = { '0': 'o', '1': 'l', i: 'l', m: 'rn', w: 'vv' };

/** As `server/users/usernames.ts` has it at the time of this step. */
export function claimOf(usernameKey: string): string {
  const skeleton = usernameKey.replace(/[01imw]/g, (letter) => LOOKALIKES[letter]!);
  return createHash('sha256').update(skeleton).digest('base64url');
}
