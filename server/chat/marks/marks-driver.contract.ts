import { afterEach, beforeEach, expect, test } from 'bun:test';
import { MARKS_AT_ONCE } from '../../../protocol/limits.ts';
import { addGroup, addUser, addUsers, type TestDatabase } from '../../../tests/support/databases.ts';
import type { ClaimedMark, MarksDriver } from './marks-driver.ts';

/** A driver over a database of its own, with its schema and nothing in it. */
export interface MarksWorld extends TestDatabase {
  driver: MarksDriver;
}

/** What MarksDriver promises, to be run on every driver. */
export function marksDriverContract(make: () => Promise<MarksWorld>): void {
  let world: MarksWorld;
  let alice: string;
  let bob: string;
  /** Ten messages, of which nobody has heard. */
  let conversation: string;

  beforeEach(async () => {
    world = await make();
    [alice, bob] = [await addUser(world.database), await addUser(world.database)];
    conversation = await addGroup(world.database, [alice, bob], 10);
  });
  afterEach(() => world.close());

  const claim = (user_id: string, delivered_seq: number, read_seq: number): ClaimedMark => {
    return { conversation_id: conversation, user_id, delivered_seq, read_seq };
  };
  const write = (...claims: ClaimedMark[]) => world.driver.write(claims);

  async function marksOf(user: string): Promise<[delivered: number, read: number]> {
    const { delivered_seq, read_seq } = await world.database.read
      .selectFrom('participants')
      .select(['delivered_seq', 'read_seq'])
      .where('conversation_id', '=', conversation)
      .where('user_id', '=', user)
      .executeTakeFirstOrThrow();
    return [delivered_seq, read_seq];
  }

  const marksRev = async () => {
    const { marks_rev } = await world.database.read
      .selectFrom('conversations')
      .select('marks_rev')
      .where('id', '=', conversation)
      .executeTakeFirstOrThrow();
    return marks_rev;
  };

  const told = () =>
    world.database.read
      .selectFrom('outbox')
      .select(['conversation_id', 'rev'])
      .where('kind', '=', 'marks')
      .orderBy('rev')
      .execute();

  test('marks move, with one marks_rev and one outbox row for the conversation', async () => {
    const [moved, ...others] = await write(claim(alice, 4, 3), claim(bob, 6, 0));
    expect(others).toEqual([]);
    expect(moved).toMatchObject({ conversation_id: conversation, marks_rev: 1 });
    expect(new Set(moved!.marks)).toEqual(
      new Set([
        { user_id: alice, delivered_seq: 4, read_seq: 3 },
        { user_id: bob, delivered_seq: 6, read_seq: 0 },
      ]),
    );
    expect([await marksOf(alice), await marksOf(bob)]).toEqual([
      [4, 3],
      [6, 0],
    ]);
    expect(await marksRev()).toBe(1);
    expect(await told()).toEqual([{ conversation_id: conversation, rev: 1 }]);
  });

  test('what was read was delivered', async () => {
    await write(claim(alice, 0, 7));
    expect(await marksOf(alice)).toEqual([7, 7]);
  });

  test('a mark never goes back, each kind by itself', async () => {
    await write(claim(alice, 8, 5));
    const [moved] = await write(claim(alice, 3, 6));
    expect(moved!.marks).toEqual([{ user_id: alice, delivered_seq: 8, read_seq: 6 }]);
    await write(claim(alice, 1, 1));
    expect(await marksOf(alice)).toEqual([8, 6]);
  });

  test('a mark never goes beyond the end', async () => {
    await write(claim(alice, 5000, Number.MAX_SAFE_INTEGER));
    expect(await marksOf(alice)).toEqual([10, 10]);
  });

  test('what moves nothing takes no marks_rev, and tells nothing', async () => {
    await write(claim(alice, 4, 4));
    expect(await write(claim(alice, 4, 2))).toEqual([]);
    expect(await write(claim(bob, 0, 0))).toEqual([]);
    expect(await marksRev()).toBe(1);
    expect(await told()).toHaveLength(1);
  });

  test('only those that moved are told', async () => {
    await write(claim(alice, 4, 4));
    const [moved] = await write(claim(alice, 4, 4), claim(bob, 1, 1));
    expect(moved).toEqual({
      conversation_id: conversation,
      marks_rev: 2,
      marks: [{ user_id: bob, delivered_seq: 1, read_seq: 1 }],
    });
  });

  test('strangers, those who left and conversations that are none have no marks', async () => {
    const stranger = await addUser(world.database);
    await world.database.write
      .updateTable('participants')
      .set({ left_rev: 2 })
      .where('user_id', '=', bob)
      .executeTakeFirstOrThrow();
    const nowhere = { ...claim(alice, 1, 1), conversation_id: Bun.randomUUIDv7() };
    expect(await write(claim(bob, 5, 5), claim(stranger, 5, 5), nowhere)).toEqual([]);
    expect(await marksOf(bob)).toEqual([0, 0]);
    expect(await marksRev()).toBe(0);
    expect(await told()).toEqual([]);
  });

  test('many conversations in one batch, with more marks than one transaction takes, all move, each numbered without a gap', async () => {
    const { database } = world;
    const crowd = (await Promise.all(Array.from({ length: 600 }, () => addUser(database)))).sort();
    const groups = [await addGroup(database, crowd, 3), await addGroup(database, crowd, 3)].sort();
    const claims = groups.flatMap((conversation_id) =>
      crowd.map((user_id) => ({ conversation_id, user_id, delivered_seq: 2, read_seq: 1 })),
    );
    const moved = Map.groupBy(await write(...claims, claim(alice, 1, 1)), (one) => one.conversation_id);
    expect(moved.get(conversation)).toMatchObject([{ marks_rev: 1, marks: [{ user_id: alice }] }]);
    for (const id of groups) {
      const parts = moved.get(id)!;
      expect(parts.map(({ marks_rev }) => marks_rev)).toEqual(parts.map((_, index) => index + 1));
      expect(parts.flatMap(({ marks }) => marks.map(({ user_id }) => user_id)).sort()).toEqual(crowd);
    }
  });

  test('the same from two nodes at once moves once, and from many goes to the greatest', async () => {
    const twice = await Promise.all([write(claim(alice, 5, 5)), write(claim(alice, 5, 5))]);
    expect(twice.flat()).toHaveLength(1);
    await Promise.all([9, 7, 10, 8].map((seq) => write(claim(alice, seq, seq))));
    expect(await marksOf(alice)).toEqual([10, 10]);
    expect(await told()).toHaveLength(await marksRev());
  });

  test('no more than 500 marks of a conversation share a marks_rev, so that a page of them can end at a whole one', async () => {
    const people = await addUsers(world.database, 1200);
    const large = await addGroup(world.database, people, 10);
    const moved = await world.driver.write(
      people.map((user_id) => ({ conversation_id: large, user_id, delivered_seq: 4, read_seq: 3 })),
    );
    for (const { marks } of moved) expect(marks.length).toBeWithin(1, MARKS_AT_ONCE + 1);
    expect(moved.flatMap(({ marks }) => marks)).toHaveLength(people.length);
    expect(moved.map(({ marks_rev }) => marks_rev)).toEqual(moved.map((_, index) => index + 1));
  });
}
