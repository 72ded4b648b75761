import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createHmac } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { Message } from '../../protocol/resources.ts';
import { makeCertificate } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { scrape } from '../support/metrics.ts';
import { signUpAll } from '../support/people.ts';
import { fixedPort } from '../support/ports.ts';
import { closeReceivers, type Delivery, openReceiver } from '../support/receiver.ts';
import {
  type Environment,
  endServers,
  type LogLine,
  onCluster,
  runParley,
  startServer,
  type TestServer,
  temporaryFolder,
} from '../support/server.ts';
import { canTest } from '../support/untested.ts';

setDefaultTimeout(120_000);

const SECRET = 'a secret of more than 32 characters, of tests';
/** Tries that follow each other at once. */
const FAST = { WORKER_TRIES: '3', WORKER_RETRY_BASE: '20ms', WORKER_RETRY_CAP: '50ms', WEBHOOK_TIMEOUT: '500ms' };

/** What one process does; tests/cluster/worker.test.ts has what several do together. */
const describeOne: (name: string, tests: () => void) => void = (name, tests) => {
  if (!onCluster) describe(name, tests);
};

afterEach(closeReceivers);
afterAll(endServers);

const settings = (url: string, env: Environment = {}): Environment => ({
  WEBHOOK_URL: url,
  WEBHOOK_SECRET: SECRET,
  WEBHOOK_ALLOW_PRIVATE: 'true',
  ...FAST,
  ...env,
});

const contents = (messages: { content: string }[]) => messages.map(({ content }) => content);

