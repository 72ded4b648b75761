import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { ERRORS } from '../../protocol/errors.ts';
import { eventually } from '../support/eventually.ts';
import { type Person, signUp } from '../support/people.ts';
import { type RawAnswer, sendRaw } from '../support/raw-request.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);

let server: TestServer;
let alice: Person;

beforeAll(async () => {
  server = await startServer();
  alice = await signUp(server, 'alice');
});
afterAll(endServers);

const ask = (start: string, ...headers: string[]) => sendRaw(server, `${[start, ...headers].join('\r\n')}\r\n\r\n`);
const get = (path: string, ...hosts: string[]) =>
  ask(`GET ${path} HTTP/1.1`, ...hosts.map((host) => `Host: ${host}`), 'Connection: close');

function expectRefusal({ status, body, headers }: RawAnswer): void {
  expect([status, body?.code]).toEqual([400, 'invalid_request']);
  expect(Object.keys(body).sort()).toEqual(['code', 'message', 'request_id']);
  expect(body.request_id).toBe(headers.get('x-request-id'));
}

/** What is no host (RFC 9110 §7.2, RFC 3986 §3.2.2), or none that a URL can have. */
const NO_HOSTS = [
  'a@b',
  'user:password@parley.example',
  '@',
  'a/b',
  'a?b',
  'a#b',
  'a\\b',
  'a b',
  'a\tb',
  'a, b',
  'a,b',
  'a"b',
  'a<b>',
  'a|b',
  'a^b',
  'a`b',
  'a{b}',
  'a;b',
  "a'b",
  'a!b',
  'a=b',
  'a%b',
  'a%40b',
  'a%2Fb',
  '%61',
  'caf\xe9',
  'a\x7fb',
  '',
  ' ',
  ':',
  ':80',
  'a:99999',
  'a:65536',
  'a:-1',
  'a:+80',
  'a:80:90',
  'a:8o',
  'a: 80',
  'a :80',
  '[::1',
  '::1]',
  '::1',
  '[]',
  '[::1]a',
  '[::1]:99999',
  '[::g]',
  '[1:2:3]',
  '[fe80::1%25eth0]',
  '[fe80::1%eth0]',
  '[v1.a:b]',
  '[127.0.0.1]',
  '999.1.1.1',
  '1.2.3.4.5',
  'http://parley.example',
  'parley.example/metrics?',
  'xn--a',
];

const HOSTS = [
  'parley.example',
  'PARLEY.example:8080',
  'parley.example.',
  'parley.example:',
  'parley.example:65535',
  'localhost:8080',
  'web_1',
  '127.0.0.1',
  '127.0.0.1:9090',
  '[::1]',
  '[::1]:8080',
  '[2001:db8::192.0.2.1]:80',
  'xn--mnchen-3ya.example',
];

