import { isDeepStrictEqual } from 'node:util';
import type { Changes, Conversation, Message, Participant } from '../../../protocol/resources.ts';
import { type ConversationEvent, type EventKind, kindsOf } from '../../../server/chat/events/event.ts';
import { eventually } from '../../support/eventually.ts';
import { type Person, signUpAll } from '../../support/people.ts';
import { fixedPort } from '../../support/ports.ts';
import { Random } from '../../support/random.ts';
import { Receiver } from '../../support/receiver.ts';
import { startServer, type TestServer } from '../../support/server.ts';
import { FAULTY_SERVER } from './host.ts';

/** All that can happen. */
export const ALL_KINDS: EventKind[] = [
  'conversation.created',
  'conversation.updated',
  'message.created',
  'message.deleted',
  'message.updated',
  'participant.joined',
  'participant.left',
  'participant.updated',
  'reaction.added',
  'reaction.removed',
];
/** What webhooks can tell of; the model's own consumer is told of everything. */
const WEBHOOK_EVENTS = ALL_KINDS.filter((kind): boolean => kind !== 'participant.updated');
const STEPS = 80;
const EMOJIS = ['👍', '🎉'];
/** Of a conversation's messages the last few are changed, so that changes meet. */
const CHANGED = 3;
/** Of requests so many are refused at first. */
const FAILURES = 0.1;

interface Room {
  id: string;
  isGroup: boolean;
  messages: string[];
}

/** What a receiver knows of a conversation, from what it was told alone. */
interface Copy {
  conversation?: Conversation;
  messages: Map<string, Message>;
  people: Map<string, Participant>;
  /** Message, emoji and user of each reaction that was added and not removed since. */
  reactions: Set<string>;
}

/**
 * Several people change conversations at random while receivers refuse now and then and the server is killed once. Then what
 * consumers were told, replayed, must equal both a fresh read and a plain replay of `changes`; and each `rev` was told, once
 * and in order. Answers what is wrong, and which kinds of events there were.
 */
export async function playEvents(seed: number): Promise<{ findings: string[]; kinds: string[] }> {
  const random = new Random(seed);
  const [hooks, raw] = await Promise.all([Receiver.open(), Receiver.open()]);
  for (const receiver of [hooks, raw]) receiver.answer = () => (random.chance(FAILURES) ? 503 : 204);
  const server = await startServer(
    {
      SERVER_PORT: String(fixedPort()),
      WEBHOOK_URL: hooks.url,
      WEBHOOK_SECRET: 'a secret of more than 32 characters, of tests',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      WEBHOOK_EVENTS: WEBHOOK_EVENTS.join(),
      WORKER_TRIES: '50',
      WORKER_RETRY_BASE: '20ms',
      WORKER_RETRY_CAP: '100ms',
      CONSUMERS: JSON.stringify([{ name: 'model', cursor: 'each', url: raw.url }]),
    },
    FAULTY_SERVER,
  );
  for (const name of ['webhooks', 'model']) {
    await eventually(`${name} begins`, async () =>
      server.lines.some(({ msg, consumer }) => msg.startsWith('the consumer begins') && consumer === name),
    );
  }
  const people = await signUpAll(server, 'alice', 'bob', 'carol', 'dave');
  const rooms = await play(random, server, people);
  const findings: string[] = [];
  for (const room of rooms) findings.push(...(await compare(room, people[0], raw, hooks)));
  await server.kill();
  await Promise.all([hooks.close(), raw.close()]);
  return {
    findings: findings.map((text) => `seed ${seed}: ${text}`),
    kinds: raw.deliveries.map(({ body }) => body.type),
  };
}

