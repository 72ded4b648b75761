import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import pino from 'pino';
import { eventually } from '../../tests/support/eventually.ts';
import { canTestRedis, TestRedis } from '../../tests/support/redis.ts';
import { Redis, type RedisClient } from '../redis/redis.ts';
import type { CheckedSession } from './model.ts';
import { SharedSessions } from './shared-sessions.ts';

const BELIEVED_MS = 5000;
const PREFIX = 'sessions-test:';
const OLD = 'a secret that is being rotated out';
const NEW = 'the secret that these nodes share';

describe.skipIf(!canTestRedis('sessions that nodes share'))('sessions that nodes share', () => {
  let server: TestRedis;
  const nodes: Redis[] = [];
  let here: SharedSessions;
  let there: SharedSessions;
  /** Whoever else has a way into this Redis. */
  let stranger: RedisClient;
  /** By how much the shared clock has gone on, in milliseconds. */
  let later = 0;
  const refused: string[] = [];

  beforeAll(async () => {
    server = await TestRedis.start({ password: '' });
    here = (await node(NEW)).sessions;
    there = (await node(NEW)).sessions;
    stranger = (await node('another secret', '')).redis.commands;
  });
  afterAll(async () => {
    for (const redis of nodes) redis.close();
    await server?.stop();
  });

  async function node(current: string, prefix = PREFIX, previous = '') {
    const config = { addr: server.addr, url: '', username: '', password: '', db: 0, prefix };
    const trust = { secrets: { current, previous }, clock: { now: () => Date.now() + later } };
    const redis = await Redis.connect(config, trust, pino({ level: 'silent' }));
    redis.onRefusal((found, reason) => refused.push(`${found} ${reason}`));
    nodes.push(redis);
    return { redis, sessions: new SharedSessions(redis, BELIEVED_MS) };
  }

  const session = (userId: string): CheckedSession => {
    return { userId, sessionId: Bun.randomUUIDv7(), username: 'alice', role: 'user', expiresAt: Date.now() + 60_000 };
  };
  const keep = (one: CheckedSession, node = here) => node.keep(one, node.now());
  /** All that a node asked of Redis before is done. */
  const done = (node: number) => nodes[node]!.check();
  const keyOf = (userId: string) => `${PREFIX}sessions:${userId}`;

  test('are found by the others, for the time from the look at the database on', async () => {
    const one = session('alice');
    const askedAt = here.now() - 1000;
    here.keep(one, askedAt);
    await done(0);
    const found = await there.find('alice', one.sessionId);
    expect(found?.session).toEqual(one);
    expect(found?.believedMs).toBeWithin(1, 4001);
    expect(await there.find('alice', session('alice').sessionId)).toBeUndefined();
  });

  test('are not shared again by a node that read one just before it ended', async () => {
    const brief = new SharedSessions(nodes[1]!, 300);
    const one = session('bob');
    keep(one);
    await done(0);
    brief.forget('bob');
    await done(1);
    keep(one);
    await done(0);
    expect(await there.find('bob', one.sessionId)).toBeUndefined();
    // What is read a while later is.
    const next = session('bob');
    await eventually('they are shared again', async () => {
      keep(next);
      return (await there.find('bob', next.sessionId))?.session.sessionId === next.sessionId;
    });
  });

  test('do not concern other users', async () => {
    const one = session('carol');
    keep(one);
    await done(0);
    there.forget('dan');
    await done(1);
    expect((await there.find('carol', one.sessionId))?.session).toEqual(one);
  });

  test('are of this installation alone: one that somebody else made is not believed', async () => {
    const one = session('eve');
    const text = JSON.stringify({ session: { ...one, role: 'admin' }, asked_at: Date.now() });
    const { sessions: foreign } = await node('another secret');
    for (const forge of [
      () => stranger.hSet(keyOf('eve'), one.sessionId, JSON.stringify(one)),
      () => stranger.hSet(keyOf('eve'), one.sessionId, 'A'.repeat(22) + text),
      () => stranger.hSet(keyOf('eve'), one.sessionId, `${'é'.repeat(22)}${text}`),
      () => stranger.hSet(keyOf('eve'), one.sessionId, ''),
      () => stranger.hSet(keyOf('eve'), one.sessionId, 'short'),
      async () => {
        foreign.keep(one, foreign.now());
        await nodes.at(-1)!.check();
      },
    ]) {
      await stranger.del(keyOf('eve'));
      await forge();
      expect(await there.find('eve', one.sessionId)).toBeUndefined();
    }
    expect(refused.filter((line) => line === 'session forged')).toHaveLength(5); // an empty entry is none
  });

  test('hold for their own user and session alone, wherever somebody copies them', async () => {
    const [one, other] = [session('frank'), session('grace')];
    keep(one);
    await done(0);
    const entry = (await stranger.hGet(keyOf('frank'), one.sessionId))!;
    const second = Bun.randomUUIDv7();
    await stranger.hSet(keyOf('frank'), second, entry);
    await stranger.hSet(keyOf('grace'), { [one.sessionId]: entry, [other.sessionId]: entry });
    await stranger.hSet('another-prefix:sessions:frank', one.sessionId, entry);
    expect(await there.find('frank', second)).toBeUndefined();
    expect(await there.find('grace', one.sessionId)).toBeUndefined();
    expect(await there.find('grace', other.sessionId)).toBeUndefined();
    const { sessions: elsewhere } = await node(NEW, 'another-prefix:');
    expect(await elsewhere.find('frank', one.sessionId)).toBeUndefined();
    // Where they were put they hold.
    expect((await there.find('frank', one.sessionId))?.session).toEqual(one);
  });

  test('that ended are not brought back: an entry of before says how old it is, whatever Redis says', async () => {
    const one = session('heidi');
    keep(one);
    await done(0);
    const entry = (await stranger.hGet(keyOf('heidi'), one.sessionId))!;
    there.forget('heidi');
    await done(1);
    await stranger.del(keyOf('heidi'));
    await stranger.hSet(keyOf('heidi'), one.sessionId, entry);
    expect((await there.find('heidi', one.sessionId))?.believedMs).toBeWithin(1, BELIEVED_MS + 1);
    later = BELIEVED_MS;
    try {
      expect(await there.find('heidi', one.sessionId)).toBeUndefined();
    } finally {
      later = 0;
    }
  });

  test('are known while the secret is being rotated, by the one before it', async () => {
    const { sessions: before, redis } = await node(OLD);
    const { sessions: between } = await node(NEW, PREFIX, OLD);
    const one = session('ivan');
    keep(one, before);
    await redis.check();
    expect((await between.find('ivan', one.sessionId))?.session).toEqual(one);
    expect(await there.find('ivan', one.sessionId)).toBeUndefined();
  });

  test('are a miss where something else stands in their place, and are shared again', async () => {
    const one = session('judy');
    await stranger.set(keyOf('judy'), 'no hash');
    expect(await there.find('judy', one.sessionId)).toBeUndefined();
    keep(one);
    await done(0);
    expect((await there.find('judy', one.sessionId))?.session).toEqual(one);
    await stranger.hSet(keyOf('judy'), one.sessionId, 'x'.repeat(1_000_000));
    expect(await there.find('judy', one.sessionId)).toBeUndefined();
    expect(refused.at(-1)).toBe('session oversized');
  });
});
