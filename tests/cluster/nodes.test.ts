import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createClient } from 'redis';
import { OFFLINE_AFTER_MS } from '../../protocol/limits.ts';
import { eventually } from '../support/eventually.ts';
import { metric } from '../support/metrics.ts';
import { Person, request, signUp, signUpAll } from '../support/people.ts';
import { canTestPostgres, TestPostgres } from '../support/postgres.ts';
import { canTestRedis, TestRedis } from '../support/redis.ts';
import { type Environment, endServers, startServer, type TestServer } from '../support/server.ts';
import type { Frame } from '../support/socket.ts';

setDefaultTimeout(60_000);

/** What was not heard through Redis is made good within this, in milliseconds (PROTOCOL.md §7.5). */
const REPAIRED_MS = 5000;
/** What was heard through Redis is far below what the outbox takes, in milliseconds. */
const LIVE_MS = 1500;
/** Until a node that died is found dead, and its users gone. */
const BURIED_MS = 25_000;

const SECRET = 'the secret that all nodes of these tests share';
/** A frame that brings a message, by itself or among the changes that make it good. */
const saying = (content: string) => (frame: Frame) =>
  frame.content === content || frame.messages?.some((message: Frame) => message.content === content);

const canTest = [canTestPostgres('several nodes'), canTestRedis('several nodes')].every(Boolean);