describe('a request', () => {
  test.each(NO_HOSTS)('for the Host %j is refused, whatever path its runtime would make of it', async (host) => {
    for (const path of ['/abc/metrics', '/abc/api/v1/health', '/metrics', '/nope']) {
      expectRefusal(await get(path, host));
    }
  });

  test('for an empty Host is refused also where it is the first that comes', async () => {
    const { url } = (await startServer()).nodes[0]!;
    expectRefusal(await sendRaw({ url }, 'GET /abc/metrics HTTP/1.1\r\nHost:\r\n\r\n'));
  });

  test.each(HOSTS)('for the Host %j is answered by its path', async (host) => {
    expect((await get('/api/v1/health', host)).status).toBe(200);
    expect((await get('/metrics', host)).status).toBe(200);
    expect((await get('/abc/metrics', host)).body.code).toBe('not_found');
  });

  test('for two Hosts is refused, whichever they are, and wherever they stand', async () => {
    for (const hosts of [
      ['a', 'b'],
      ['a', 'a'],
      ['a', ''],
      ['', 'a'],
      ['a@b', 'a'],
      ['a', 'b', 'c'],
    ]) {
      expectRefusal(await get('/abc/metrics', ...hosts));
    }
    expectRefusal(await ask('GET /metrics HTTP/1.1', 'Host: a', 'Accept: */*', 'HOST: b'));
  });

  test('without a Host is refused, also where its HTTP need not have one', async () => {
    // The runtime itself refuses it in HTTP/1.1: its answer has no body.
    expect((await get('/metrics')).status).toBe(400);
    expectRefusal(await ask('GET /abc/metrics HTTP/1.0'));
    expect((await ask('GET /api/v1/health HTTP/1.0', 'Host: parley.example')).status).toBe(200);
  });

  test('of any method is refused, with a body or without', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const preflight = ['Origin: http://localhost:5173', 'Access-Control-Request-Method: POST'];
      expectRefusal(await ask(`${method} /api/v1/auth/login HTTP/1.1`, 'Host: a@b', ...preflight));
      expectRefusal(await ask(`${method} /api/v1/auth/login HTTP/1.1`, 'Host: [::1', 'Content-Length: 0'));
      expectRefusal(await ask(`${method} /api/v1/auth/login HTTP/1.1`, 'Host: a/b', 'Content-Length: 10000000'));
      expectRefusal(await ask(`${method} /x HTTP/1.1`, 'Host: a?b', 'Transfer-Encoding: chunked'));
    }
    expect((await ask('HEAD /abc/metrics HTTP/1.1', 'Host: a@b', 'Connection: close')).status).toBe(400);
  });

  test('does nothing where it is refused', async () => {
    const body = JSON.stringify({ status: 'changed' });
    const answer = await sendRaw(
      server,
      `PATCH /x/api/v1/users/me HTTP/1.1\r\nHost: a@b\r\nContent-Type: application/json\r\n` +
        `Authorization: Bearer ${alice.tokens.access_token}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expectRefusal(answer);
    expect((await alice.call('GET', `/users/${alice.id}`)).body).not.toHaveProperty('status');
  });

  test('opens no socket for a Host that is none', async () => {
    const handshake = (path: string, host: string) =>
      ask(
        `GET ${path}?token=${alice.tokens.access_token} HTTP/1.1`,
        `Host: ${host}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${btoa('sixteen bytes ..')}`,
      );
    for (const host of ['a@b', 'a/b', '[::1', 'a:99999', '', 'caf\xe9', 'a, b']) {
      for (const path of ['/ws', '/abc/ws', '/api/v1/ws']) expectRefusal(await handshake(path, host));
    }
    expect((await handshake('/ws', 'parley.example')).status).toBe(101);
    // Its query, with the token, is in no line of the log.
    expect(JSON.stringify(server.lines)).not.toContain(alice.tokens.access_token);
  });

  test('by an absolute address is answered by the path of that address', async () => {
    for (const address of ['http://parley.example', 'http://user@other.example:81', 'HTTP://x', 'https://x']) {
      expect((await ask(`GET ${address}/api/v1/health HTTP/1.1`, 'Host: parley.example')).status).toBe(200);
      expect((await ask(`GET ${address}/abc/metrics HTTP/1.1`, 'Host: parley.example')).status).toBe(404);
      expectRefusal(await ask(`GET ${address}/metrics HTTP/1.1`, 'Host: a@b'));
    }
  });

  test('that only looks like one is a path like any other', async () => {
    for (const path of ['//parley.example/metrics', '//metrics', '/http://x/metrics', '/@parley.example/metrics']) {
      expect((await get(path, 'parley.example')).status).toBe(404);
    }
    for (const target of ['metrics', '*', 'ftp://x/metrics', 'javascript:1', '?/metrics']) {
      expect((await get(target, 'parley.example')).status).toBe(400);
    }
  });

  test('with a fragment is refused: some end its path there and others do not', async () => {
    for (const target of ['/metrics#', '/metrics#/../abc', '/#/metrics', '/abc?x#y']) {
      expectRefusal(await get(target, 'parley.example'));
    }
  });

  test('goes to where it says, whatever a header names as the host before it', async () => {
    for (const forwarded of ['a@b', 'other.example', '[::1', '', 'a, b']) {
      const answer = await ask(
        'GET /abc/metrics HTTP/1.1',
        'Host: parley.example',
        `X-Forwarded-Host: ${forwarded}`,
        `Forwarded: host="${forwarded}"`,
        'X-Original-URL: /metrics',
        'X-Rewrite-URL: /metrics',
      );
      expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
    }
  });
});

test('what is refused is counted and logged, by the path that its client wrote', async () => {
  await get('/abc/metrics/logged?token=secret', 'a@b');
  const { text } = await get('/metrics', 'parley.example');
  if (server.nodes.length === 1) expect(text).toMatch(/parley_errors_total\{code="invalid_request"\} [1-9]/);
  const { status } = ERRORS.invalid_request;
  const find = async () => server.lines.find((line) => line.path === '/abc/metrics/logged' && line.status === status);
  expect(await eventually('its line', find)).toMatchObject({ msg: 'request', method: 'GET' });
});
