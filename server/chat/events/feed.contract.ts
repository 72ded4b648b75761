import { afterEach, beforeEach, expect, test } from 'bun:test';
import type { ChatWorld } from '../../../tests/support/chat-world.ts';
import { sweepEvents } from '../../database/conversation-events.ts';
import type { Actor } from '../../shared/actor.ts';
import { BEFORE_ALL, type ConversationEvent, type EventKind, type Position } from './event.ts';

const WEEK_MS = 7 * 24 * 3_600_000;

/** What the feed of events promises, to be run on every engine. */
export function feedContract(make: () => Promise<ChatWorld>): void {
  let world: ChatWorld;
  let alice: Actor;
  let bob: Actor;
  let carol: Actor;

  beforeEach(async () => {
    world = await make();
    [alice, bob, carol] = world.people;
  });
  afterEach(() => world.close());

  /** All that comes behind a position, page after page. */
  async function read(
    conversationId: string,
    { from = BEFORE_ALL, isDerived = false, wants = (_: EventKind) => true as boolean } = {},
  ): Promise<{ events: ConversationEvent[]; end: Position; pages: number }> {
    const events: ConversationEvent[] = [];
    let position: Position = from;
    for (let pages = 1; ; pages++) {
      const query = { ...position, isDerived: isDerived && pages === 1, wants };
      const page = await world.feed.eventsAfter(conversationId, query);
      events.push(...page.events.map(({ event }) => event));
      expect(page.end.rev).toBeGreaterThanOrEqual(page.events.at(-1)?.position.rev ?? position.rev);
      if (page.isWhole) return { events, end: page.end, pages };
      expect(page.end.rev).toBeGreaterThan(position.rev);
      position = page.end;
    }
  }

  const told = (events: ConversationEvent[]) => events.map(({ rev, kind }) => `${rev} ${kind}`);
  const loseRows = () => world.database.write.deleteFrom('conversation_events').execute();

  test('each rev is told once and in order, whether it brought a message or not', async () => {
    const group = await world.group(alice, [bob]);
    const first = await world.send(group, alice, 'one');
    await world.react(group, bob, first, '👍', true);
    const second = await world.send(group, bob, 'two');
    await world.edit(group, alice, first, 'one, edited');
    await world.join(group, alice, carol);
    await world.react(group, bob, first, '👍', false);
    await world.role(group, alice, bob, 'admin');
    await world.delete(group, bob, second);
    await world.rename(group, bob, 'another name');
    await world.remove(group, alice, alice);
    const { events, end } = await read(group);
    expect(told(events)).toEqual([
      '1 conversation.created',
      '2 message.created',
      '3 reaction.added',
      '4 message.created',
      '5 message.updated',
      '6 participant.joined',
      '7 reaction.removed',
      '8 participant.updated',
      '9 message.deleted',
      '10 conversation.updated',
      '11 participant.left',
    ]);
    expect(end).toEqual({ seq: 6, rev: 11 });
    expect(events.some(({ coalesced }) => coalesced)).toBe(false);
    expect(events.map(({ actor_id }) => actor_id)).toEqual(
      [alice, alice, bob, bob, alice, alice, bob, alice, bob, bob, alice].map(({ userId }) => userId),
    );
    // Told as it stands: the first message as it was edited, the second as a tombstone.
    expect(events[1]).toMatchObject({ message: { content: 'one, edited', rev: 7 } });
    expect(events[3]).toMatchObject({ message: { content: '', deleted_at: expect.any(Number) } });
    expect(events[2]).toMatchObject({ emoji: '👍', message: { id: first } });
    expect(events[0]).toMatchObject({ message: { type: 'system' }, conversation: { name: 'another name' } });
    expect(events[5]).toMatchObject({
      participants: [{ id: carol.userId }],
      message: { system: { by: alice.userId } },
    });
    expect(events[7]).toMatchObject({ participants: [{ id: bob.userId, participant_role: 'admin' }] });
    expect(events[10]).toMatchObject({ participants: [{ id: alice.userId, left: true }] });
  });

  test('who becomes admin because the last one left is told with that', async () => {
    const group = await world.group(alice, [bob]);
    await world.remove(group, alice, alice);
    const { events } = await read(group);
    const [left] = events.slice(-1);
    expect(left).toMatchObject({ kind: 'participant.left' });
    const people = (left as { participants: { id: string; participant_role: string; left?: true }[] }).participants;
    const became = Object.fromEntries(people.map((one) => [one.id, one.left ? 'gone' : one.participant_role]));
    expect(became).toEqual({ [alice.userId]: 'gone', [bob.userId]: 'admin' });
  });

  test('a direct conversation is told from its opening on, with both', async () => {
    const direct = await world.direct(alice, bob);
    await world.send(direct, bob, 'hello');
    const { events } = await read(direct);
    expect(told(events)).toEqual(['1 conversation.created', '2 message.created']);
    expect(events[0]).toMatchObject({ actor_id: alice.userId, conversation: { type: 'direct' } });
    expect((events[0] as { participants: { id: string }[] }).participants.map(({ id }) => id).sort()).toEqual(
      [alice.userId, bob.userId].sort(),
    );
  });

  test('what is not wanted is passed over, and a change that is wanted as a message only is one', async () => {
    const group = await world.group(alice, [bob]);
    const first = await world.send(group, alice, 'one');
    for (let n = 0; n < 130; n++) await world.edit(group, alice, first, `edit ${n}`);
    await world.send(group, alice, 'two');
    const all = await world.feed.positionsOf([group]);
    const created = await read(group, { wants: (kind) => kind === 'message.created' });
    expect(told(created.events)).toEqual(['1 message.created', '2 message.created', '133 message.created']);
    expect(created.end).toEqual(all.get(group)!);
    const none = await read(group, { wants: (kind) => kind === 'reaction.added' });
    expect(none).toMatchObject({ events: [], end: all.get(group)! });
    expect(none.pages).toBeLessThan(5);
    const edits = await read(group, { wants: (kind) => kind === 'message.updated' });
    expect(edits.events.map(({ rev }) => rev)).toEqual(Array.from({ length: 130 }, (_, n) => n + 3));
  });

  test('of changes whose rows are gone what stands is told, each thing once, and the rest is passed over', async () => {
    const group = await world.group(alice, [bob]);
    const [one, two, three] = [
      await world.send(group, alice, 'one'),
      await world.send(group, alice, 'two'),
      await world.send(group, alice, 'three'),
    ];
    await world.edit(group, alice, one, 'one, edited'); // 5
    await world.react(group, bob, two, '👍', true); // 6
    await world.edit(group, alice, one, 'one, edited again'); // 7
    await world.delete(group, alice, three); // 8
    await world.role(group, alice, bob, 'admin'); // 9
    await world.role(group, alice, bob, 'member'); // 10
    await loseRows();
    await world.edit(group, alice, two, 'two, edited'); // 11: of its reaction nothing is left to be told
    const { events, end } = await read(group);
    expect(told(events)).toEqual([
      '1 conversation.created',
      '2 message.created',
      '3 message.created',
      '4 message.created',
      '7 message.updated',
      '8 message.deleted',
      '10 participant.updated',
      '11 message.updated',
    ]);
    expect(events.map(({ coalesced = false }) => coalesced)).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(events[4]).toMatchObject({ message: { content: 'one, edited again' } });
    expect(events[4]!.actor_id).toBeUndefined();
    expect(end).toEqual((await world.feed.positionsOf([group])).get(group)!);
    expect((await read(group, { from: end })).events).toEqual([]);
  });

  test('a hole of more than a page is told to its end', async () => {
    const group = await world.group(alice, [bob]);
    const ids: string[] = [];
    for (let n = 0; n < 120; n++) ids.push(await world.send(group, alice, `message ${n}`));
    const from = (await world.feed.positionsOf([group])).get(group)!;
    for (const id of ids) await world.react(group, bob, id, '👍', true);
    await loseRows();
    const { events } = await read(group, { from });
    expect(events.map(({ rev }) => rev)).toEqual(ids.map((_, n) => from.rev + n + 1));
    expect(new Set(events.map((event) => ('message' in event ? event.message?.id : '')))).toEqual(new Set(ids));
  });

  test('a direct conversation whose opening was not kept is told as it stands', async () => {
    const direct = await world.direct(alice, bob);
    await loseRows();
    await world.send(direct, bob, 'hello');
    const { events } = await read(direct);
    expect(told(events)).toEqual(['1 conversation.created', '2 message.created']);
    expect(events[0]).toMatchObject({ coalesced: true, conversation: { type: 'direct' } });
    expect((events[0] as { participants: unknown[] }).participants).toHaveLength(2);
  });

  test('behind a position that follows from a message, changes of before events were kept are passed over', async () => {
    const group = await world.group(alice, [bob]);
    const first = await world.send(group, alice, 'one');
    await world.edit(group, alice, first, 'an edit of before');
    await loseRows();
    const from = { seq: 2, rev: 2 };
    // Of a cursor that counts by rev it would be told.
    expect(told((await read(group, { from })).events)).toEqual(['3 message.updated']);
    expect((await read(group, { from, isDerived: true })).events).toEqual([]);
    await world.send(group, alice, 'two');
    expect(told((await read(group, { from, isDerived: true })).events)).toEqual(['4 message.created']);
    await world.edit(group, alice, first, 'an edit of after');
    expect(told((await read(group, { from, isDerived: true })).events)).toEqual([
      '4 message.created',
      '5 message.updated',
    ]);
  });

  test('rows go after seven days, and no sooner', async () => {
    const direct = await world.direct(alice, bob);
    await sweepEvents(world.database);
    await sweepEvents(world.database, { now: Date.now() + WEEK_MS - 60_000 });
    const rows = () => world.database.read.selectFrom('conversation_events').selectAll().execute();
    expect(await rows()).toMatchObject([{ conversation_id: direct, rev: 1, kind: 'conversation.created' }]);
    await sweepEvents(world.database, { now: Date.now() + WEEK_MS + 60_000 });
    expect(await rows()).toEqual([]);
  });

  test('a send writes nothing for it, and no row says what was said', async () => {
    const group = await world.group(alice, [bob]);
    const secret = 'words that are nowhere but in the message';
    const id = await world.send(group, alice, secret);
    expect(await world.database.read.selectFrom('conversation_events').selectAll().execute()).toEqual([]);
    await world.edit(group, alice, id, `${secret}, edited`);
    const rows = await world.database.read.selectFrom('conversation_events').selectAll().execute();
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain('words');
  });
}
