import { expect, test } from 'bun:test';
import type { LocalSocket } from './local-user.ts';
import { Subscriptions } from './subscriptions.ts';
import { Turns } from './turns.ts';

const MANY = Array.from({ length: 2000 }, (_, index) => `conversation ${index}`);
const LAST = MANY.at(-1)!;

/** Topics as the runtime has them, and sockets that note what they hear. */
function build() {
  const topics = new Map<string, Set<{ heard: string[] }>>();
  const subscriptions = new Subscriptions(new Turns(), 0);
  const tell = (topic: string, text: string, but?: { heard: string[] }) => {
    for (const one of topics.get(topic) ?? []) if (one !== but) one.heard.push(text);
  };
  subscriptions.serveOn({ subscriberCount: (topic: string) => topics.get(topic)?.size ?? 0, publish: tell } as never);
  const connect = (ids = MANY, isPlain = false) => {
    const conversations = new Set(ids);
    const one = { heard: [] as string[] };
    const socket = {
      subscribe: (topic: string) => topics.set(topic, (topics.get(topic) ?? new Set()).add(one)),
      unsubscribe: (topic: string) => topics.get(topic)?.delete(one),
      isSubscribed: (topic: string) => topics.get(topic)?.has(one) === true,
      publish: (topic: string, text: string) => tell(topic, text, one),
    };
    const connection = {
      socket,
      isPlain,
      hears: (id: string) => conversations.has(id),
      sendText: (text: string) => one.heard.push(text),
    } as unknown as LocalSocket;
    subscriptions.open(connection, conversations);
    return { ...one, connection, conversations };
  };
  const subscribed = (topic: string) => topics.get(topic)?.size ?? 0;
  return { subscriptions, connect, subscribed };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(1);
}

test('a socket hears few conversations by their topics at once', () => {
  const { subscriptions, connect, subscribed } = build();
  const { heard } = connect(MANY.slice(0, 500));
  expect(MANY.slice(0, 500).every((id) => subscribed(id) === 1)).toBe(true);
  subscriptions.publish(MANY[0]!, 'v1', 'hello');
  expect(heard).toEqual(['hello']);
});

test('a socket hears every conversation once, from its first moment, also those that it is not given to yet', async () => {
  const { subscriptions, connect, subscribed } = build();
  const { heard } = connect();
  const ids = [MANY[0]!, LAST];
  expect(ids.map(subscribed)).toEqual([0, 0]);
  for (const id of ids) {
    expect(subscriptions.count(id, 'v1')).toBe(1);
    expect(subscriptions.count(id, 'plain')).toBe(0);
    subscriptions.publish(id, 'v1', `early in ${id}`);
    subscriptions.publish(id, 'plain', 'for others');
  }
  await until(() => subscribed(LAST) === 1);
  for (const id of ids) subscriptions.publish(id, 'v1', `late in ${id}`);
  expect(subscriptions.count(LAST, 'v1')).toBe(1);
  expect(heard).toEqual([...ids.map((id) => `early in ${id}`), ...ids.map((id) => `late in ${id}`)]);
});

test('a socket of plain mode hears what is published for its mode', async () => {
  const { subscriptions, connect, subscribed } = build();
  const { heard } = connect(MANY, true);
  const publish = () => {
    subscriptions.publish(LAST, 'v1', 'a frame');
    subscriptions.publish(LAST, 'plain', 'flat');
  };
  publish();
  await until(() => subscribed(`${LAST}/plain`) === 1);
  publish();
  expect(heard).toEqual(['flat', 'flat']);
});

test('what a socket says itself comes to those that are being opened, and not back to it', () => {
  const { subscriptions, connect } = build();
  const [one, other] = [connect(), connect()];
  subscriptions.publish(LAST, 'v1', 'hello', one.connection);
  expect([one.heard, other.heard]).toEqual([[], ['hello']]);
});

test('a conversation that its user leaves meanwhile it hears no more, and one that they come into once', async () => {
  const { subscriptions, connect, subscribed } = build();
  const { connection, conversations, heard } = connect();
  conversations.delete(LAST);
  subscriptions.remove(connection, LAST);
  conversations.add('new');
  subscriptions.add(connection, 'new');
  const publish = () => {
    for (const id of [LAST, 'new']) subscriptions.publish(id, 'v1', id);
  };
  publish();
  await until(() => subscribed(MANY.at(-2)!) === 1);
  publish();
  expect(heard).toEqual(['new', 'new']);
  expect(subscribed(LAST)).toBe(0);
});

test('a socket that is gone is given to nothing more', async () => {
  const { subscriptions, connect, subscribed } = build();
  const gone = connect();
  connect();
  subscriptions.close(gone.connection);
  subscriptions.publish(LAST, 'v1', 'for who is there');
  await until(() => subscribed(LAST) > 0);
  expect([subscribed(LAST), gone.heard]).toEqual([1, []]);
});