/** The first of them is in every conversation until the end. */
async function play(random: Random, server: TestServer, people: Person[]): Promise<Room[]> {
  const [keeper, ...others] = people as [Person, ...Person[]];
  const rooms: Room[] = [
    { id: await keeper.direct(others[0]!), isGroup: false, messages: [] },
    { id: await keeper.group(others.slice(0, 2), 'first'), isGroup: true, messages: [] },
    { id: await keeper.group(others, 'second'), isGroup: true, messages: [] },
  ];
  for (let step = 0; step < STEPS; step++) {
    const count = 1 + random.int(4);
    await Promise.all(Array.from({ length: count }, () => change(random, random.pick(rooms)!, people, step)));
    if (step !== STEPS / 2) continue;
    const node = random.pick(server.nodes)!;
    await node.kill();
    await node.start();
  }
  return rooms;
}

/** Somebody does something, which may be refused. */
async function change(random: Random, room: Room, people: Person[], step: number): Promise<void> {
  // The first of them may do the most.
  const who = random.chance(0.4) ? people[0]! : random.pick(people)!;
  const whom = random.pick(people.slice(1))!;
  const path = `/conversations/${room.id}`;
  const message = `${path}/messages/${random.pick(room.messages.slice(-CHANGED)) ?? 'none'}`;
  const reaction = `${message}/reactions/${encodeURIComponent(random.pick(EMOJIS)!)}`;
  const place = `${path}/participants/${whom.id}`;
  const what = random.weighted({
    send: 8,
    edit: 6,
    delete: 2,
    react: 6,
    unreact: 5,
    join: 7,
    leave: 3,
    role: 8,
    rename: 3,
  });
  if (what === 'send') {
    const { status, body } = await who.call<Message>('POST', `${path}/messages`, {
      content: `said ${random.int(1e9)}`,
    });
    if (status < 300) room.messages.push(body.id);
  }
  if (what === 'edit') await who.call('PATCH', message, { content: `edited at ${step} ${random.int(1e9)}` });
  if (what === 'delete') await who.call('DELETE', message);
  if (what === 'react') await who.call('PUT', reaction);
  if (what === 'unreact') await who.call('DELETE', reaction);
  if (what === 'join') await who.call('POST', `${path}/participants`, { user_ids: [whom.id] });
  if (what === 'leave') await random.pick([who, whom])!.call('DELETE', place);
  if (what === 'role') {
    const participant_role = random.pick(['admin', 'member']);
    await who.call('PATCH', place, { participant_role });
  }
  if (what === 'rename') await who.call('PATCH', path, { name: `name ${random.int(1e9)}` });
}

async function compare({ id, isGroup }: Room, reader: Person, raw: Receiver, hooks: Receiver): Promise<string[]> {
  const findings: string[] = [];
  const find = (isRight: boolean, what: string) => {
    if (!isRight) findings.push(`${id}: ${what}`);
  };
  const { body: entry } = await reader.call('GET', `/conversations/${id}`);
  const head: number = entry.conversation.rev;
  const told = () => raw.eventsOf(id).map(({ body }) => body.data as unknown as ConversationEvent);
  await eventually(`rev ${head} is told`, async () => told().length >= head);
  const events = told();
  find(
    isDeepStrictEqual(
      events.map(({ rev }) => rev),
      Array.from({ length: head }, (_, n) => n + 1),
    ),
    `each rev up to ${head} is told once and in order: ${events.map(({ rev }) => rev)}`,
  );
  find(!events.some(({ coalesced }) => coalesced), 'nothing was lost that would have to be told as it stands');

  const expected = events.flatMap(idsOf);
  await eventually('webhooks are told of it', async () => hooks.eventsOf(id).length >= expected.length);
  const ids = hooks.eventsOf(id).map((delivery) => delivery.id);
  find(isDeepStrictEqual(ids, expected), `webhooks tell the same, in the same order: ${ids} instead of ${expected}`);

  const fresh = await freshCopy(reader, id);
  const replayed = replay(events);
  for (const [name, copy] of [
    ['a fresh read', fresh],
    ['changes', await replayChanges(reader, id)],
  ] as const) {
    find(isDeepStrictEqual(shownMessages(replayed), shownMessages(copy)), `messages equal ${name}`);
    find(isDeepStrictEqual(shownPeople(replayed), shownPeople(copy)), `people equal ${name}`);
    find(replayed.conversation?.name === copy.conversation?.name, `the name equals ${name}`);
  }
  find(
    isDeepStrictEqual([...replayed.reactions].sort(), [...fresh.reactions].sort()),
    'reactions that were added and not removed are those that stand',
  );
  find(isGroup === (replayed.conversation?.type === 'group'), 'its kind was told');
  return findings;
}

