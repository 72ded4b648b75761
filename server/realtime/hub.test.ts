import { describe, expect, test } from 'bun:test';
import pino from 'pino';
import type { ServerFrame } from '../../protocol/events.ts';
import { MemoryBus } from '../bus/memory.ts';
import type { Change } from '../bus/news.ts';
import { publishChange } from '../chat/conversations/change-conversation.ts';
import { Hub } from './hub.ts';
import { Turns } from './turns.ts';

/** Ids are names here: the hub does not look into them. */
const GROUP = 'group';

/** A hub with sockets that only note what they hear, over a log that says when it answers. */
function build() {
  const log = pino({ level: 'silent' });
  const bus = new MemoryBus(log);
  const topics = new Map<string, Map<number, string[]>>();
  /** Who is in the group, and where it stands; which others they are in, and how often that was read. */
  const stored = {
    members: new Set<string>(),
    rev: 1,
    left: new Map<string, number>(),
    others: [] as string[],
    reads: 0,
  };
  const head = () => ({ id: GROUP, seq: 1, rev: stored.rev, marks_rev: 0 });
  let answering: Promise<void> | undefined;

  /** What is read is what is true now; the answer may be under way for a while. */
  const read = async <T>(answer: T): Promise<T> => {
    await answering;
    return answer;
  };
  const hub = new Hub({
    bus,
    log,
    turns: new Turns(),
    epoch: { current: 'epoch' },
    listHeads: (userId) => {
      stored.reads++;
      const others = stored.others.map((id) => ({ id, seq: 1, rev: 1, marks_rev: 0 }));
      return read(stored.members.has(userId) ? [...others, head()] : []);
    },
    findHead: (userId) => read(stored.members.has(userId) ? head() : undefined),
    changesSince: (_id, { since }) =>
      read({
        epoch: 'epoch',
        messages: [],
        participants: [...stored.left]
          .filter(([, rev]) => rev > since)
          .map(([id, rev]) => ({ id, rev, left: true }) as never),
        rev: stored.rev,
        marks_rev: 0,
        has_more: false,
      }),
    marksSince: async (_, marks_rev) => ({ marks: [], marks_rev, has_more: false }),
    usernameOf: async () => undefined,
  });
  hub.serveOn({
    subscriberCount: (topic: string) => topics.get(topic)?.size ?? 0,
    publish: (topic: string, text: string) => {
      for (const heard of topics.get(topic)?.values() ?? []) heard.push(text);
    },
  } as never);

  let key = 0;
  const connect = async (userId: string) => {
    const user = await hub.prepare(userId, userId);
    const own = ++key;
    const heard: string[] = [];
    const socket = {
      subscribe: (topic: string) => topics.set(topic, (topics.get(topic) ?? new Map()).set(own, heard)),
      unsubscribe: (topic: string) => topics.get(topic)?.delete(own),
      isSubscribed: (topic: string) => topics.get(topic)?.has(own) === true,
    };
    const hears = (id: string) => user.conversations.has(id);
    const sendText = (text: string) => heard.push(text);
    const send = (frame: ServerFrame) => sendText(JSON.stringify(frame));
    const options = { mode: 'v1', sessionId: 's' };
    const connection = { key: own, user, isPlain: false, options, socket, hears, send, sendText };
    hub.open(connection as never);
    return Object.assign(() => heard.map((text) => JSON.parse(text)), { close: () => hub.close(connection as never) });
  };

  const publish = (change: Omit<Change, 'frame'> & { frame: object }) => {
    publishChange(bus, GROUP, change as unknown as Change);
  };
  /** Somebody is removed on another node; returns what tells this one. */
  const removeElsewhere = (userId: string) => {
    stored.members.delete(userId);
    const rev = ++stored.rev;
    stored.left.set(userId, rev);
    return () => publish({ rev, left: [userId], frame: { event: 'participant.left', rev } });
  };
  return {
    hub,
    stored,
    connect,
    add(userId: string) {
      stored.members.add(userId);
      publish({ rev: ++stored.rev, joined: [userId], frame: { event: 'participant.joined', rev: stored.rev } });
    },
    removeElsewhere,
    remove: (userId: string) => removeElsewhere(userId)(),
    say(content: string) {
      publish({ rev: ++stored.rev, frame: { event: 'message', content, rev: stored.rev } });
    },
    type(username: string) {
      const signal = { event: 'typing', conversation_id: GROUP, username } as never;
      bus.publish(`conversation:${GROUP}`, { conversation_id: GROUP, signals: [signal] });
    },
    /** Holds back the answers of the log until the returned function is called. */
    holdAnswers() {
      const { promise, resolve } = Promise.withResolvers<void>();
      answering = promise;
      return () => {
        answering = undefined;
        resolve();
      };
    },
  };
}

const eventsOf = (frames: { event: string }[]) => frames.map(({ event }) => event);