/** `parley_jobs_total`, of all nodes. */
async function counted(server: TestServer, outcome: string): Promise<number> {
  const texts = await Promise.all(server.nodes.map(({ url }) => scrape(url)));
  const values = texts.map(
    (text) => new RegExp(`^parley_jobs_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1],
  );
  return values.reduce((sum, value) => sum + Number(value ?? 0), 0);
}

/** What the log says of jobs that were given up, once there are so many. */
async function givenUp(server: TestServer, count: number): Promise<LogLine[]> {
  const find = () => server.lines.filter(({ msg }) => msg.startsWith('a job is parked'));
  return eventually(`${count} jobs given up`, async () => find().length === count && find());
}

/** What docs/WEBHOOKS.md tells a receiver to compute. */
function signatureOf({ headers, text }: Delivery, key: string | Buffer): string {
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`;
  return `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
}

describe('a receiver', () => {
  test('is told of every new message, signed, in the order of each conversation, and of nothing else', async () => {
    const receiver = await openReceiver();
    const server = await startServer(settings(receiver.url));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    const group = await bob.group([alice], 'Crew');
    const first = await alice.send(conversation, 'one');
    await alice.send(conversation, 'two');
    await bob.call('POST', `/conversations/${conversation}/messages`, { content: 'three', reply_to: first.id });
    await alice.call('PUT', `/conversations/${conversation}/messages/${first.id}/reactions/%F0%9F%91%8D`);
    await alice.send(group, 'to the crew');
    await eventually(
      'all messages',
      async () => receiver.of(conversation).length === 3 && receiver.of(group).length === 2,
    );

    expect(contents(receiver.of(conversation))).toEqual(['one', 'two', 'three']);
    expect(receiver.of(group)).toMatchObject([{ type: 'system' }, { type: 'text', content: 'to the crew' }]);
    const { headers, body, text } = receiver.deliveries.find(({ body }) => body.data.content === 'three')!;
    const stored = (await alice.history(conversation)).find(({ content }) => content === 'three')!;
    expect(body).toEqual({
      type: 'message.created',
      timestamp: new Date(stored.sent_at).toISOString(),
      data: stored,
    });
    expect(headers['content-type']).toBe('application/json');
    expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(30);
    for (const delivery of receiver.deliveries) {
      expect(delivery.headers['webhook-signature']).toBe(signatureOf(delivery, SECRET));
    }
    // A reaction is a change of its conversation, and no message.
    const ids = receiver.deliveries.map(({ id }) => id);
    expect(new Set(ids).size).toBe(5);
    expect(ids).toHaveLength(5);
    expect(text).not.toContain('reactions');
    expect(await counted(server, 'done')).toBe(5);
  });

  test('hears what came while the server was down, once, and never what was there before webhooks were', async () => {
    const receiver = await openReceiver();
    const before = await startServer();
    const [alice, bob] = await signUpAll(before, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    await alice.send(conversation, 'before webhooks');
    await before.stop();
    const env = settings(receiver.url, { DATA_DIR: before.dataDir });
    const server = await startServer(env);
    const later = alice.at(server);
    await eventually('the consumer begins', async () => server.lines.some(({ msg }) => msg.startsWith('the consumer')));
    receiver.answer = () => 500;
    await later.send(conversation, 'while it fails');
    await eventually('a try', async () => receiver.deliveries.length > 0);
    await server.kill();

    // Nobody reads the outbox now: only the cursors can tell.
    const silent = await startServer({ DATA_DIR: before.dataDir });
    await alice.at(silent).send(conversation, 'without webhooks');
    await silent.kill();
    receiver.answer = () => 200;
    await server.start();
    await eventually('both', async () => receiver.of(conversation).length === 2);
    expect(contents(receiver.taken)).toEqual(['while it fails', 'without webhooks']);
    expect(new Set(receiver.deliveries.map(({ id }) => id)).size).toBe(2);
  });

  test('that is written as docs/WEBHOOKS.md has it takes what is signed, and nothing else', async () => {
    const page = await Bun.file(join(import.meta.dir, '../../docs/WEBHOOKS.md')).text();
    const code = /<!-- receiver -->\n\n```js\n(.*?)```\n\n<!-- \/receiver -->/s.exec(page)![1]!;
    const PORT = String(fixedPort());
    const written = Bun.spawn([process.execPath, '--eval', code], {
      env: { ...process.env, PORT, WEBHOOK_SECRET: SECRET },
      stdout: 'pipe',
    });
    const url = `http://127.0.0.1:${PORT}/`;
    await eventually('it listens', () =>
      fetch(url, { method: 'POST' }).then(
        ({ status }) => status === 401,
        () => false,
      ),
    );
    const server = await startServer(settings(url));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    await alice.send(await alice.direct(bob), 'for the receiver of the page');
    await eventually('it is done', async () => (await counted(server, 'done')) === 1);
    const forged = { 'webhook-id': 'x', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)) };
    for (const given of [
      undefined,
      'v1,AAAA',
      `v1,${createHmac('sha256', 'another').update('x.y.z').digest('base64')}`,
    ]) {
      const headers = given === undefined ? forged : { ...forged, 'webhook-signature': given };
      expect((await fetch(url, { method: 'POST', headers, body: '{}' })).status).toBe(401);
    }
    written.kill();
    expect((await new Response(written.stdout).text()).trim()).toBe('for the receiver of the page');
  });

  test('can verify with the old secret or the new one while secrets are rotated, and with one in base64', async () => {
    const receiver = await openReceiver();
    const bytes = Buffer.from('0123456789abcdef0123456789abcdef');
    const server = await startServer(
      settings(receiver.url, {
        WEBHOOK_SECRET: `whsec_${bytes.toString('base64')}`,
        WEBHOOK_SECRET_PREVIOUS: SECRET,
      }),
    );
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    await alice.send(await alice.direct(bob), 'hello');
    const delivery = await eventually('it', async () => receiver.deliveries[0]);
    expect(delivery.headers['webhook-signature']).toBe(
      `${signatureOf(delivery, bytes)} ${signatureOf(delivery, SECRET)}`,
    );
  });
});