/** Which webhooks an event is. */
function idsOf(event: ConversationEvent): string[] {
  return kindsOf(event)
    .filter((kind) => WEBHOOK_EVENTS.includes(kind))
    .map((kind) => {
      if (kind === 'message.created') return `message-created-${event.message!.id}`;
      return `${kind.replace('.', '-')}-${event.conversation_id}-${event.rev}`;
    });
}

const newCopy = (): Copy => ({ messages: new Map(), people: new Map(), reactions: new Set() });

/** Of each thing the higher rev stays. */
function put<T extends { id: string; rev: number }>(things: Map<string, T>, one: T): void {
  if ((things.get(one.id)?.rev ?? 0) <= one.rev) things.set(one.id, one);
}

function replay(events: ConversationEvent[]): Copy {
  const copy = newCopy();
  for (const event of events) {
    if (event.message) put(copy.messages, event.message);
    if ('conversation' in event) copy.conversation = event.conversation;
    if ('participants' in event) for (const one of event.participants) put(copy.people, one);
    if (!('emoji' in event)) continue;
    const reaction = `${event.message.id} ${event.emoji} ${event.actor_id}`;
    if (event.kind === 'reaction.added') copy.reactions.add(reaction);
    else copy.reactions.delete(reaction);
  }
  // With a message its reactions are gone.
  for (const reaction of copy.reactions) {
    if (copy.messages.get(reaction.split(' ')[0]!)?.deleted_at !== undefined) copy.reactions.delete(reaction);
  }
  return copy;
}

async function freshCopy(reader: Person, id: string): Promise<Copy> {
  const copy = newCopy();
  const [{ body: entry }, messages] = [await reader.call('GET', `/conversations/${id}`), await reader.history(id)];
  copy.conversation = entry.conversation;
  for (const message of messages) {
    copy.messages.set(message.id, message);
    for (const { emoji, user_ids } of message.reactions ?? []) {
      for (const userId of user_ids) copy.reactions.add(`${message.id} ${emoji} ${userId}`);
    }
  }
  for (const one of entry.participants as Participant[]) copy.people.set(one.id, one);
  return copy;
}

async function replayChanges(reader: Person, id: string): Promise<Copy> {
  const copy = newCopy();
  for (let since = 0; ; ) {
    const { body } = await reader.call<Changes>('GET', `/conversations/${id}/changes?since=${since}`);
    for (const message of body.messages) put(copy.messages, message);
    for (const one of body.participants ?? []) put(copy.people, one);
    copy.conversation = body.conversation ?? copy.conversation;
    since = body.rev;
    if (!body.has_more) return copy;
  }
}

/** What everybody is shown of messages; whether a reaction is one's own is told to one caller only. */
function shownMessages({ messages }: Copy): unknown[] {
  return [...messages.values()]
    .sort((one, other) => one.seq - other.seq)
    .map((message) => ({ ...message, reactions: message.reactions?.map(({ me: _, ...reaction }) => reaction) ?? [] }));
}

/** Who is in it and as what. Marks move without a `rev`. */
function shownPeople({ people }: Copy): unknown[] {
  return [...people.values()]
    .filter(({ left }) => !left)
    .map(({ id, participant_role, joined_at, rev }) => ({ id, participant_role, joined_at, rev }))
    .sort((one, other) => (one.id < other.id ? -1 : 1));
}
