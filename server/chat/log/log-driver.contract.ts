import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { addGroup, addUser, SETTLED_AT, type TestDatabase } from '../../../tests/support/databases.ts';
import { GroupCommit } from './group-commit.ts';
import { type AppendAnswer, type AppendRow, BatchError, type LogDriver } from './log-driver.ts';

/** A driver over a database of its own, with its schema and nothing in it. */
export interface LogWorld extends TestDatabase {
  driver: LogDriver;
}

/** What LogDriver promises, to be run on every driver. */
export function logDriverContract(make: () => Promise<LogWorld>): void {
  let world: LogWorld;
  let alice: string;
  let bob: string;
  let conversation: string;

  beforeEach(async () => {
    world = await make();
    [alice, bob] = [await addPerson(), await addPerson()];
    conversation = await addConversation([alice, bob]);
  });
  afterEach(() => world.close());

  const id = () => Bun.randomUUIDv7();

  const addPerson = () => addUser(world.database);
  /** A group that stands at `seq` 0 and `rev` 1, with everybody's marks at 0. */
  const addConversation = (members: string[]) => addGroup(world.database, members);

  function row(content: string, overrides: Partial<AppendRow> = {}): AppendRow {
    const own = id();
    return {
      id: own,
      conversationId: conversation,
      senderId: alice,
      clientId: own,
      type: 'text',
      content,
      sentAt: Date.now(),
      ...overrides,
    };
  }

  const append = (...rows: AppendRow[]) => world.driver.append(() => rows);
  const said = async (group = conversation) =>
    (await stored(group)).map(({ seq, content }) => [Number(seq), content] as const);

  function stored(group = conversation) {
    return world.database.read
      .selectFrom('messages')
      .selectAll()
      .where('conversation_id', '=', group)
      .orderBy('seq')
      .execute();
  }

  function head(group = conversation) {
    return world.database.read
      .selectFrom('conversations')
      .select(['seq', 'rev', 'updated_at'])
      .where('id', '=', group)
      .executeTakeFirstOrThrow();
  }

  function marks(user: string, group = conversation) {
    return world.database.read
      .selectFrom('participants')
      .select(['read_seq', 'delivered_seq'])
      .where('conversation_id', '=', group)
      .where('user_id', '=', user)
      .executeTakeFirstOrThrow();
  }

  function outbox() {
    return world.database.read.selectFrom('outbox').select(['kind', 'conversation_id', 'rev']).orderBy('id').execute();
  }

  const appended = (seq: number, rev: number): AppendAnswer => ({ kind: 'appended', seq, rev });

  describe('a batch', () => {
    test('is numbered in its order, and stored as it was given', async () => {
      const rows = [row('one', { clientId: 'first' }), row('two', { senderId: bob }), row('three 😀\u202E')];
      expect(await append(...rows)).toEqual([appended(1, 2), appended(2, 3), appended(3, 4)]);
      expect(await append(row('four'))).toEqual([appended(4, 5)]);
      expect(await said()).toEqual([
        [1, 'one'],
        [2, 'two'],
        [3, 'three 😀\u202E'],
        [4, 'four'],
      ]);
      expect((await stored())[0]).toMatchObject({
        conversation_id: conversation,
        seq: 1,
        rev: 2,
        created_rev: 2,
        id: rows[0]!.id,
        sender_id: alice,
        client_id: 'first',
        type: 'text',
        content: 'one',
        sent_at: rows[0]!.sentAt,
        system: null,
        deleted_at: null,
      });
      const { seq, rev, updated_at } = await head();
      expect([seq, rev]).toEqual([4, 5]);
      expect(updated_at).toBeGreaterThan(SETTLED_AT);
    });

    test('numbers each conversation by itself', async () => {
      const other = await addConversation([alice]);
      const answers = await append(
        row('a'),
        row('b', { conversationId: other }),
        row('c'),
        row('d', { conversationId: other }),
      );
      expect(answers).toEqual([appended(1, 2), appended(1, 2), appended(2, 3), appended(2, 3)]);
      expect([await said(), await said(other)]).toEqual([
        [
          [1, 'a'],
          [2, 'c'],
        ],
        [
          [1, 'b'],
          [2, 'd'],
        ],
      ]);
    });

    test('moves the marks of those who wrote, each to their own latest message, and nobody else’s', async () => {
      const carol = await addPerson();
      const group = await addConversation([alice, bob, carol]);
      const at = { conversationId: group };
      await append(
        row('1', at),
        row('2', { ...at, senderId: bob }),
        row('3', at),
        row('4', { ...at, senderId: bob }),
        row('5', at),
      );
      expect(await marks(alice, group)).toEqual({ read_seq: 5, delivered_seq: 5 });
      expect(await marks(bob, group)).toEqual({ read_seq: 4, delivered_seq: 4 });
      expect(await marks(carol, group)).toEqual({ read_seq: 0, delivered_seq: 0 });
    });

    test('tells the outbox once for each conversation that advanced, and of no other', async () => {
      const other = await addConversation([alice]);
      const untouched = await addConversation([bob]);
      await append(row('a'), row('b', { conversationId: other }), row('c'), row('x', { conversationId: untouched }));
      expect(await outbox()).toEqual([
        { kind: 'conversation', conversation_id: conversation, rev: 3 },
        { kind: 'conversation', conversation_id: other, rev: 2 },
      ]);
    });

    test('takes its rows only when its turn has come', async () => {
      const release = Promise.withResolvers<void>();
      const locked = Promise.withResolvers<void>();
      const transaction = world.database.write.transaction().execute(async (tx) => {
        await tx.updateTable('conversations').set({ rev: 2 }).where('id', '=', conversation).execute();
        locked.resolve();
        await release.promise;
      });
      await locked.promise;
      const rows = [row('early')];
      const answer = world.driver.append(() => rows);
      rows.push(row('joined while it waited'));
      release.resolve();
      await transaction;
      expect(await answer).toEqual([appended(1, 3), appended(2, 4)]);
    });
  });

  describe('a key', () => {
    test('that was used in an earlier batch gets its first answer', async () => {
      const first = row('once', { clientId: 'key' });
      await append(row('before'), first, row('after'));
      const again = row('once more', { clientId: 'key', sentAt: first.sentAt + 5000 });
      expect(await append(again)).toEqual([{ kind: 'known', id: first.id, seq: 2, rev: 3, sentAt: first.sentAt }]);
      expect(await said()).toHaveLength(3);
      expect(await head()).toMatchObject({ seq: 3, rev: 4 });
      expect(await outbox()).toHaveLength(1);
    });

    test('that comes twice in one batch is one message, and leaves no hole', async () => {
      const first = row('once', { clientId: 'key' });
      const answers = await append(
        row('a'),
        first,
        row('twice', { clientId: 'key' }),
        row('b'),
        row('thrice', { clientId: 'key' }),
      );
      const known = { kind: 'known' as const, id: first.id, seq: 2, rev: 3, sentAt: first.sentAt };
      expect(answers).toEqual([appended(1, 2), appended(2, 3), known, appended(3, 4), known]);
      expect(await said()).toEqual([
        [1, 'a'],
        [2, 'once'],
        [3, 'b'],
      ]);
    });

    test('is its sender’s own, in one conversation', async () => {
      const other = await addConversation([alice, bob]);
      const key = { clientId: 'shared' };
      const answers = await append(
        row('a', key),
        row('b', { ...key, senderId: bob }),
        row('c', { ...key, conversationId: other }),
      );
      expect(answers).toEqual([appended(1, 2), appended(2, 3), appended(1, 2)]);
    });

    test('is compared to the letter', async () => {
      const uuid = id();
      const keys = ['key', 'Key', 'key ', uuid, uuid.toUpperCase(), '😀', 'x'.repeat(64)];
      const rows = keys.map((clientId) => row(clientId, { clientId }));
      expect((await append(...rows)).map(({ kind }) => kind)).toEqual(keys.map(() => 'appended'));
      const again = await append(...keys.map((clientId) => row('again', { clientId })));
      expect(again.map((answer) => answer.kind === 'known' && answer.id)).toEqual(rows.map((one) => one.id));
      expect((await stored()).map(({ client_id }) => client_id)).toEqual(keys);
    });

    test('is answered also after its message was changed, with the rev at which it came', async () => {
      const first = row('before', { clientId: 'key' });
      await append(first, row('between'));
      await world.database.write
        .updateTable('messages')
        .set({ content: 'after', rev: 4 })
        .where('conversation_id', '=', conversation)
        .where('seq', '=', 1)
        .execute();
      expect(await append(row('before', { clientId: 'key' }))).toMatchObject([{ kind: 'known', seq: 1, rev: 2 }]);
    });
  });

  describe('a sender', () => {
    /** In a transaction of their own, as every change of members is. */
    async function leave(user: string, until: Promise<void> = Promise.resolve(), locked = () => {}) {
      await world.database.write.transaction().execute(async (tx) => {
        await tx.updateTable('conversations').set({ rev: 9 }).where('id', '=', conversation).execute();
        await tx
          .updateTable('participants')
          .set({ left_rev: 9, rev: 9 })
          .where('conversation_id', '=', conversation)
          .where('user_id', '=', user)
          .execute();
        locked();
        await until;
      });
    }

    test('who is no participant is not let in, and costs the others nothing', async () => {
      const stranger = await addPerson();
      const answers = await append(
        row('a'),
        row('x', { senderId: stranger }),
        row('b'),
        row('y', { conversationId: id() }),
        row('c'),
      );
      expect(answers).toEqual([
        appended(1, 2),
        { kind: 'not_found' },
        appended(2, 3),
        { kind: 'not_found' },
        appended(3, 4),
      ]);
      expect(await said()).toEqual([
        [1, 'a'],
        [2, 'b'],
        [3, 'c'],
      ]);
    });

    test('who left is not let in, and gets the answers of before', async () => {
      const first = row('before', { senderId: bob, clientId: 'before' });
      await append(first);
      await leave(bob);
      expect(
        await append(row('x', { senderId: bob, clientId: 'new' }), row('y', { senderId: bob, clientId: 'before' })),
      ).toEqual([{ kind: 'not_found' }, { kind: 'known', id: first.id, seq: 1, rev: 2, sentAt: first.sentAt }]);
      expect(await marks(bob)).toEqual({ read_seq: 1, delivered_seq: 1 });
    });

    test('who is removed while the batch waits for its turn is not let in', async () => {
      const [release, locked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const removal = leave(bob, release.promise, locked.resolve);
      await locked.promise;
      const answers = append(row('a'), row('too late', { senderId: bob }));
      release.resolve();
      await removal;
      expect(await answers).toEqual([appended(1, 10), { kind: 'not_found' }]);
      expect(await said()).toEqual([[1, 'a']]);
    });

    test('answers only a message of the same conversation', async () => {
      const [first, elsewhere] = [row('first'), row('elsewhere')];
      elsewhere.conversationId = await addConversation([alice]);
      await append(first, elsewhere);
      const answers = await append(
        row('good', { replyToId: first.id }),
        row('unknown', { replyToId: id() }),
        row('not from here', { replyToId: elsewhere.id }),
      );
      expect(answers).toEqual([
        { kind: 'appended', seq: 2, rev: 3, quoted: { senderId: alice, content: 'first' } },
        { kind: 'quoted_not_found' },
        { kind: 'quoted_not_found' },
      ]);
      expect(await said()).toEqual([
        [1, 'first'],
        [2, 'good'],
      ]);
    });
  });

  test('a quote is text also where its message was edited to what looks like an id', async () => {
    const first = row('first');
    await append(first);
    const content = id();
    await world.database.write.updateTable('messages').set({ content }).where('id', '=', first.id).execute();
    expect(await append(row('reply', { replyToId: first.id }))).toEqual([
      { kind: 'appended', seq: 2, rev: 3, quoted: { senderId: alice, content } },
    ]);
  });

  describe('a row that cannot be stored', () => {
    test('fails its whole batch, of which nothing stays', async () => {
      const taken = row('first');
      await append(taken);
      const error = await append(
        row('good', { senderId: bob }),
        row('bad', { id: taken.id, clientId: 'another key' }),
      ).catch((error) => error);
      expect(error).toBeInstanceOf(BatchError);
      expect(error.rowAtFault).toBe(true);
      expect(await said()).toEqual([[1, 'first']]);
      expect(await head()).toMatchObject({ seq: 1, rev: 2 });
      expect(await marks(bob)).toEqual({ read_seq: 0, delivered_seq: 0 });
      expect(await outbox()).toHaveLength(1);
      expect(await append(row('next'))).toEqual([appended(2, 3)]);
    });

    test('fails alone under group commit, and leaves no hole', async () => {
      const taken = row('first');
      await append(taken);
      const commits = new GroupCommit(world.driver, { queueLimit: 100, observe() {}, onCommitted() {} });
      const rows = Array.from({ length: 20 }, (_, index) => row(`row ${index}`));
      rows[7] = { ...rows[7]!, id: taken.id };
      const answers = await Promise.allSettled(rows.map((one) => commits.append(one)));
      expect(answers.map(({ status }) => status)).toEqual(
        rows.map((_, index) => (index === 7 ? 'rejected' : 'fulfilled')),
      );
      const good = rows.filter((_, index) => index !== 7).map(({ content }) => content);
      expect(await said()).toEqual(['first', ...good].map((content, index) => [index + 1, content] as const));
    });
  });
}