describe('what the log makes good', () => {
  test('is told without what came by itself while it answered', async () => {
    const { hub, stored, connect, removeElsewhere, holdAnswers } = build();
    stored.members.add('alice');
    const alice = await connect('alice');
    const [bob, carol] = [removeElsewhere('bob'), removeElsewhere('carol')];
    removeElsewhere('dan'); // of which this node is never told
    const answer = holdAnswers();
    hub.heardOf(GROUP, stored.rev);
    bob();
    carol();
    answer();
    await Bun.sleep(0); // the answer is told
    expect(alice()).toMatchObject([
      { event: 'participant.left', rev: 2 },
      { event: 'participant.left', rev: 3 },
      { event: 'changes', since: 3, rev: 4, participants: [{ id: 'dan', rev: 4 }] },
    ]);
  });
});

describe('who is removed', () => {
  test('while the log is asked about their joining is not let in again by its late answer', async () => {
    const { hub, stored, connect, remove, say, holdAnswers } = build();
    stored.members.add('alice').add('mallory');
    await connect('alice');
    const mallory = await connect('mallory');
    const answer = holdAnswers();
    const joined = stored.rev;
    const checking = hub.checkMembership('mallory', GROUP, joined);
    await Bun.sleep(0); // asked by now
    remove('mallory');
    answer();
    await checking;
    say('between us');
    await hub.checkMembership('mallory', GROUP, stored.left.get('mallory')!);
    say('and later');
    expect(eventsOf(mallory())).toEqual(['participant.left']);
  });

  test('while it is read what they are in hears nothing of what follows, also where nobody else is here', async () => {
    const { stored, connect, remove, say, type, holdAnswers } = build();
    stored.members.add('mallory');
    const answer = holdAnswers();
    const connecting = connect('mallory');
    await Bun.sleep(0); // asked by now
    remove('mallory');
    answer();
    const mallory = await connecting;
    await Bun.sleep(0); // the removal has asked the log, and was answered
    type('alice');
    say('between us');
    expect(eventsOf(mallory()).filter((event) => event !== 'participant.left')).toEqual([]);
  });

  test('and comes back while the log is asked about their leaving stays', async () => {
    const { hub, stored, connect, add, remove, say, holdAnswers } = build();
    stored.members.add('alice').add('bob');
    await connect('alice');
    const bob = await connect('bob');
    remove('bob');
    const answer = holdAnswers();
    const checking = hub.checkMembership('bob', GROUP, stored.rev + 1);
    await Bun.sleep(0); // asked by now
    add('bob');
    answer();
    await checking;
    say('welcome back');
    expect(eventsOf(bob())).toEqual(['participant.left', 'participant.joined', 'message']);
  });
});

describe('who is in very many conversations', () => {
  function buildMany() {
    const hub = build();
    hub.stored.others = Array.from({ length: 2000 }, (_, index) => `other ${index}`);
    hub.stored.members.add('alice');
    return hub;
  }

  test('hears all of them from the first moment, each once', async () => {
    const { connect, say, hub } = buildMany();
    const alice = await connect('alice');
    say('at once');
    for (let turn = 0; turn < 20; turn++) await Bun.sleep(0);
    say('later');
    expect(alice()).toMatchObject([{ content: 'at once' }, { content: 'later' }]);
    alice.close();
    hub.stop();
  });

  test('misses nothing of what was said while they were being listened to', async () => {
    const { stored, connect, say, hub } = buildMany();
    const connecting = connect('alice');
    while (stored.reads === 0) await Promise.resolve();
    say('which is not listened to yet');
    const alice = await connecting;
    say('after it');
    expect(alice()).toMatchObject([{ event: 'message', content: 'after it', rev: 3 }]);
    alice.close();
    hub.stop();
  });

  test('is still known when they come back soon; others are read anew', async () => {
    const { stored, connect, say, hub } = buildMany();
    (await connect('alice')).close();
    expect(hub.userCount).toBe(0);
    const { reads } = stored;
    say('meanwhile');
    const alice = await connect('alice');
    say('later');
    expect(stored.reads).toBe(reads);
    expect(alice()).toMatchObject([{ content: 'later' }]);
    stored.others = [];
    stored.members.add('bob');
    (await connect('bob')).close();
    (await connect('bob')).close();
    expect(stored.reads).toBe(reads + 2);
    alice.close();
    hub.stop();
  });

  test('is read anew after a read that failed', async () => {
    const { stored, connect, hub } = buildMany();
    const others = stored.others;
    Object.defineProperty(stored, 'others', {
      configurable: true,
      get: () => {
        throw new Error('the database is away');
      },
    });
    await expect(connect('alice')).rejects.toThrow('away');
    Object.defineProperty(stored, 'others', { value: others });
    (await connect('alice')).close();
    hub.stop();
  });
});
