import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createClient } from 'redis';
import type { Message } from '../../protocol/resources.ts';
import { FAULTY_SERVER } from '../chaos/model/host.ts';
import { scrape } from '../support/metrics.ts';
import { type Person, signUp, signUpAll } from '../support/people.ts';
import { canTestPostgres, TestPostgres } from '../support/postgres.ts';
import { Receiver } from '../support/receiver.ts';
import { canTestRedis, TestRedis } from '../support/redis.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(90_000);

/** A lease that was lost with its worker ends within 7 s, and what a dead worker was given is taken over within 15 s. */
const RECOVERED_MS = 45_000;

const canTest = [canTestPostgres('workers on several nodes'), canTestRedis('workers on several nodes')].every(Boolean);

/** Waits longer than for what happens at once. */
async function until(what: string, look: () => boolean): Promise<void> {
  const deadline = performance.now() + RECOVERED_MS;
  while (!look()) {
    if (performance.now() > deadline) throw new Error(`in ${RECOVERED_MS} ms not: ${what}`);
    await Bun.sleep(20);
  }
}

async function untilAsync(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + RECOVERED_MS;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`in ${RECOVERED_MS} ms not: ${what}`);
    await Bun.sleep(50);
  }
}

describe.skipIf(!canTest)('workers on several nodes', () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  let receiver: Receiver;
  /** Consumers beside webhooks: each is told of everything. */
  let second: Receiver;
  let relaxed: Receiver;
  let api: TestServer;
  let workers: TestServer[];

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([TestPostgres.start(), TestRedis.start()]);
    [receiver, second, relaxed] = await Promise.all([Receiver.open(), Receiver.open(), Receiver.open()]);
    const env = {
      DATABASE_URL: await postgres.createDatabase(),
      JWT_SECRET: 'the secret that all nodes of these tests share',
      WEBHOOK_URL: receiver.url,
      WEBHOOK_SECRET: 'a secret of more than 32 characters, of tests',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      WEBHOOK_TIMEOUT: '2s',
      WORKER_TRIES: '100',
      WORKER_RETRY_BASE: '20ms',
      WORKER_RETRY_CAP: '200ms',
      WORKER_CONCURRENCY: '4',
      CONSUMERS: JSON.stringify([
        { name: 'second', cursor: 'each', url: second.url },
        { name: 'relaxed', cursor: 'behind', url: relaxed.url },
      ]),
      ...redis.environment(),
    };
    api = await startServer({ ...env, ROLES: 'api' });
    const start = () => startServer({ ...env, ROLES: 'worker' }, FAULTY_SERVER);
    workers = [await start(), await start()];
    await until('they begin', () =>
      workers.some(({ lines }) => lines.some(({ msg }) => msg === 'this node relays jobs')),
    );
  });
  afterAll(async () => {
    await endServers();
    await Promise.all([redis?.stop(), postgres?.stop()]);
    await Promise.all([receiver, second, relaxed].map((one) => one?.close()));
  });

  /** Sends to each conversation in turn, until it is told to end; resolves with what was acknowledged. */
  function talk(sender: Person, conversations: string[]) {
    const sent: Message[] = [];
    let isOver = false;
    const done = (async () => {
      for (let count = 0; !isOver; count++) {
        sent.push(await sender.send(conversations[count % conversations.length]!, `message ${count}`));
        await Bun.sleep(2);
      }
    })();
    const end = async () => {
      isOver = true;
      await done;
      return sent;
    };
    return { sent, end };
  }

  const STREAM = 'parley:events';
  const openRedis = () => createClient({ url: redis.operatorUrl });

  async function onRedis<T>(work: (client: ReturnType<typeof openRedis>) => Promise<T>): Promise<T> {
    const client = openRedis();
    await client.connect();
    try {
      return await work(client);
    } finally {
      client.destroy();
    }
  }

  const emptyRedis = () => onRedis((client) => client.flushAll());

  /** The other consumers are told of each `rev` of these conversations, in order where each comes for the first time. */
  async function othersHear(reader: Person, conversations: string[]): Promise<void> {
    const heads = await Promise.all(
      conversations.map(
        async (id) => (await reader.call('GET', `/conversations/${id}`)).body.conversation.rev as number,
      ),
    );
    for (const other of [second, relaxed]) {
      const revsOf = (id: string) =>
        other.eventsOf(id).map(({ body }) => (body.data as unknown as { rev: number }).rev);
      for (const [index, id] of conversations.entries()) {
        await until('all of it', () => other.eventsOf(id).length >= heads[index]!);
        expect(revsOf(id)).toEqual(Array.from({ length: heads[index]! }, (_, n) => n + 1));
      }
    }
  }

  const leader = () => workers.find(({ lines }) => lines.some(({ msg }) => msg === 'this node relays jobs'))!;

  test('share the work, and only those that have the role do it', async () => {
    const people = await signUpAll(api, 'alice', 'bob', 'carol', 'dave');
    const [alice] = people;
    const conversations = await Promise.all(people.map((person) => alice.direct(person)));
    receiver.delayMs = 10;
    const talking = talk(alice, conversations);
    await until('a hundred', () => receiver.taken.length >= 100);
    const sent = await talking.end();
    await until('the rest', () => receiver.audit(sent).lost === 0);
    expect(receiver.audit(sent)).toEqual({ lost: 0, disordered: 0, confused: 0 });
    await othersHear(alice, conversations);
    // Nothing went wrong, so nothing came twice.
    expect(receiver.deliveries).toHaveLength(new Set(receiver.deliveries.map(({ id }) => id)).size);
    const shares = await Promise.all(
      [api, ...workers].map(
        async ({ url }) =>
          /parley_consumer_jobs_total\{consumer="webhooks",outcome="done"\} (\d+)/.exec(await scrape(url))?.[1],
      ),
    );
    expect(shares[0]).toBeUndefined();
    expect(Math.min(...shares.slice(1).map(Number))).toBeGreaterThan(0);
  });

  test('lose nothing and keep the order when workers are killed, and when Redis is killed, emptied and away', async () => {
    const alice = await signUp(api, 'alice');
    const others = await Promise.all(Array.from({ length: 8 }, () => signUp(api, 'other')));
    const conversations = await Promise.all(others.map((other) => alice.direct(other)));
    receiver.delayMs = 5;
    let answers = 0;
    receiver.answer = () => (++answers % 10 === 0 ? 503 : 200);
    const talking = talk(alice, conversations);
    const more = async (count: number) => {
      const goal = receiver.taken.length + count;
      await until(`${count} more`, () => receiver.taken.length >= goal);
    };
    await more(50);
    const relaying = leader();
    await relaying.kill();
    await more(50);
    await relaying.start();
    await redis.restart();
    await more(50);
    const other = workers.find((one) => one !== relaying)!;
    await other.kill();
    await other.start();
    await more(50);
    await emptyRedis();
    await more(50);
    // Without Redis each worker reads the outbox itself.
    await redis.kill();
    await more(50);
    await redis.restart();
    await more(50);
    const sent = await talking.end();
    receiver.answer = () => 200;
    await until('the rest', () => receiver.audit(sent).lost === 0);
    expect(receiver.audit(sent)).toEqual({ lost: 0, disordered: 0, confused: 0 });
    await othersHear(alice, conversations);
  });

  test.each([
    ['emptied', emptyRedis],
    ['killed', () => redis.restart()],
  ])('find again what only the stream knew of when Redis is %s', async (_, lose) => {
    const alice = await signUp(api, 'alice');
    const others = await Promise.all(Array.from({ length: 20 }, () => signUp(api, 'other')));
    const conversations = await Promise.all(others.map((other) => alice.direct(other)));
    // Eight are under way, and hold all of both workers' places; the rest are hints in the stream.
    const held: (() => void)[] = [];
    receiver.delayMs = 0;
    receiver.answer = (_, response) => {
      held.push(() => response.writeHead(503).end());
      return undefined;
    };
    const sent = await Promise.all(conversations.map((id) => alice.send(id, 'the only one')));
    await until('all places are taken', () => held.length >= 8);
    await lose();
    receiver.answer = () => 200;
    for (const letGo of held) letGo();
    await until('all', () => receiver.audit(sent).lost === 0);
  });

  test.each([
    [
      'hints that name nobody',
      (client) => Promise.all(['', 'GARBAGE', 'x'.repeat(1e6)].map((c) => client.xAdd(STREAM, '*', { c }))),
    ],
    ['entries without a hint', (client) => client.xAdd(STREAM, '*', { other: 'GARBAGE' })],
    ['hints of conversations that are none', (client) => client.xAdd(STREAM, '*', { c: crypto.randomUUID() })],
    ['another kind of thing in its place', (client) => client.set(STREAM, 'GARBAGE')],
    [
      'the last id that there is',
      (client) => client.xAdd(STREAM, '18446744073709551615-18446744073709551615', { c: 'GARBAGE' }),
    ],
    ['another kind of thing for who is behind', (client) => client.set(`${STREAM}:behind:webhooks`, 'GARBAGE')],
    [
      'ever so many words of who is behind',
      (client) =>
        client.sAdd(
          `${STREAM}:behind:webhooks`,
          Array.from({ length: 5000 }, (_, n) => `${n}`),
        ),
    ],
  ] as [string, (client: ReturnType<typeof openRedis>) => Promise<unknown>][])(
    'go on where somebody puts into the stream: %s',
    async (_, put) => {
      const [alice, bob] = await signUpAll(api, 'alice', 'bob');
      const conversation = await alice.direct(bob);
      receiver.delayMs = 0;
      receiver.answer = () => 200;
      await onRedis(async (client) => {
        if ((await client.type(STREAM)) !== 'stream' || _.startsWith('another'))
          await client.del([STREAM, `${STREAM}:behind:webhooks`]);
        await put(client);
        const sent = [await alice.send(conversation, `beside ${_}`)];
        await until('it', () => receiver.audit(sent).lost === 0);
        // Nothing of it is looked at again and again, nor is left.
        await untilAsync('it is gone', async () => {
          const [type, pending, behind] = await Promise.all([
            client.type(STREAM),
            client.xPending(STREAM, 'webhooks').catch(() => ({ pending: -1 })),
            client.type(`${STREAM}:behind:webhooks`),
          ]);
          return type === 'stream' && pending.pending === 0 && behind === 'none';
        });
      });
      for (const { lines, errors } of workers) expect(JSON.stringify(lines) + errors).not.toContain('GARBAGE');
    },
  );

  test('hear while Redis is away of conversations that were silent before', async () => {
    const [alice, bob] = await signUpAll(api, 'alice', 'bob');
    receiver.answer = () => 200;
    await redis.kill();
    const sent = [await alice.send(await alice.direct(bob), 'without Redis')];
    await until('it', () => receiver.audit(sent).lost === 0);
    await redis.restart();
  });

  test('have a group for each consumer: one that hangs holds up no other, and what is trimmed meanwhile it finds again', async () => {
    const [alice, bob] = await signUpAll(api, 'alice', 'bob');
    const groups: string[] = [];
    for (let count = 0; count < 60; count++) groups.push(await alice.group([bob], `group ${count}`));
    await until('all are told', () => groups.every((id) => receiver.of(id).length === 1));
    // Webhooks hang in all of their places; most of what follows they know of by the stream alone.
    receiver.answer = () => undefined;
    const sent: Message[] = [];
    for (const group of groups) sent.push(await alice.send(group, 'for those who listen'));
    await othersHear(alice, groups);
    const lines = () => workers.flatMap((worker) => worker.lines);
    const trimmed = () => lines().filter(({ msg }) => msg.startsWith('groups are behind')).length;
    const before = trimmed();
    await onRedis(async (client) => {
      for (let some = 0; some < 12; some++) {
        const ids = Array.from({ length: 1000 }, () => crypto.randomUUID());
        await Promise.all(ids.map((c) => client.xAdd('parley:events', '*', { c })));
      }
    });
    await until('the stream is trimmed', () => trimmed() > before);
    receiver.answer = () => 200;
    await until('all of it', () => receiver.audit(sent).lost === 0);
    const length = await onRedis((client) => client.xLen('parley:events'));
    expect(length).toBeLessThan(12_000);
    // It is made good, and is not made good again.
    await untilAsync(
      'it is noted',
      async () => (await onRedis((client) => client.keys('parley:events:behind:*'))).length === 0,
    );
    await othersHear(alice, groups);
  });

  test('take the stream of a version before away', async () => {
    await onRedis((client) => client.xAdd('parley:jobs:webhooks', '*', { c: 'of before' }));
    await Promise.all(workers.map((worker) => worker.kill()));
    await Promise.all(workers.map((worker) => worker.start()));
    await untilAsync(
      'it is gone',
      async () => (await onRedis((client) => client.exists('parley:jobs:webhooks'))) === 0,
    );
  });
});