describe.skipIf(!canTest)('several nodes', () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  let database: string;
  let one: TestServer;
  let two: TestServer;

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([TestPostgres.start(), TestRedis.start({ password: 'redis password' })]);
    database = await postgres.createDatabase();
    // Both at once, over an empty database: one of them makes the tables.
    [one, two] = await Promise.all([startNode(), startNode()]);
  });
  afterAll(async () => {
    await endServers();
    await Promise.all([redis?.stop(), postgres?.stop()]);
  });

  function startNode(env: Environment = {}): Promise<TestServer> {
    return startServer({ DATABASE_URL: database, JWT_SECRET: SECRET, ...redis.environment(), ...env });
  }

  /** The same person at another node. */
  const at = (node: TestServer, { user, tokens, password }: Person) => new Person(node, user, tokens, password);

  /** A pair who sit at different nodes, with a conversation. */
  async function pair() {
    const [alice, bob] = await signUpAll(one, 'alice', 'bob');
    return { alice, bob: at(two, bob), conversation: await alice.direct(bob) };
  }

  /** For how many milliseconds something takes. */
  async function timed(work: Promise<unknown>): Promise<number> {
    const started = performance.now();
    await work;
    return performance.now() - started;
  }

  test('what is said at one node is heard at the other at once, also in a conversation that just began', async () => {
    const [alice, bob] = await signUpAll(one, 'alice', 'bob');
    const listening = await at(two, bob).connect();
    const speaking = await alice.connect();
    const conversation = await alice.direct(bob);
    const heard = listening.next(saying('from one to two'));
    await speaking.say(conversation, 'from one to two');
    expect(await timed(heard)).toBeLessThan(LIVE_MS);
    const back = speaking.next(saying('and back'));
    await listening.say(conversation, 'and back');
    expect(await timed(back)).toBeLessThan(LIVE_MS);
  });

  test('a session that is ended at one node ends at the other: its requests and its sockets', async () => {
    const alice = await signUp(one, 'alice');
    const there = at(two, alice);
    const socket = await there.connect();
    expect((await there.call('GET', '/auth/me')).status).toBe(200);
    await alice.call('POST', '/auth/logout');
    expect((await socket.closed).code).toBe(4401);
    await eventually('refused', async () => (await there.call('GET', '/auth/me')).status === 401);
  });

  test('a limit counts at all nodes together', async () => {
    const limits = { RATE_LIMITS: 'on', LIMIT_LOGIN_ACCOUNT: '4/5m', LIMIT_REGISTER: '100/1h', TRUST_PROXY: '' };
    const [first, second] = await Promise.all([startNode(limits), startNode(limits)]);
    const alice = await signUp(first, 'alice');
    const body = { email: alice.user.email, password: 'not the password' };
    const tries: number[] = [];
    for (let count = 0; count < 6; count++) {
      const { status } = await request(count % 2 === 0 ? first : second, 'POST', '/auth/login', { body });
      tries.push(status);
    }
    expect(tries).toEqual([401, 401, 401, 401, 429, 429]);
  });

  describe('presence', () => {
    test.concurrent('is seen across nodes: online while a device is, on whichever node, as chosen for all of them', async () => {
      const { alice, bob } = await pair();
      const watching = await bob.connect();
      watching.send({ event: 'presence.watch', user_ids: [alice.id] });
      expect(await watching.next('presence')).toMatchObject({ user_id: alice.id, status: 'offline' });
      const laptop = await alice.connect();
      expect(await watching.next('presence')).toMatchObject({ user_id: alice.id, status: 'online' });
      laptop.send({ event: 'presence.set', status: 'dnd' });
      expect(await watching.next('presence')).toMatchObject({ status: 'dnd' });
      // Another device, at the other node: no news, and none when the first goes.
      const phone = await at(two, alice).connect();
      await laptop.close();
      const late = await bob.connect();
      late.send({ event: 'presence.watch', user_ids: [alice.id] });
      expect(await late.next('presence')).toMatchObject({ status: 'dnd' });
      await Bun.sleep(OFFLINE_AFTER_MS + 1000);
      await watching.settle();
      expect(watching.all('presence')).toHaveLength(3);
      await phone.close();
      await Bun.sleep(OFFLINE_AFTER_MS - 1000);
      expect(await eventually('gone', async () => watching.all('presence')[3])).toMatchObject({ status: 'offline' });
    }, 60_000);

    test.concurrent('of those on a node that was killed ends by itself', async () => {
      const third = await startNode();
      const { alice, bob } = await pair();
      await at(third, alice).connect();
      const watching = await bob.connect();
      watching.send({ event: 'presence.watch', user_ids: [alice.id] });
      // The other node may be asked a moment before it is told.
      await watching.next(({ event, status }) => event === 'presence' && status === 'online');
      await third.kill();
      const told = () => watching.all('presence').at(-1)!;
      const deadline = Date.now() + BURIED_MS;
      while (told().status !== 'offline' && Date.now() < deadline) await Bun.sleep(100);
      expect(told()).toMatchObject({ user_id: alice.id, status: 'offline' });
      expect(told().last_seen_at).toBeGreaterThan(Date.now() - 60_000);
    }, 60_000);
  });

  describe('without Redis', () => {
    test('messages are taken and heard at the node itself, at the other within 5 s; then all is as before', async () => {
      const { alice, bob, conversation } = await pair();
      const [speaking, listening] = [await alice.connect(), await bob.connect()];
      const near = await alice.connect();
      await redis.kill();
      const heardNear = near.next(saying('in the dark'));
      const heardFar = listening.next(saying('in the dark'));
      await speaking.say(conversation, 'in the dark');
      expect(await timed(heardNear)).toBeLessThan(LIVE_MS);
      expect(await timed(heardFar)).toBeLessThan(REPAIRED_MS);
      const ready = await request(one, 'GET', '/health/ready');
      expect(ready).toMatchObject({
        status: 200,
        body: { status: 'degraded', checks: { database: 'ok', redis: 'failed' } },
      });
      expect(await metric(one, 'parley_redis_up')).toBe(0);
      expect(await metric(one, 'parley_bus_dropped_total')).toBeGreaterThan(0);
      expect(await metric(one, 'parley_bus_published_total')).toBeGreaterThan(0);
      await alice.call('POST', '/auth/logout');
      expect((await speaking.closed).code).toBe(4401);

      await redis.restart();
      await eventually('ready', async () => (await request(one, 'GET', '/health/ready')).body.status === 'ok');
      await eventually('ready', async () => (await request(two, 'GET', '/health/ready')).body.status === 'ok');
      const after = await pair();
      const [again, there] = [await after.alice.connect(), await after.bob.connect()];
      const heard = there.next(saying('light'));
      await again.say(after.conversation, 'light');
      expect(await timed(heard)).toBeLessThan(LIVE_MS);
    });

    test('presence is put right once Redis is back: who left meanwhile, who came, and nobody else', async () => {
      const [bob, left, came, stayed] = await signUpAll(one, 'bob', 'left', 'came', 'stayed');
      for (const other of [left, came, stayed]) await bob.direct(other);
      const [leaving] = [await left.connect(), await stayed.connect()];
      const watching = await at(two, bob).connect();
      const of = ({ id }: Person) => watching.all(({ user_id }) => user_id === id).map(({ status }) => status);
      watching.send({ event: 'presence.watch', user_ids: [left.id, came.id, stayed.id] });
      await eventually('told', async () => watching.all('presence').length === 3);
      expect([of(left), of(came), of(stayed)]).toEqual([['online'], ['offline'], ['online']]);

      await redis.kill();
      await leaving.close();
      await came.connect();
      await Bun.sleep(OFFLINE_AFTER_MS + 500); // until who left is gone
      expect([of(left), of(came)]).toEqual([['online'], ['offline']]);
      await redis.restart();
      await eventually('put right', async () => of(left).length === 2 && of(came).length === 2);
      await Bun.sleep(1000);
      expect([of(left), of(came), of(stayed)]).toEqual([['online', 'offline'], ['offline', 'online'], ['online']]);
    });
  });

  test('who else publishes in this Redis tells nobody anything, and stops nothing', async () => {
    const { alice, bob, conversation } = await pair();
    const [speaking, listening] = [await alice.connect(), await bob.connect()];
    listening.send({ event: 'presence.watch', user_ids: [alice.id] });
    await listening.next('presence');
    listening.forget();
    const stranger = createClient({ url: `redis://:${encodeURIComponent('redis password')}@${redis.addr}` });
    await stranger.connect();
    const said = (news: unknown) => `stranger${JSON.stringify(news)}`;
    const frame = { event: 'message', conversation_id: conversation, rev: 99, content: 'GARBAGE' };
    const rev = Number.MAX_SAFE_INTEGER + 1;
    for (const channel of [`conversation:${conversation}`, `user:${bob.id}`, `presence:${alice.id}`, 'accounts']) {
      for (const text of [
        '',
        'GARBAGE',
        'stranger{"GARBAGE":',
        '\0'.repeat(1000),
        said(null),
        said(['GARBAGE']),
        said({ conversation_id: conversation, changes: 'GARBAGE' }),
        said({ conversation_id: conversation, changes: [null, { rev: 'GARBAGE', frame }] }),
        said({ conversation_id: conversation, changes: [{ rev, frame }] }),
        said({ conversation_id: conversation, changes: [{ rev: 1e6 }] }),
        said({ conversation_id: conversation, signals: ['GARBAGE'] }),
        said({ conversation_id: crypto.randomUUID(), changes: [{ rev: 3, frame }] }),
        said({ kind: 'joining', conversation_id: conversation, rev: 'GARBAGE' }),
        said({ user_id: alice.id, status: 'GARBAGE' }),
        said({ user_id: bob.id, status: 'dnd' }),
        said({ kind: 'sessions_ended', user_id: bob.id, session_ids: 'GARBAGE' }),
        said({ kind: 'GARBAGE', user_id: bob.id }),
      ]) {
        await stranger.publish(`parley:${channel}`, text);
      }
    }
    stranger.destroy();
    const heard = listening.next(saying('still here'));
    await speaking.say(conversation, 'still here');
    expect(await timed(heard)).toBeLessThan(LIVE_MS);
    expect(listening.frames).toEqual([await heard]);
    for (const node of [one, two]) expect(JSON.stringify(node.lines) + node.errors).not.toContain('GARBAGE');
  });

  test('nodes with a role each work as one', async () => {
    const [api, realtime] = await Promise.all([startNode({ ROLES: 'api' }), startNode({ ROLES: 'realtime,worker' })]);
    const [alice, bob] = await signUpAll(api, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    const listening = await at(realtime, bob).connect();
    const heard = listening.next(saying('through both'));
    await alice.send(conversation, 'through both');
    expect(await timed(heard)).toBeLessThan(LIVE_MS);
  });
});
