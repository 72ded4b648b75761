import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { MIN_COMPRESSED_BYTES } from '../../protocol/limits.ts';
import { burst, range } from '../support/burst.ts';
import { metric } from '../support/metrics.ts';
import { type Person, signUpAll } from '../support/people.ts';
import { endServers, onCluster, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

let server: TestServer;
let alice: Person;
let bob: Person;
let group: string;

beforeAll(async () => {
  server = await startServer();
  [alice, bob] = await signUpAll(server, 'alice', 'bob');
  group = await alice.group([bob]);
  const socket = await alice.connect();
  await burst(
    socket,
    group,
    range(1, 50).map((n) => `message ${n}: ${crypto.randomUUID()}`),
  );
  await socket.close();
});

/** An answer as it was sent. */
async function ask(method: string, path: string, accepted: string | undefined, body?: unknown) {
  const response = await fetch(`${server.url}/api/v1${path}`, {
    method,
    // An empty one is none: without any, this client would send one of its own.
    headers: {
      'accept-encoding': accepted ?? '',
      authorization: `Bearer ${alice.tokens.access_token}`,
      'content-type': 'application/json',
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    decompress: false,
  });
  const bytes = await response.bytes();
  const { status, headers } = response;
  return { status, bytes, encoding: headers.get('content-encoding'), vary: headers.get('vary') ?? '' };
}

const DECODERS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};
const textOf = ({ bytes, encoding }: { bytes: Uint8Array; encoding: string | null }) =>
  new TextDecoder().decode(encoding === null ? bytes : DECODERS[encoding]!(bytes));

test.each([
  ['', null],
  ['identity', null],
  ['gzip', 'gzip'],
  ['gzip, deflate, br', 'br'],
  ['gzip, deflate, br, zstd', 'zstd'],
  ['zstd;q=0, br;q=0, gzip', 'gzip'],
  ['gzip;q=0', null],
  ['*;q=0', null],
])('a page for who accepts “%s” comes as %p, and is the same page', async (accepted, encoding) => {
  const path = `/conversations/${group}/messages`;
  const answer = await ask('GET', path, accepted);
  expect([answer.status, answer.encoding]).toEqual([200, encoding]);
  expect(answer.vary.toLowerCase()).toContain('accept-encoding');
  const text = textOf(answer);
  expect(JSON.parse(text)).toEqual((await alice.call('GET', path)).body);
  if (encoding) expect(answer.bytes.length).toBeLessThan(text.length / 2);
  const head = await ask('HEAD', path, accepted);
  expect([head.status, head.encoding, head.bytes.length]).toEqual([200, encoding, 0]);
});

test('the answer to a sync is compressed, and so are the API documents', async () => {
  const held = { conversations: [{ id: group, rev: 1, marks_rev: 0 }] };
  for (const [method, path, body] of [
    ['POST', '/sync', held],
    ['GET', '/openapi.json', undefined],
    ['GET', '/asyncapi.json', undefined],
  ] as const) {
    for (const encoding of ['gzip', 'br', 'zstd']) {
      const answer = await ask(method, path, encoding, body);
      expect({ path, encoding: answer.encoding }).toEqual({ path, encoding });
      expect(answer.vary.toLowerCase()).toContain('accept-encoding');
      expect(textOf(answer)).toBe(textOf(await ask(method, path, 'identity', body)));
    }
  }
});

test('what is short is sent as it is', async () => {
  const message = await ask('POST', `/conversations/${group}/messages`, '*', { content: 'short' });
  expect([message.status, message.encoding]).toEqual([201, null]);
  expect(message.bytes.length).toBeLessThan(MIN_COMPRESSED_BYTES);
  expect((await ask('GET', '/auth/me', '*')).encoding).toBeNull();
  const long = await ask('POST', `/conversations/${group}/messages`, '*', { content: 'long '.repeat(500) });
  expect([long.status, long.encoding]).toEqual([201, 'zstd']);
});

test('what holds tokens is never compressed, however long it is', async () => {
  // The longest names that there are: with them the answers are longer than what is compressed elsewhere.
  const display_name = '𝕄'.repeat(100);
  const status = '𝕄'.repeat(200);
  const password = 'correct horse battery';
  const email = `long-${process.pid}@example.com`;
  const registered = await ask('POST', '/auth/register', '*', { email, password, display_name });
  const { tokens } = JSON.parse(textOf(registered));
  const patched = await fetch(`${server.url}/api/v1/users/me`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${tokens.access_token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ status }),
  });
  expect([patched.status, patched.headers.get('content-encoding') !== null]).toEqual([200, true]);
  const answers = [registered, await ask('POST', '/auth/login', '*', { email, password })];
  expect(answers[1]!.bytes.length).toBeGreaterThan(MIN_COMPRESSED_BYTES);
  answers.push(await ask('POST', '/auth/refresh', '*', { refresh_token: tokens.refresh_token }));
  for (const answer of answers) {
    expect([answer.encoding, answer.vary.toLowerCase().includes('accept-encoding')]).toEqual([null, false]);
    expect(textOf(answer)).toContain('access_token');
  }
});

// What one process holds.
if (!onCluster) {
  test('a HEAD of a long page leaves no answer behind that waits for its reader', async () => {
    const socket = await alice.connect();
    await burst(
      socket,
      group,
      range(1, 40).map((n) => `${n} ${'𝕄'.repeat(3990)}`),
    );
    await socket.close();
    const path = `/conversations/${group}/messages?limit=40`;
    expect((await ask('GET', path, 'identity')).bytes.length).toBeGreaterThan(512 * 1024);
    for (let n = 0; n < 5; n++) expect((await ask('HEAD', path, 'identity')).status).toBe(200);
    expect(await metric(server, 'parley_answers_under_way')).toBe(0);
  });
}
