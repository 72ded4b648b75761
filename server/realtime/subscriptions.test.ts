import { expect, test } from 'bun:test';
import type { LocalSocket } from './local-user.ts';
import { Subscriptions } from './subscriptions.ts';
import { Turns } from './turns.ts';

const TOPICS = Array.from({ length: 2000 }, (_, index) => `topic ${index}`);
const LAST = TOPICS.at(-1)!;

/** Topics as the runtime has them, and sockets that note what they hear. */
function build() {
  const topics = new Map<string, Set<{ heard: string[] }>>();
  const subscriptions = new Subscriptions(new Turns());
  const tell = (topic: string, text: string, but?: { heard: string[] }) => {
    for (const one of topics.get(topic) ?? []) if (one !== but) one.heard.push(text);
  };
  subscriptions.serveOn({ subscriberCount: (topic: string) => topics.get(topic)?.size ?? 0, publish: tell } as never);
  const connect = () => {
    const one = { heard: [] as string[] };
    const socket = {
      subscribe: (topic: string) => topics.set(topic, (topics.get(topic) ?? new Set()).add(one)),
      unsubscribe: (topic: string) => topics.get(topic)?.delete(one),
      publish: (topic: string, text: string) => tell(topic, text, one),
    };
    return {
      ...one,
      connection: { socket, sendText: (text: string) => one.heard.push(text) } as unknown as LocalSocket,
    };
  };
  const subscribed = (topic: string) => topics.get(topic)?.size ?? 0;
  return { subscriptions, connect, subscribed };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

test('a socket hears every topic once, from its first moment, also those that it is not given to yet', async () => {
  const { subscriptions, connect, subscribed } = build();
  const { connection, heard } = connect();
  subscriptions.open(connection, TOPICS);
  expect([subscribed(TOPICS[0]!), subscribed(LAST)]).toEqual([1, 0]);
  for (const topic of [TOPICS[0]!, LAST]) {
    expect(subscriptions.count(topic)).toBe(1);
    subscriptions.publish(topic, `early in ${topic}`);
  }
  await until(() => subscribed(LAST) === 1);
  subscriptions.publish(LAST, 'late');
  expect(subscriptions.count(LAST)).toBe(1);
  expect(heard).toEqual([`early in ${TOPICS[0]}`, `early in ${LAST}`, 'late']);
});

test('what a socket says itself comes to those that are being opened, and not back to it', () => {
  const { subscriptions, connect } = build();
  const [one, other] = [connect(), connect()];
  for (const { connection } of [one, other]) subscriptions.open(connection, TOPICS);
  subscriptions.publish(LAST, 'hello', one.connection);
  expect([one.heard, other.heard]).toEqual([[], ['hello']]);
});

test('a topic that it is taken from meanwhile it hears no more, and one that it is given to once', async () => {
  const { subscriptions, connect, subscribed } = build();
  const { connection, heard } = connect();
  subscriptions.open(connection, TOPICS);
  const [gone, given] = TOPICS.slice(-2) as [string, string];
  subscriptions.remove(connection, gone);
  subscriptions.add(connection, given);
  for (const topic of [gone, given]) subscriptions.publish(topic, topic);
  await until(() => subscribed(TOPICS.at(-3)!) === 1);
  await new Promise((resolve) => setImmediate(resolve));
  for (const topic of [gone, given]) subscriptions.publish(topic, topic);
  expect(heard).toEqual([given, given]);
});

test('a socket that is gone is given to nothing more', async () => {
  const { subscriptions, connect, subscribed } = build();
  const [{ connection, heard }, other] = [connect(), connect()];
  subscriptions.open(connection, TOPICS);
  subscriptions.close(connection);
  subscriptions.publish(LAST, 'nobody');
  subscriptions.open(other.connection, TOPICS);
  await until(() => subscribed(LAST) > 0);
  expect([subscribed(LAST), heard]).toEqual([1, []]);
});
