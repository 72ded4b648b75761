import { afterEach, beforeEach, expect, test } from 'bun:test';
import { addGroup, addUsers, SETTLED_AT, type TestDatabase } from '../../tests/support/databases.ts';
import { SchemaMigrator } from './migrator.ts';

/** What triggers count, whoever writes, and what the step that makes them finds there; to be run on every driver. */
export function countsContract(make: () => Promise<TestDatabase>): void {
  let world: TestDatabase;
  let people: string[];

  beforeEach(async () => {
    world = await make();
    people = await addUsers(world.database, 4);
  });
  afterEach(() => world.close());

  const peopleIn = async (id: string) => {
    const { read } = world.database;
    const totals = read.selectFrom('conversation_totals').select('participants').where('conversation_id', '=', id);
    return (await totals.executeTakeFirst())?.participants;
  };

  const conversationsOf = async () => {
    const rows = await world.database.read.selectFrom('account_totals').selectAll().execute();
    const counts = new Map(rows.map((row) => [row.user_id, row.conversations]));
    return people.map((id) => counts.get(id) ?? 0);
  };

  const kindsOf = async (message_id: string) => {
    const { read } = world.database;
    const rows = await read
      .selectFrom('reaction_kinds')
      .select(['emoji', 'total'])
      .where('message_id', '=', message_id)
      .orderBy('emoji')
      .execute();
    return Object.fromEntries(rows.map(({ emoji, total }) => [emoji, total]));
  };

  async function leave(group: string, userId: string, left_rev: number | null = 2): Promise<void> {
    await world.database.write
      .updateTable('participants')
      .set({ left_rev })
      .where('conversation_id', '=', group)
      .where('user_id', '=', userId)
      .execute();
  }

  async function react(conversation_id: string, message_id: string, reactions: [userId: string, emoji: string][]) {
    const rows = reactions.map(([user_id, emoji]) => ({ conversation_id, message_id, user_id, emoji, created_at: 1 }));
    await world.database.write
      .insertInto('reactions')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  async function say(conversation_id: string, sender_id: string, content: string): Promise<string> {
    const id = Bun.randomUUIDv7();
    const at = { seq: 1, rev: 2, created_rev: 2, sent_at: SETTLED_AT };
    await world.database.write
      .insertInto('messages')
      .values({ conversation_id, id, sender_id, client_id: id, type: 'text', content, ...at })
      .execute();
    return id;
  }

  test('those who come, go, stay out and come back', async () => {
    const [ada, bob, carol, dan] = people as [string, string, string, string];
    const large = await addGroup(world.database, [ada, bob, carol]);
    const small = await addGroup(world.database, [ada]);
    expect([await peopleIn(large), await peopleIn(small), await conversationsOf()]).toEqual([3, 1, [2, 1, 1, 0]]);
    await leave(large, ada);
    await leave(large, ada, 3);
    await leave(large, bob);
    expect([await peopleIn(large), await conversationsOf()]).toEqual([1, [1, 0, 1, 0]]);
    await leave(large, bob, null);
    await addGroup(world.database, [dan]);
    expect([await peopleIn(large), await conversationsOf()]).toEqual([2, [1, 1, 1, 1]]);
  });

  test('reactions that are added, added again, and taken away, one by one or all at once', async () => {
    const [ada, bob, carol] = people as [string, string, string];
    const group = await addGroup(world.database, [ada, bob, carol]);
    const [one, other] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
    await react(group, one, [
      [ada, 'a'],
      [bob, 'a'],
      [ada, 'b'],
    ]);
    await react(group, other, [[ada, 'a']]);
    await react(group, one, [
      [ada, 'a'],
      [carol, 'a'],
    ]);
    expect([await kindsOf(one), await kindsOf(other)]).toEqual([{ a: 3, b: 1 }, { a: 1 }]);
    const { write } = world.database;
    await write.deleteFrom('reactions').where('message_id', '=', one).where('user_id', '=', ada).execute();
    expect(await kindsOf(one)).toEqual({ a: 2 });
    await write.deleteFrom('reactions').where('message_id', '=', one).execute();
    expect([await kindsOf(one), await kindsOf(other)]).toEqual([{}, { a: 1 }]);
  });

  test('what was there before the step that counts', async () => {
    const [ada, bob] = people as [string, string];
    const migrator = new SchemaMigrator(world.database);
    const steps = await migrator.status();
    const isCounted = () => migrator.status().then((all) => all.find(({ name }) => name === '0010-bounds')!.executedAt);
    while (await isCounted()) await migrator.down();
    const group = await addGroup(world.database, [ada, bob]);
    const gone = await addGroup(world.database, [ada, bob]);
    await leave(gone, bob);
    const message = await say(group, ada, 'é'.repeat(100));
    await react(group, message, [
      [ada, 'a'],
      [bob, 'a'],
    ]);
    expect((await migrator.up()).length).toBe(steps.length - steps.findIndex(({ name }) => name === '0010-bounds'));
    expect([await peopleIn(group), await peopleIn(gone), await conversationsOf()]).toEqual([2, 1, [2, 1, 0, 0]]);
    expect(await kindsOf(message)).toEqual({ a: 2 });
    const stored = await world.database.read
      .selectFrom('account_totals')
      .select('stored_bytes')
      .where('user_id', '=', ada)
      .executeTakeFirstOrThrow();
    expect(stored.stored_bytes).toBe(500);
  });
}