describeOne('a server that ends', () => {
  test('gives back what it could not finish, and the next one sends it at once', async () => {
    const receiver = await openReceiver();
    receiver.answer = () => undefined;
    const server = await startServer(settings(receiver.url, { WEBHOOK_TIMEOUT: '60s', SHUTDOWN_TIMEOUT: '3s' }));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    await alice.send(conversation, 'in flight');
    await eventually('a try', async () => receiver.deliveries.length === 1);
    expect(await server.stop()).toBe(0);
    receiver.answer = () => 200;
    await server.start();
    await eventually('another', async () => receiver.taken.length === 1);
    expect(receiver.deliveries[1]!.id).toBe(receiver.deliveries[0]!.id);
  });

  test('by crashes loses nothing, mixes nothing up, and repeats only what was under way', async () => {
    const receiver = await openReceiver();
    const server = await startServer(settings(receiver.url, { WORKER_TRIES: '50', SERVER_PORT: String(fixedPort()) }));
    const [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
    const conversations = [await alice.direct(bob), await alice.direct(carol), await alice.direct(alice)];
    receiver.delayMs = 5;
    const sent: Message[] = [];
    for (let round = 1; round <= 3; round++) {
      for (let count = 0; count < 30; count++)
        sent.push(await alice.send(conversations[count % 3]!, `${round} ${count}`));
      await eventually('some of them', async () => receiver.taken.length > sent.length - 20);
      await server.kill();
      await server.start();
    }
    await eventually('all of them', async () => receiver.audit(sent).lost === 0);
    expect(receiver.audit(sent)).toEqual({ lost: 0, disordered: 0, confused: 0 });
    // Three conversations were under way at each crash.
    expect(receiver.deliveries.length - sent.length).toBeLessThanOrEqual(3 * 3);
  });
});

describeOne('a receiver that fails', () => {
  test('gets the same message again until it takes it, and later ones of that conversation wait', async () => {
    const receiver = await openReceiver();
    const server = await startServer(settings(receiver.url, { WORKER_TRIES: '20' }));
    const [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
    const [stuck, free] = [await alice.direct(bob), await alice.direct(carol)];
    let failures = 0;
    receiver.answer = ({ body }) => (body.data.conversation_id === stuck && ++failures <= 5 ? 503 : 200);
    for (const content of ['one', 'two']) await alice.send(stuck, content);
    for (const content of ['three', 'four']) await alice.send(free, content);
    await eventually('all four', async () => receiver.taken.length === 4);
    expect(contents(receiver.of(stuck))).toEqual(['one', 'two']);
    expect(contents(receiver.of(free))).toEqual(['three', 'four']);
    const tries = receiver.deliveries.filter(({ body }) => body.data.content === 'one');
    expect(tries).toHaveLength(6);
    expect(new Set(tries.map(({ id }) => id)).size).toBe(1);
    for (const delivery of tries) expect(delivery.headers['webhook-signature']).toBe(signatureOf(delivery, SECRET));
    const order = receiver.deliveries.map(({ body }) => body.data.content);
    expect(order.indexOf('two')).toBeGreaterThan(order.lastIndexOf('one'));
  });

  test('is given up after the tries; the conversation goes on, and an operator looks, retries and discards', async () => {
    const receiver = await openReceiver();
    const server = await startServer(settings(receiver.url));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    const isBad = (content: string) => content.startsWith('poison');
    receiver.answer = ({ body }) => (isBad(body.data.content) ? 500 : 200);
    for (const content of ['poison 1', 'poison 2', 'fine']) await alice.send(conversation, content);
    await eventually('the rest', async () => receiver.taken.length === 1);
    expect(receiver.deliveries.filter(({ body }) => isBad(body.data.content))).toHaveLength(6);
    expect(await counted(server, 'parked')).toBe(2);

    const run = (...args: string[]) => runParley(['jobs', ...args], { DATA_DIR: server.dataDir });
    const { stdout: listed } = await run('list');
    const [id = '', other = ''] = listed.split('\n').map((line) => line.split('  ')[0]!);
    const { stdout: shown } = await run('show', id);
    expect(shown).toContain(
      `event         message.created\nconversation  ${conversation}\nrev           2\nseq           1\ntries         3\n`,
    );
    expect(shown).toContain('answered with status 500');
    expect(listed + shown).not.toContain('poison');
    expect(await run('discard', other)).toMatchObject({ code: 0, stdout: '1 discarded\n' });
    const codes = await Promise.all([run('retry', other), run('show', 'x'), run('nope')]);
    expect(codes.map(({ code }) => code)).toEqual([1, 2, 2]);

    // While it still fails, it is parked again; once it does not, it is done.
    expect(await run('retry', id)).toMatchObject({ code: 0, stdout: '1 to be tried again\n' });
    await givenUp(server, 3);
    expect(receiver.deliveries).toHaveLength(7 + 3);
    receiver.answer = () => 200;
    expect(await run('retry', 'all')).toMatchObject({ code: 0, stdout: '1 to be tried again\n' });
    await eventually('the first', async () => receiver.taken.length === 2);
    expect(contents(receiver.taken)).toEqual(['fine', 'poison 1']);
    await eventually('nothing left', async () => (await run('list')).stdout === '');
  });

  test('that wants no more (410) is not asked again; one that asks for time (429) gets it', async () => {
    const receiver = await openReceiver();
    const server = await startServer(settings(receiver.url, { WORKER_RETRY_BASE: '10ms', WORKER_RETRY_CAP: '1s' }));
    const [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
    receiver.answer = ({ body, id }, response) => {
      if (body.data.content === 'gone') return 410;
      if (receiver.deliveries.filter((one) => one.id === id).length > 1) return 200;
      response.setHeader('Retry-After', '3600');
      return 429;
    };
    await alice.send(await alice.direct(bob), 'gone');
    await alice.send(await alice.direct(carol), 'slowly');
    await eventually('the second try', async () => receiver.taken.length === 1);
    const [first, second] = receiver.deliveries.filter(({ body }) => body.data.content === 'slowly');
    // An hour was asked for; a second is the most that these settings wait.
    expect(second!.at - first!.at).toBeGreaterThan(950);
    expect(receiver.deliveries.filter(({ body }) => body.data.content === 'gone')).toHaveLength(1);
    await givenUp(server, 1);
  });

  test('that asks for time (429) gets it too when a message that was given up is tried again', async () => {
    const receiver = await openReceiver();
    const env = { WORKER_TRIES: '2', WORKER_RETRY_BASE: '10ms', WORKER_RETRY_CAP: '1s' };
    const server = await startServer(settings(receiver.url, env));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    receiver.answer = () => 500;
    await alice.send(await alice.direct(bob), 'later');
    await givenUp(server, 1);
    const triesBefore = receiver.deliveries.length;
    receiver.answer = (_, response) => {
      if (receiver.deliveries.length > triesBefore + 1) return 200;
      response.setHeader('Retry-After', '3600');
      return 429;
    };
    expect(await runParley(['jobs', 'retry', 'all'], { DATA_DIR: server.dataDir })).toMatchObject({ code: 0 });
    await eventually('it is taken', async () => receiver.taken.length === 1);
    const [first, second] = receiver.deliveries.slice(triesBefore);
    expect(second!.at - first!.at).toBeGreaterThan(950);
  });
});

describeOne('a URL that leads into this network', () => {
  /** Starts a server with such a URL, sends a message, and answers why it was not delivered. */
  async function reasonFor(url: string, env: Environment = {}): Promise<string> {
    const server = await startServer(settings(url, { WEBHOOK_ALLOW_PRIVATE: 'false', WORKER_TRIES: '1', ...env }));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    await alice.send(await alice.direct(bob), 'a secret thing');
    const [line] = await givenUp(server, 1);
    expect(JSON.stringify(server.lines) + server.errors).not.toMatch(/a secret thing|a secret of more/);
    await server.kill();
    return String(line!.reason);
  }

  test.each([
    ['as a name', 'https://localhost:PORT/'],
    ['in hexadecimal', 'https://0x7f.1:PORT/'],
    ['as IPv4 inside IPv6', 'https://[::ffff:127.0.0.1]:PORT/'],
  ])('is refused %s, without a connection', async (_, url) => {
    const receiver = await openReceiver();
    let connections = 0;
    receiver.onConnection(() => connections++);
    expect(await reasonFor(url.replace('PORT', String(receiver.port)))).toBe('the address is private');
    expect(connections).toBe(0);
  });

  const canMakeCertificates = canTest(
    'webhooks over TLS',
    Bun.which('openssl') ? undefined : 'openssl is not installed',
  );
  test.skipIf(!canMakeCertificates)('is reached over TLS, where the certificate is of its name', async () => {
    const folder = temporaryFolder();
    const [right, wrong] = await Promise.all(
      ['localhost', 'elsewhere.test'].map((name) => makeCertificate(folder, name)),
    );
    await Bun.write(join(folder, 'trusted.pem'), right!.cert + wrong!.cert);
    const env = { NODE_EXTRA_CA_CERTS: join(folder, 'trusted.pem'), WEBHOOK_ALLOW_PRIVATE: 'true' };
    const [taken, refused] = await Promise.all([openReceiver(right), openReceiver(wrong)]);
    const server = await startServer(settings(`https://localhost:${taken.port}/`, env));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    await alice.send(await alice.direct(bob), 'over TLS');
    await eventually('it', async () => taken.taken.length === 1);
    expect(await reasonFor(`https://localhost:${refused.port}/`, env)).toBe(
      'not reached: ERR_TLS_CERT_ALTNAME_INVALID',
    );
    expect(await reasonFor(`https://localhost:${taken.port}/`, { WEBHOOK_ALLOW_PRIVATE: 'true' })).toBe(
      'not reached: DEPTH_ZERO_SELF_SIGNED_CERT',
    );
    expect([taken.deliveries.length, refused.deliveries.length]).toEqual([1, 0]);
  });

  test('is not reached by a redirect either', async () => {
    const inside = await openReceiver();
    const receiver = await openReceiver();
    receiver.answer = (_, response) => {
      response.writeHead(307, { Location: inside.url }).end();
      return undefined;
    };
    expect(await reasonFor(receiver.url, { WEBHOOK_ALLOW_PRIVATE: 'true' })).toBe('answered with status 307');
    expect([receiver.deliveries.length, inside.deliveries.length]).toEqual([1, 0]);
  });

  test('stops the start where it is not encrypted, holds a password, or nothing would be signed', async () => {
    for (const [env, said] of [
      [{ WEBHOOK_URL: 'http://example.com/' }, /^parley: WEBHOOK_URL must begin with https/],
      [{ WEBHOOK_URL: 'https://me:pw-9d1c@example.com/' }, /^parley: WEBHOOK_URL must be an address/],
      [{ WEBHOOK_URL: 'file:///etc/passwd' }, /^parley: WEBHOOK_URL must be an address/],
      [{ WEBHOOK_SECRET: '' }, /^parley: WEBHOOK_SECRET must be given/],
      [{ WEBHOOK_SECRET: 'short-9d1c' }, /^parley: WEBHOOK_SECRET must have 32 characters/],
    ] as const) {
      const { code, stderr } = await runParley(
        ['serve'],
        settings('https://example.com/', { WEBHOOK_ALLOW_PRIVATE: 'false', ...env }),
      );
      expect(code).toBe(2);
      expect(stderr).toMatch(said);
      expect(stderr).not.toContain('9d1c');
    }
  });
});

describeOne('a receiver that means harm', () => {
  test('cannot hold a job by silence, by a slow head or by a slow body', async () => {
    const receiver = await openReceiver();
    const drips = new Set<Timer>();
    receiver.answer = ({ body }, response) => {
      const drip = (write: () => void) => drips.add(setInterval(write, 50));
      if (body.data.content === 'slow head') drip(() => response.socket?.write('HTTP/1.1 200 OK\r\nX-Slow: '));
      if (body.data.content === 'slow body') {
        response.writeHead(200, { 'Content-Length': '100000' });
        drip(() => response.write('x'));
      }
      return body.data.content === 'after' ? 200 : undefined;
    };
    const server = await startServer(settings(receiver.url, { WORKER_TRIES: '1', WORKER_CONCURRENCY: '1' }));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    for (const content of ['silence', 'slow head', 'slow body', 'after']) await alice.send(conversation, content);
    await eventually('the one after', async () => receiver.taken.length === 1);
    for (const timer of drips) clearInterval(timer);
    // A status is an answer, whatever becomes of the body.
    expect((await givenUp(server, 2)).map(({ reason }) => reason)).toEqual(['no answer in time', 'no answer in time']);
  });

  test('cannot fill the memory with an endless body or endless headers', async () => {
    let written = 0;
    let requests = 0;
    const chunk = Buffer.alloc(65_536, 'x');
    const endless = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (request) => {
        requests++;
        const head = String(request).includes('in the body') ? 'Content-Length: 100000000000\r\n\r\n' : 'X-Long: ';
        socket.write(`HTTP/1.1 200 OK\r\n${head}`);
        const pouring = setInterval(() => {
          if (socket.writableNeedDrain) return;
          written += chunk.length;
          socket.write(chunk);
        }, 1);
        socket.on('close', () => clearInterval(pouring));
      });
    });
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(endless.address() as AddressInfo).port}/`;
    const server = await startServer(settings(url, { WORKER_TRIES: '1', WEBHOOK_TIMEOUT: '5s' }));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    const started = performance.now();
    for (const content of ['in the body', 'in the headers']) await alice.send(conversation, content);
    await givenUp(server, 1);
    // Cut for what it sent, not for how long it took.
    expect(performance.now() - started).toBeLessThan(4500);
    expect(requests).toBe(2);
    expect(written).toBeLessThan(20_000_000);
    endless.close();
  });
});
