import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createClient } from 'redis';
import { OFFLINE_AFTER_MS } from '../../protocol/limits.ts';
import { findFaketime } from '../chaos/cluster/stage.ts';
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
    [postgres, redis] = await Promise.all([TestPostgres.start(), TestRedis.start()]);
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

  test.skipIf(!findFaketime())(
    'the clocks of nodes need not agree: one is an hour behind, and both hear each other at once',
    async () => {
      const slow = await startNode({ LD_PRELOAD: findFaketime()!, FAKETIME: '-1h', FAKETIME_DONT_FAKE_MONOTONIC: '1' });
      // Its tokens are of an hour ago.
      const [alice, bob] = await signUpAll(one, 'alice', 'bob');
      const conversation = await alice.direct(bob);
      const [near, far] = [await alice.connect(), await at(slow, bob).connect()];
      const heard = far.next(saying('to the past'));
      await near.say(conversation, 'to the past');
      expect(await timed(heard)).toBeLessThan(LIVE_MS);
      const back = near.next(saying('from the past'));
      await far.say(conversation, 'from the past');
      expect(await timed(back)).toBeLessThan(LIVE_MS);
      for (const node of [one, slow]) {
        expect(await metric(node, 'parley_redis_refused_total{found="publication",reason="late"}').catch(() => 0)).toBe(
          0,
        );
      }
      await slow.stop();
    },
  );

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

    // Whatever somebody puts in the place of the counts: they begin anew, and end when they should.
    const operator = createClient({ url: redis.operatorUrl });
    await operator.connect();
    const keys = (await operator.keys('parley:limit:login*')).sort();
    // Of the address, of the account there, and of the account wherever it is tried.
    expect(keys).toHaveLength(3);
    const login = () => request(first, 'POST', '/auth/login', { body });
    const puts: ((key: string) => Promise<unknown>)[] = [
      (key) => operator.set(key, 'garbage'),
      (key) => operator.hSet(key, 'garbage', '1'),
      (key) => operator.set(key, '9223372036854775807'),
    ];
    for (const put of puts) {
      for (const key of keys) {
        await operator.del(key);
        await put(key);
      }
      expect((await login()).status).toBe(401);
    }
    for (const key of keys) await operator.set(key, '1000000', { EX: 31_536_000 });
    const late = await login();
    expect([late.status, Number(late.headers.get('retry-after')) <= 300]).toEqual([429, true]);
    operator.destroy();
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
    const stranger = createClient({ url: redis.operatorUrl });
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

  describe('whoever can write in their Redis, and knows no secret of theirs,', () => {
    let stranger: ReturnType<typeof createClient>;

    beforeAll(async () => {
      stranger = createClient({ url: redis.operatorUrl });
      stranger.on('error', () => {});
      await stranger.connect();
    });
    afterAll(() => stranger?.destroy());

    const refused = (node: TestServer, found: string, reason: string) =>
      // Of what did not happen there is no number yet.
      metric(node, `parley_redis_refused_total{found="${found}",reason="${reason}"}`).catch(() => 0);

    /** What is published on these channels from now on, as it goes through Redis. */
    async function overhear(pattern: string) {
      const heard: { channel: string; text: string }[] = [];
      const listener = stranger.duplicate();
      listener.on('error', () => {});
      await listener.connect();
      await listener.pSubscribe(pattern, (text, channel) => heard.push({ channel, text }));
      return { heard, end: () => listener.destroy() };
    }

    test('shows nobody a message, and takes the place of none', async () => {
      const { alice, bob, conversation } = await pair();
      const [speaking, listening] = [await alice.connect(), await bob.connect()];
      const plain = await bob.connectPlain();
      const { heard, end } = await overhear(`parley:conversation:${conversation}`);
      await speaking.say(conversation, 'the first');
      await listening.next(saying('the first'));
      await eventually('overheard', async () => heard.length > 0);
      const [{ channel, text }] = heard as [(typeof heard)[0]];
      const news = JSON.parse(text.slice(text.indexOf('{')));
      const head = text.slice(0, text.indexOf('{'));
      const [change] = news.changes;
      const forged = structuredClone(news);
      forged.changes[0].rev = forged.changes[0].frame.rev = forged.changes[0].plain.rev = change.rev + 1;
      forged.changes[0].seq = forged.changes[0].frame.seq = forged.changes[0].plain.seq = change.seq + 1;
      forged.changes[0].frame.content = forged.changes[0].plain.content = 'FORGED';
      const later = String(Number(head.slice(8, 24)) + 1_000_000).padStart(16, '0');
      const before = await refused(two, 'publication', 'forged');
      for (const publication of [
        head + JSON.stringify(forged),
        head.slice(0, 8) + later + head.slice(24) + JSON.stringify(forged),
        `stranger${head.slice(8)}${JSON.stringify(forged)}`,
        `stranger${JSON.stringify(forged)}`,
        JSON.stringify(forged),
        head.slice(0, 8) + later + head.slice(24) + text.slice(head.length),
      ]) {
        await stranger.publish(channel, publication);
      }
      await speaking.say(conversation, 'the second');
      expect(await listening.next(saying('the second'))).toMatchObject({ rev: change.rev + 1 });
      await plain.next(saying('the second'));
      expect(JSON.stringify([listening.frames, plain.frames])).not.toContain('FORGED');
      expect((await refused(two, 'publication', 'forged')) - before).toBe(6);
      end();
    });

    test('makes no news of what was said before: neither there, nor on another channel', async () => {
      const { alice, bob, conversation } = await pair();
      const other = await alice.direct(await signUp(one, 'carol'));
      const [speaking, listening] = [await alice.connect(), await bob.connect()];
      const { heard, end } = await overhear(`parley:conversation:*`);
      await speaking.send({ event: 'typing', conversation_id: conversation, active: true });
      await listening.next('typing');
      await speaking.say(other, 'for carol alone');
      await eventually('overheard', async () => heard.length >= 2);
      listening.forget();
      const repeated = await refused(two, 'publication', 'repeated');
      const moved = await refused(two, 'publication', 'forged');
      const typing = heard.find(({ channel }) => channel.endsWith(conversation))!;
      const elsewhere = heard.find(({ channel }) => channel.endsWith(other))!;
      for (let count = 0; count < 10; count++) await stranger.publish(typing.channel, typing.text);
      await stranger.publish(typing.channel, elsewhere.text);
      await speaking.say(conversation, 'go on');
      await listening.next(saying('go on'));
      // That of the typing's end is real.
      expect(listening.all('typing').filter(({ active }) => active)).toEqual([]);
      expect(JSON.stringify(listening.frames)).not.toContain('for carol');
      expect((await refused(two, 'publication', 'repeated')) - repeated).toBe(10);
      expect((await refused(two, 'publication', 'forged')) - moved).toBe(1);
      end();
    });

    test('lets nobody back into a group', async () => {
      const [alice, bob] = await signUpAll(one, 'alice', 'bob');
      const { heard, end } = await overhear(`parley:user:${bob.id}`);
      const group = await alice.group([bob], 'a group');
      await eventually('overheard', async () => heard.length > 0);
      await alice.call('DELETE', `/conversations/${group}/participants/${bob.id}`);
      // The other node has heard nothing of it: nobody there was in it.
      await Bun.sleep(5000); // FRESH_MS: until then a node that was not there may take it for new
      const listening = await at(two, bob).connect();
      for (const { channel, text } of heard) await stranger.publish(channel, text);
      await alice.send(group, 'without bob');
      const conversation = await alice.direct(bob);
      const marker = listening.next(saying('a marker'));
      await alice.send(conversation, 'a marker');
      await marker;
      expect(JSON.stringify(listening.frames)).not.toContain(group);
      expect(await refused(two, 'publication', 'late')).toBeGreaterThan(0);
      end();
    });

    test('revives no session, makes none, and gives nobody another role or name', async () => {
      const alice = await signUp(one, 'alice');
      const there = at(two, alice);
      expect((await there.call('GET', '/auth/me')).status).toBe(200);
      const key = `parley:sessions:${alice.id}`;
      await eventually('shared', async () => (await stranger.hLen(key)) > 0);
      const entries = Object.entries(await stranger.hGetAll(key));
      const [[sessionId, entry]] = entries as [[string, string]];
      await alice.call('POST', '/auth/logout');
      const putBack = async (text: string) => {
        await stranger.del(key);
        await stranger.hSet(key, sessionId, text);
      };
      const found = JSON.parse(entry.slice(entry.indexOf('{')));
      found.session.role = 'admin';
      found.asked_at += 3_600_000;
      // By then what was found before the session ended is believed by nobody, put back or not.
      const deadline = Date.now() + 5000;
      while (Date.now() < deadline) {
        await putBack(entry);
        await Bun.sleep(100);
      }
      for (const text of [entry, entry.slice(0, 22) + JSON.stringify(found), JSON.stringify(found.session)]) {
        for (const node of [one, two]) {
          await putBack(text);
          expect((await request(node, 'GET', '/auth/me', { token: alice.tokens.access_token })).status).toBe(401);
        }
      }
      expect(await refused(two, 'session', 'forged')).toBeGreaterThan(0);
    });

    test('stops nothing by what is of the wrong kind, has no end, or names nobody', async () => {
      const { alice, bob } = await pair();
      const before = await alice.connect();
      const users = [alice.id, bob.id];
      const nodes = await stranger.sMembers('parley:nodes');
      const huge = 'x'.repeat(7 * 1024 * 1024);
      const many = Array.from({ length: 20_000 }, (_, index) => `nobody ${index}`);
      type Steps = ReturnType<typeof stranger.multi>;
      const poison: [string, (steps: Steps) => Steps][] = [];
      for (const name of [
        'nodes',
        'events',
        'events:behind:webhooks',
        ...nodes.map((node) => `node-users:${node}`),
        ...users.flatMap((id) => [`here:${id}`, `sessions:${id}`, `limit:messages:${id}`]),
      ]) {
        const key = `parley:${name}`;
        poison.push([key, (steps) => steps.set(key, huge)]);
        poison.push([key, (steps) => steps.rPush(key, 'garbage')]);
        poison.push([key, (steps) => steps.sAdd(key, many)]);
        poison.push([key, (steps) => steps.hSet(key, Object.fromEntries(many.map((one) => [one, 'x'])))]);
        poison.push([key, (steps) => steps.hSet(key, { status: huge, somewhere: '1' })]);
      }
      for (let round = 0; round < 5; round++) {
        for (const [key, put] of poison.filter((_, index) => index % 5 === round)) {
          // At one go: nodes write what is theirs at any moment.
          await put(stranger.multi().del(key)).exec();
        }
        await stranger.publish('parley:accounts', huge);
        await stranger.publish(`parley:user:${bob.id}`, huge);
        const listening = await bob.connect();
        const fresh = await at(two, alice).direct(await signUp(one, 'dave'));
        await alice.send(fresh, 'is anybody there');
        listening.send({ event: 'presence.watch', user_ids: [alice.id] });
        const seen = await listening.next('presence');
        expect(['online', 'offline', 'away', 'dnd']).toContain(String(seen.status));
        const conversation = await alice.direct(bob);
        const heard = listening.next(saying(`round ${round}`));
        await before.say(conversation, `round ${round}`);
        expect(await timed(heard)).toBeLessThan(REPAIRED_MS);
        expect((await bob.call('GET', '/auth/me')).status).toBe(200);
        expect((await at(one, bob).call('GET', '/auth/me')).status).toBe(200);
        await listening.close();
      }
      // The nodes say again that they are there.
      await eventually('the list of nodes is whole again', async () => {
        const type = await stranger.type('parley:nodes');
        const listed = type === 'set' ? await stranger.sMembers('parley:nodes') : [];
        return nodes.every((node) => listed.includes(node));
      });
      for (const node of [one, two]) {
        expect((await request(node, 'GET', '/health/ready')).body.status).toBe('ok');
        expect(JSON.stringify(node.lines)).not.toContain('xxxxxxxx');
      }
      expect(await refused(two, 'publication', 'oversized')).toBeGreaterThan(0);
      await stranger.flushAll();
    });

    test('is somebody else than a node: what a node does there, its own user may do', async () => {
      expect(await stranger.aclLog()).toEqual([]);
      const node = createClient({ url: redis.url });
      node.on('error', () => {});
      await node.connect();
      for (const command of [
        ['FLUSHALL'],
        ['KEYS', '*'],
        ['CONFIG', 'GET', '*'],
        ['ACL', 'LIST'],
        ['MONITOR'],
        ['CLIENT', 'LIST'],
        ['SCRIPT', 'FLUSH'],
        ['GET', 'another:key'],
        ['EVAL', "return redis.call('GET', KEYS[1])", '1', 'another:key'],
        ['PUBLISH', 'another:channel', 'text'],
        ['SHUTDOWN'],
      ]) {
        expect([command, await node.sendCommand(command).catch((error) => error.message)]).toEqual([
          command,
          expect.stringMatching(/^NOPERM|can't access|no permissions/i),
        ]);
      }
      node.destroy();
      const nobody = createClient({ url: `redis://${redis.addr}`, socket: { reconnectStrategy: false } });
      nobody.on('error', () => {});
      await expect(nobody.connect()).rejects.toThrow(/^NOAUTH/);
    });
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
