import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { Subprocess } from 'bun';
import { MAX_BODY_BYTES, MAX_CREDENTIALS_BYTES } from '../../protocol/limits.ts';
import { eventually } from '../support/eventually.ts';
import { fixedPort } from '../support/ports.ts';
import { findNginx, TestProxy } from '../support/proxy.ts';
import { endServers, startServer, type TestServer, temporaryFolder } from '../support/server.ts';
import { canTest } from '../support/untested.ts';

setDefaultTimeout(60_000);

/**
 * What a client may send that a node, or its runtime, answers with an error, by closing the connection, or not at all. None of
 * it may cost anybody else an answer.
 */
const HOST = 'Host: parley.example\r\nConnection: close\r\n';
const JSON_POST = `POST /api/v1/auth/login HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n`;
const ATTACKS: Record<string, string> = {
  'a method that nobody knows': `FOO / HTTP/1.1\r\n${HOST}\r\n`,
  'a method in lower case': `get / HTTP/1.1\r\n${HOST}\r\n`,
  'a method of other protocols': `PROPFIND / HTTP/1.1\r\n${HOST}\r\n`,
  CONNECT: `CONNECT parley.example:443 HTTP/1.1\r\n${HOST}\r\n`,
  TRACE: `TRACE / HTTP/1.1\r\n${HOST}\r\n`,
  'a method of 60 letters': `${'METHOD'.repeat(10)} / HTTP/1.1\r\n${HOST}\r\n`,
  'no Host': 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n',
  'two Hosts': `GET / HTTP/1.1\r\n${HOST}Host: other.example\r\n\r\n`,
  'a Host that is none': 'GET /a HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n',
  'headers of 24 KiB': `GET / HTTP/1.1\r\n${HOST}${['A', 'B', 'C'].map((x) => `X-${x}: ${'a'.repeat(8000)}\r\n`).join('')}\r\n`,
  'three hundred headers': `GET / HTTP/1.1\r\n${HOST}${Array.from({ length: 300 }, (_, n) => `X-${n}: a\r\n`).join('')}\r\n`,
  'a broken chunk': `${JSON_POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  'a chunk without end': `${JSON_POST}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
  'a length and chunks': `${JSON_POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  'two lengths': `${JSON_POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
  'a body of 1.5 MB': `${JSON_POST}Content-Length: 1500000\r\n\r\n${'x'.repeat(1_500_000)}`,
  'another protocol': `GET / HTTP/1.1\r\nHost: parley.example\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n`,
  'half a handshake': `GET /ws HTTP/1.1\r\nHost: parley.example\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n`,
  'an expectation that nobody meets': `${JSON_POST}Expect: everything\r\nContent-Length: 2\r\n\r\n{}`,
  'no HTTP at all': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc',
};
/** Hosts that are none, and requests with two or without; nginx by itself lets some of them through. */
const NO_HOSTS = [
  ...[
    'a@b',
    '[::1',
    'a%b',
    'a%40b',
    'a:99999',
    'a:65536',
    'a:-1',
    'a:80:90',
    'caf\xe9',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a b',
  ],
  ...['', 'a\tb', 'a,b', 'a"b', 'a;b', "a'b", '[fe80::1%25eth0]', '[fe80::1%eth0]', '[::g]', '::1', ':80', 'user:pw@a'],
]
  .map((host) => `Host: ${host}\r\n`)
  .concat('', 'Host: a\r\nHost: b\r\n', 'Host: a\r\nHost: a\r\n');

/** Addresses in which a node, or another proxy, may find another path. */
const NO_PATHS = [
  '/no-path\\..\\metrics',
  '\\metrics',
  '/no-path#/../metrics',
  '/metrics#',
  '/#/metrics',
  'http://a#/metrics',
  'http://a\\b/metrics',
  'http://a@b/metrics',
  'http:///metrics',
  'metrics',
  '*',
  '/no-path/\x01',
];
/** How often each is sent, with how many requests of somebody else beside each. */
const TIMES = 4;
const BESIDE = 3;

const OPERATIONS = join(import.meta.dir, '../../docs/OPERATIONS.md');
const nginx = findNginx();
const able = [
  canTest('the documented proxy under attack', nginx ? undefined : 'nginx is not installed (Debian: nginx)'),
  canTest('the documented proxy under attack', Bun.which('openssl') ? undefined : 'openssl is not installed'),
].every(Boolean);

describe.skipIf(!able)('requests that no node answers well cost nobody else an answer,', () => {
  let nodes: string[];
  const proxies: { stop(): Promise<unknown> }[] = [];

  beforeAll(async () => {
    const servers = await Promise.all([0, 1].map(() => startServer({ DATA_DIR: ':memory:', TRUST_PROXY: 'loopback' })));
    nodes = servers.flatMap((server) => server.nodes).map((node) => new URL(node.url).host);
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await endServers();
  });

  test('behind the proxy of the template', async () => {
    const port = fixedPort();
    proxies.push(await TestProxy.start({ folder: join(temporaryFolder(), 'proxy'), listen: String(port), nodes }));
    await attack({ port, isSecure: false });
  });

  test('behind the proxy of docs/OPERATIONS.md, which speaks TLS and nothing that is broken', async () => {
    const [port, clear] = [fixedPort(), fixedPort()];
    proxies.push(await startDocumented({ port, clear, nodes }));
    await attack({ port, isSecure: true });

    const speaks = (...how: string[]) =>
      Bun.spawnSync(['openssl', 's_client', '-connect', `127.0.0.1:${port}`, ...how], { stdin: null, stderr: 'ignore' })
        .success;
    expect([speaks('-tls1_3'), speaks('-tls1_2'), speaks('-tls1_2', '-cipher', 'ECDHE+AESGCM')]).toEqual([
      true,
      true,
      true,
    ]);
    // Without forward secrecy, with CBC, and older than TLS 1.2.
    for (const cipher of ['AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA'])
      expect(speaks('-tls1_2', '-cipher', cipher)).toBe(false);
    expect(speaks('-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0')).toBe(false);

    const inTheClear = (path: string) => fetch(`http://127.0.0.1:${clear}${path}`, { redirect: 'manual' });
    const page = await inTheClear('/c/1?x=1');
    expect([page.status, page.headers.get('location')]).toEqual([301, 'https://chat.example.com/c/1?x=1']);
    for (const path of ['/api/v1/auth/me', '/ws', '/ws?token=secret', '/api/signup']) {
      const { status, headers } = await inTheClear(path);
      expect({ path, status, location: headers.get('location') }).toEqual({ path, status: 403, location: null });
    }
  });

  test('and what the template refuses has the shape of every failure', async () => {
    const port = fixedPort();
    proxies.push(await TestProxy.start({ folder: join(temporaryFolder(), 'proxy'), listen: String(port), nodes }));
    const answer = await sendRaw({ port, isSecure: false }, ATTACKS['a method that nobody knows']!);
    expect(answer).toMatch(/^HTTP\/1\.1 405 /);
    expect(answer).toMatch(/\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n/);
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toEqual({
      code: 'method_not_allowed',
      message: 'This method is not allowed here',
      request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    // What a node refuses keeps the node's own answer.
    const own = await fetch(`http://127.0.0.1:${port}/api/v1/health`, { method: 'PUT' });
    expect({ status: own.status, allow: own.headers.get('allow') }).toEqual({ status: 405, allow: 'GET' });
  });
});

describe.skipIf(!able)('what a node reads otherwise than the proxy before it comes to no node,', () => {
  let server: TestServer;
  let nodes: string[];
  const proxies: { stop(): Promise<unknown> }[] = [];

  beforeAll(async () => {
    server = await startServer({ DATA_DIR: ':memory:', TRUST_PROXY: 'loopback' });
    const { host } = new URL(server.nodes[0]!.url);
    nodes = [host, host];
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await endServers();
  });

  /** Paths that nobody else asks for, so that the nodes' logs say whether one came. */
  async function refuses(address: Address): Promise<string[]> {
    const answers: string[] = [];
    for (const [n, host] of NO_HOSTS.entries()) {
      answers.push(await sendRaw(address, `GET /no-host-${n}/metrics HTTP/1.1\r\n${host}Connection: close\r\n\r\n`));
    }
    answers.push(await sendRaw(address, 'GET /no-host-at-all/metrics HTTP/1.0\r\n\r\n'));
    for (const path of NO_PATHS) answers.push(await sendRaw(address, `GET ${path} HTTP/1.1\r\n${HOST}\r\n`));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    for (const host of [
      'parley.example',
      'PARLEY.example.:8080',
      '127.0.0.1:65535',
      '[::1]:80',
      '[2001:db8::1]',
      'web_1',
    ]) {
      const path = `/host-of-${encodeURIComponent(host)}`;
      const answer = await sendRaw(address, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    }
    const paths = server.lines.map(({ path }) => String(path));
    expect(paths.filter((path) => path.includes('host-of-'))).not.toEqual([]);
    expect(paths.filter((path) => /no-host|no-path|metrics/.test(path))).toEqual([]);
    server.lines.length = 0;
    return answers;
  }

  /** A body is refused before any of it is there, where nodes would refuse it, and not before. */
  async function refusesBodies(address: Address): Promise<string[]> {
    const post = (path: string, bytes: number) =>
      sendRaw(
        address,
        `POST ${path} HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`,
      );
    for (const path of ['/api/v1/auth/login', '/api/v1/auth/register', '/api/signup', '/api/v1/auth/refresh']) {
      expect(await post(path, MAX_CREDENTIALS_BYTES)).toMatch(/^HTTP\/1\.1 400 .*"invalid_json"/s);
    }
    expect(await post('/api/v1/sync', MAX_BODY_BYTES)).toMatch(/^HTTP\/1\.1 401 /);
    server.lines.length = 0;
    const answers: string[] = [];
    for (const path of ['/api/v1/auth/login', '/api/v1/auth/x/../register', '/api/signup']) {
      answers.push(await post(path, MAX_CREDENTIALS_BYTES + 1));
    }
    answers.push(await post('/api/v1/sync', MAX_BODY_BYTES + 1));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(server.lines).toEqual([]);
    return answers;
  }

  test('by the template, in the shape of every failure', async () => {
    const port = fixedPort();
    proxies.push(await TestProxy.start({ folder: join(temporaryFolder(), 'proxy'), listen: String(port), nodes }));
    const shape = (code: string) => ({ code, message: expect.any(String), request_id: expect.any(String) });
    for (const answer of await refuses({ port, isSecure: false })) {
      expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toEqual(shape('invalid_request'));
    }
    for (const answer of await refusesBodies({ port, isSecure: false })) {
      expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toEqual(shape('payload_too_large'));
    }
  });

  test('by the example of docs/OPERATIONS.md', async () => {
    const port = fixedPort();
    proxies.push(await startDocumented({ port, clear: fixedPort(), nodes }));
    await refuses({ port, isSecure: true });
    await refusesBodies({ port, isSecure: true });
  });
});

interface Address {
  port: number;
  isSecure: boolean;
}

/** Sends every attack some times; whoever asks beside it is answered, each time. */
async function attack(address: Address): Promise<void> {
  for (const [name, text] of Object.entries(ATTACKS)) {
    for (let time = 0; time < TIMES; time++) {
      await sendRaw(address, text);
      const answers = await Promise.all(Array.from({ length: BESIDE }, () => ask(address)));
      expect({ after: name, answers }).toEqual({ after: name, answers: answers.map(() => 200) });
    }
  }
}

async function ask({ port, isSecure }: Address): Promise<number> {
  const url = `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}/api/v1/health`;
  const answer = await fetch(url, { tls: { rejectUnauthorized: false } });
  await answer.body?.cancel();
  return answer.status;
}

/** Writes bytes as they are and resolves with what came back, once the connection is closed. */
function sendRaw({ port, isSecure }: Address, text: string): Promise<string> {
  const options = { host: '127.0.0.1', port };
  const tcp = isSecure ? connectTls({ ...options, rejectUnauthorized: false }) : connectTcp(options);
  return new Promise((resolve) => {
    let answer = '';
    tcp.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      // A connection that was to become something else is kept by the proxy.
      if (/Upgrade:/.test(text)) tcp.destroy();
    });
    tcp.on('error', () => {}); // a refusal may come as a reset
    tcp.on('close', () => resolve(answer));
    // Not ended: to a client that goes away the proxy owes nothing, and asks no second node.
    tcp.write(Buffer.from(text, 'latin1'));
  });
}

interface Documented {
  /** Where it speaks TLS, and where not. */
  port: number;
  clear: number;
  nodes: string[];
}

/** The examples as they are printed, with this machine's addresses and a certificate that nobody signed. */
async function startDocumented({ port, clear, nodes }: Documented): Promise<{ stop(): Promise<unknown> }> {
  const examples = [...readFileSync(OPERATIONS, 'utf8').matchAll(/```nginx\n(.+?)```/gs)].map(([, text]) => text);
  const folder = join(temporaryFolder(), 'documented');
  mkdirSync(folder);
  Bun.spawnSync(
    [
      ...'openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=parley.example'.split(' '),
      '-keyout',
      'key',
      '-out',
      'cert',
    ],
    { cwd: folder, stdout: 'ignore', stderr: 'ignore' },
  );
  const place = new Map([
    ['443 ssl', `127.0.0.1:${port} ssl`],
    ['listen 80;', `listen 127.0.0.1:${clear};`],
    ['10.0.0.11:8080', nodes[0]!],
    ['10.0.0.12:8080', nodes[1]!],
    ['/etc/letsencrypt/live/chat.example.com/fullchain.pem', join(folder, 'cert')],
    ['/etc/letsencrypt/live/chat.example.com/privkey.pem', join(folder, 'key')],
    ['/var/log/nginx/access.log', join(folder, 'access.log')],
  ]);
  let filledIn = examples.join('\n');
  for (const [printed, own] of place) {
    expect(filledIn).toContain(printed);
    filledIn = filledIn.replaceAll(printed, own);
  }
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const path = join(folder, 'nginx.conf');
  writeFileSync(
    path,
    `pid ${folder}/pid; ${user}\nevents {}\nhttp {\nclient_body_temp_path ${folder};\n${filledIn}\n}\n`,
  );
  const child: Subprocess = Bun.spawn([nginx!, '-e', 'stderr', '-c', path, '-g', 'daemon off;'], {
    stdout: 'ignore',
    stderr: 'ignore',
  });
  await eventually('the proxy of the document answers', () =>
    ask({ port, isSecure: true }).then(
      (status) => status === 200,
      () => false,
    ),
  );
  return {
    stop: () => {
      child.kill('SIGTERM');
      return child.exited;
    },
  };
}
