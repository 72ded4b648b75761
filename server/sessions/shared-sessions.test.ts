import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import pino from 'pino';
import { eventually } from '../../tests/support/eventually.ts';
import { canTestRedis, TestRedis } from '../../tests/support/redis.ts';
import { Redis } from '../redis/redis.ts';
import type { CheckedSession } from './model.ts';
import { SharedSessions } from './shared-sessions.ts';

describe.skipIf(!canTestRedis('sessions that nodes share'))('sessions that nodes share', () => {
  let server: TestRedis;
  let nodes: Redis[];
  let here: SharedSessions;
  let there: SharedSessions;

  beforeAll(async () => {
    server = await TestRedis.start();
    const config = { addr: server.addr, url: '', password: '', db: 0, prefix: 'sessions-test:' };
    const log = pino({ level: 'silent' });
    nodes = await Promise.all([Redis.connect(config, log), Redis.connect(config, log)]);
    [here, there] = nodes.map((redis) => new SharedSessions(redis)) as [SharedSessions, SharedSessions];
  });
  afterAll(async () => {
    for (const redis of nodes ?? []) redis.close();
    await server?.stop();
  });

  const session = (userId: string): CheckedSession => {
    return { userId, sessionId: Bun.randomUUIDv7(), username: 'alice', role: 'user', expiresAt: Date.now() + 60_000 };
  };
  /** All that a node asked of Redis before is done. */
  const done = (node: number) => nodes[node]!.check();

  test('are found by the others, for the time from the first of a user on', async () => {
    const one = session('alice');
    here.keep(one, 5000);
    await done(0);
    const found = await there.find('alice', one.sessionId);
    expect(found?.session).toEqual(one);
    expect(found?.believedMs).toBeWithin(1, 5001);
    expect(await there.find('alice', session('alice').sessionId)).toBeUndefined();
  });

  test('are not shared again by a node that read one just before it ended', async () => {
    const one = session('bob');
    here.keep(one, 5000);
    await done(0);
    there.forget('bob', 300);
    await done(1);
    here.keep(one, 5000);
    await done(0);
    expect(await there.find('bob', one.sessionId)).toBeUndefined();
    // What is read a while later is.
    const next = session('bob');
    await eventually('they are shared again', async () => {
      here.keep(next, 5000);
      return (await there.find('bob', next.sessionId))?.session.sessionId === next.sessionId;
    });
  });

  test('do not concern other users', async () => {
    const one = session('carol');
    here.keep(one, 5000);
    await done(0);
    there.forget('dan', 5000);
    await done(1);
    expect((await there.find('carol', one.sessionId))?.session).toEqual(one);
  });
});
