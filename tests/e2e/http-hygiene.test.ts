import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { connect } from 'node:net';
import { type Person, signUp } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);

let server: TestServer;
let alice: Person;

beforeAll(async () => {
  server = await startServer();
  alice = await signUp(server, 'alice');
});
afterAll(endServers);

/** Answers of every kind: pages, files, documents, data, failures of each sort, a preflight. */
const ASKED: [what: string, method: string, path: string, headers?: Record<string, string>][] = [
  ['the web client', 'GET', '/'],
  ['a page', 'GET', '/about'],
  ['the page of the API', 'GET', '/api/docs'],
  ['the page of the metrics', 'GET', '/metrics', { Accept: 'text/html' }],
  ['the metrics', 'GET', '/metrics'],
  ['the worker', 'GET', '/sw.js'],
  ['a script', 'GET', '/assets/swagger-ui.js'],
  ['a style', 'GET', '/assets/base.css'],
  ['an icon', 'GET', '/favicon.ico'],
  ['a picture', 'GET', '/assets/icon-192.png'],
  ['the manifest', 'GET', '/manifest.webmanifest'],
  ['a redirect', 'GET', '/.well-known/change-password'],
  ['a document', 'GET', '/api/v1/openapi.json'],
  ['health', 'GET', '/api/v1/health'],
  ['somebody', 'GET', '/api/v1/auth/me'],
  ['a list', 'GET', '/api/v1/users'],
  ['nobody', 'GET', '/api/v1/auth/me', { Authorization: 'Bearer nonsense' }],
  ['a body that is none', 'POST', '/api/v1/auth/login'],
  ['an address that leads nowhere', 'GET', '/nope'],
  ['a folder', 'GET', '/assets/'],
  ['another method', 'PUT', '/api/v1/health'],
  ['TRACE', 'TRACE', '/'],
  ['a socket without a handshake', 'GET', '/ws'],
  [
    'a preflight',
    'OPTIONS',
    '/api/v1/users/me',
    { Origin: 'http://localhost:5173', 'Access-Control-Request-Method': 'PATCH' },
  ],
];

describe.each(ASKED)('%s', (_what, method, path, headers) => {
  let answer: { status: number; headers: Headers };

  beforeAll(async () => {
    answer = await ask(method, path, headers);
  });

  test('is taken by browsers for what it says it is, and framed, loaded and opened by nobody else', () => {
    const header = (name: string) => answer.headers.get(name);
    expect(header('x-content-type-options')).toBe('nosniff');
    expect(header('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
    expect(header('referrer-policy')).toBe('no-referrer');
    expect(header('cross-origin-opener-policy')).toBe('same-origin');
    expect(header('cross-origin-resource-policy')).toBe('same-site');
    const policy = (header('content-security-policy') ?? '').split(/;\s*/);
    for (const directive of ["default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"]) {
      expect(policy).toContain(directive);
    }
    expect(policy.join()).not.toMatch(/unsafe|\*|https?:/);
    for (const telling of ['server', 'x-powered-by', 'via']) expect(header(telling)).toBeNull();
  });

  test('has a type that says its encoding, where it is text', () => {
    const type = answer.headers.get('content-type');
    if ([204, 302].includes(answer.status)) expect(type).toBeNull();
    else expect(type).toMatch(/^(application\/(manifest\+)?json|image\/png|[\w/+-]+;.*charset=utf-8)$/i);
  });
});

test('an answer tells nothing back of the request that TRACE would', async () => {
  const text = await raw(
    server,
    'TRACE / HTTP/1.1\r\nHost: HOST\r\nX-Secret: told-to-nobody\r\nConnection: close\r\n\r\n',
  );
  expect(text).toMatch(/^HTTP\/1\.1 405 /);
  expect(text).not.toContain('told-to-nobody');
});

test('a parameter that is given twice is refused, wherever one is meant, and a body’s says nothing in the query', async () => {
  for (const path of [
    '/users?limit=1&limit=2',
    '/users?query=a&query=b',
    '/sync?cursor=a&cursor=b',
    '/sync?limit=1&limit=1',
  ]) {
    const { status, body } = await alice.call('GET', path);
    expect({ path, status, code: body.code }).toEqual({ path, status: 400, code: 'validation_failed' });
  }
  const { body } = await alice.call('PATCH', '/users/me?status=of+the+query', { status: 'of the body' });
  expect(body.status).toBe('of the body');
  expect((await alice.call('PATCH', '/users/me?status=of+the+query', {})).body.status).toBe('of the body');
});

describe('a message whose end is not certain', () => {
  const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n';
  // A call that reads its body: others are answered before all of theirs has come.
  const POST = 'POST /api/v1/auth/refresh HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n';
  const chunked = `0\r\n\r\n${HIDDEN}`;

  test('of one length is followed by the next request: so a hidden one would be answered', async () => {
    expect(await raw(server, `${POST}Content-Length: 2\r\n\r\n{}${HIDDEN}`)).toMatch(
      /^HTTP\/1\.1 401 .*HTTP\/1\.1 404 /s,
    );
  });

  test.each([
    ['a length and chunks', `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`],
    ['two lengths', `Content-Length: 2\r\nContent-Length: 90\r\n\r\n{}${HIDDEN}`],
    ['a length with a sign', `Content-Length: +2\r\n\r\n{}${HIDDEN}`],
    ['a negative length', `Content-Length: -1\r\n\r\n${HIDDEN}`],
    ['a space before the colon', `Content-Length : 2\r\n\r\n{}${HIDDEN}`],
    ['a coding that is nearly chunked', `Transfer-Encoding: xchunked\r\n\r\n${chunked}`],
    ['a coding before the chunks', `Transfer-Encoding: gzip, chunked\r\n\r\n${chunked}`],
    ['chunks before another coding', `Transfer-Encoding: chunked, identity\r\n\r\n${chunked}`],
    ['a chunk whose length is no number', `Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n${chunked}`],
  ])('with %s is refused whole, and what hides behind it is not answered', async (_name, rest) => {
    const text = await raw(server, POST + rest);
    expect(text).not.toMatch(/HTTP\/1\.1 (2|404)/);
    expect(text.match(/HTTP\/1\.1 /g)?.length ?? 0).toBeLessThanOrEqual(1);
  });
});

/** Each on a connection of its own, signed in unless its headers say otherwise. */
async function ask(method: string, path: string, headers: Record<string, string> = {}) {
  const wanted = {
    Authorization: `Bearer ${alice.tokens.access_token}`,
    'Content-Type': 'application/json',
    ...headers,
  };
  if (method === 'TRACE')
    return parse(await raw(server, `TRACE ${path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n`));
  const answer = await fetch(server.url + path, { method, headers: wanted, redirect: 'manual', keepalive: false });
  await answer.arrayBuffer();
  return answer;
}

function parse(text: string): { status: number; headers: Headers } {
  const [start = '', ...lines] = text.split('\r\n\r\n')[0]!.split('\r\n');
  const headers = new Headers(lines.map((line) => line.split(/:\s*(.*)/s).slice(0, 2) as [string, string]));
  return { status: Number(start.split(' ')[1]), headers };
}

/** Writes text as it is, but for the server's HOST, and resolves with what came back, once the server has closed. */
function raw(to: TestServer, text: string): Promise<string> {
  const { hostname, port, host } = new URL(to.url);
  return new Promise((resolve) => {
    let answer = '';
    const tcp = connect({ host: hostname, port: Number(port) });
    tcp.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    tcp.on('error', () => {}); // a refusal may come as a reset
    tcp.on('close', () => resolve(answer));
    tcp.write(text.replaceAll('HOST', host));
  });
}
