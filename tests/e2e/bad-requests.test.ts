import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { connect } from 'node:net';
import { ERRORS, type ErrorCode } from '../../protocol/errors.ts';
import { type Answer, type Person, request, signUp, signUpAll } from '../support/people.ts';
import { handshake } from '../support/raw-peer.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(120_000);

const password = 'correct horse battery';

let server: TestServer;
let alice: Person;
let bob: Person;
/** Who is in nothing of the others'. */
let outsider: Person;
let group: string;
let message: string;
let document: any;

beforeAll(async () => {
  server = await startServer();
  [alice, bob, outsider] = await signUpAll(server, 'alice', 'bob', 'outsider');
  group = await alice.group([bob], 'Ours');
  message = (await alice.send(group, 'ours alone')).id;
  document = (await request(server, 'GET', '/openapi.json')).body;
});
afterAll(endServers);

/** What may be in no answer: a stack, a path, SQL, or the name of what it is made of. */
const INSIDE = /\bat .+:\d+:\d+|\/server\/|node_modules|sqlite|kysely|zod|\bselect\b.+\bfrom\b|insert into|constraint/i;

/** A failure has the one shape, its code's own status, and nothing of the inside. */
function expectFailure(answer: Answer, code?: ErrorCode): void {
  const { status, body, headers } = answer;
  if (code !== undefined) expect([status, body.code]).toEqual([ERRORS[code].status, code]);
  if (body.code !== 'mail_unavailable') expect(status).toBeWithin(400, 500);
  expect(ERRORS[body.code as ErrorCode]?.status).toBe(status as any);
  expect(body.message).toBeString();
  expect(body.message.length).toBeGreaterThan(0);
  expect(body.request_id).toBe(headers.get('x-request-id'));
  const { code: _code, message: _message, request_id: _id, errors, ...rest } = body;
  expect(rest).toEqual({});
  if (errors !== undefined) {
    for (const error of errors) expect(error).toEqual({ path: expect.any(String), message: expect.any(String) });
  }
  expect(JSON.stringify(body)).not.toMatch(INSIDE);
}

const post = (path: string, body: unknown, headers?: Record<string, string>) =>
  request(server, 'POST', path, { body, headers, token: alice.tokens.access_token });

describe('a body', () => {
  test('that is not JSON is refused', async () => {
    for (const body of [
      '{',
      '{"content":',
      'content=1',
      "{'content':'x'}",
      '{"a":1}}',
      '[',
      'undefined',
      '\0',
      '{"a":NaN}',
    ]) {
      expectFailure(await post(`/conversations/${group}/messages`, body), 'invalid_json');
    }
    expectFailure(await post(`/conversations/${group}/messages`, '['.repeat(500_000)), 'invalid_json');
    expectFailure(await post('/auth/login', '['.repeat(16_000)), 'invalid_json');
  });

  test('that is JSON but no object is refused', async () => {
    for (const body of ['null', '[]', '"text"', '1', 'true', '[{"content":"x"}]']) {
      expectFailure(await post(`/conversations/${group}/messages`, body), 'validation_failed');
      expectFailure(await post('/auth/register', body), 'validation_failed');
    }
  });

  test('that is of another type than JSON is refused', async () => {
    for (const [type, body] of [
      ['text/plain', '{"content":"x"}'],
      ['application/x-www-form-urlencoded', 'content=x'],
      ['multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="content"\r\n\r\nx\r\n--x--'],
      ['application/xml', '<content/>'],
      ['', '{"content":"x"}'],
    ] as const) {
      expectFailure(
        await post(`/conversations/${group}/messages`, body, { 'content-type': type }),
        'unsupported_media_type',
      );
    }
    const typed = { 'content-type': 'Application/JSON; charset=UTF-8' };
    expect((await post(`/conversations/${group}/messages`, '{"content":"typed"}', typed)).status).toBe(201);
  });

  test('that is empty counts as {}, whatever its type', async () => {
    const types: Record<string, string>[] = [
      {},
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/json' },
    ];
    for (const headers of types) {
      expectFailure(await request(server, 'POST', '/auth/refresh', { headers }), 'missing_token');
      expectFailure(await request(server, 'POST', '/auth/login', { headers }), 'validation_failed');
    }
    expect((await request(server, 'POST', '/auth/logout')).status).toBe(200);
    expect((await alice.call('PATCH', '/users/me')).body).toEqual(alice.user);
    const chunked = await fetch(`${server.url}/api/v1/auth/refresh`, {
      method: 'POST',
      body: new ReadableStream({ start: (stream) => stream.close() }),
    });
    expect(chunked.status).toBe(401);
  });

  test('of 10 MB is refused, whether it says its length or not', async () => {
    const megabyte = new TextEncoder().encode('x'.repeat(1024 * 1024));
    const streamed = () => {
      let left = 10;
      return new ReadableStream({ pull: (stream) => (left-- > 0 ? stream.enqueue(megabyte) : stream.close()) });
    };
    const whole = () => JSON.stringify({ content: 'x'.repeat(10 * 1024 * 1024) });
    for (const path of ['/auth/login', '/auth/register', `/conversations/${group}/messages`]) {
      for (const body of [whole(), streamed()]) {
        const response = await fetch(`${server.url}/api/v1${path}`, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/json', authorization: `Bearer ${alice.tokens.access_token}` },
        });
        expectFailure({ ...response, ...(await answerOf(response)) }, 'payload_too_large');
      }
    }
    expect((await request(server, 'GET', '/health')).status).toBe(200);
  });

  test('may hold fields that nobody knows, and keys out of Object.prototype', async () => {
    const body =
      '{"content":"kept","__proto__":{"content":"no"},"constructor":{"prototype":{}},"toString":1,"nobody":{}}';
    const sent = await post(`/conversations/${group}/messages`, body);
    expect([sent.status, sent.body.content]).toEqual([201, 'kept']);
    const proto = '{"__proto__":{"content":"inherited","email":"a@example.com","password":"correct horse"}}';
    expectFailure(await post(`/conversations/${group}/messages`, proto), 'validation_failed');
    expectFailure(await post('/auth/login', proto), 'validation_failed');
    expectFailure(await post('/auth/register', proto), 'validation_failed');
  });

  test('that lacks fields is refused, and says which', async () => {
    const missing: [string, string, unknown, string[]][] = [
      ['POST', '/auth/register', {}, ['email', 'password']],
      ['POST', '/auth/register', { email: 'a@example.com' }, ['password']],
      ['POST', '/auth/login', { password }, ['email']],
      ['POST', '/auth/login', { email: 'a@example.com' }, ['password']],
      ['POST', '/auth/password', {}, ['current_password', 'new_password']],
      ['DELETE', '/users/me', {}, ['password']],
      ['POST', '/conversations', {}, ['participant_id']],
      ['POST', '/conversations', { participant_ids: [bob.id] }, ['participant_id']],
      ['POST', '/conversations', { name: 'Both', participant_id: bob.id }, ['participant_id']],
      ['POST', `/conversations/${group}/messages`, {}, ['content']],
      ['POST', `/conversations/${group}/participants`, {}, ['user_ids']],
      ['POST', `/conversations/${group}/participants`, { user_ids: [] }, ['user_ids']],
      ['PATCH', `/conversations/${group}/participants/${bob.id}`, {}, ['participant_role']],
      ['PATCH', `/conversations/${group}/messages/${message}`, {}, ['content']],
      ['POST', `/conversations/${group}/read`, {}, ['seq']],
    ];
    for (const [method, path, body, paths] of missing) {
      const answer = await alice.call(method, path, body);
      expectFailure(answer, 'validation_failed');
      expect({ path, errors: answer.body.errors.map((error: any) => error.path) }).toEqual({ path, errors: paths });
    }
  });
});

test('nobody gives themselves a role, an id, or anything else that is not theirs to set', async () => {
  const id = crypto.randomUUID();
  const email = 'mass@example.com';
  const wanted = {
    id,
    role: 'admin',
    is_active: false,
    created_at: 1,
    deleted_at: 1,
    password_hash: 'x',
    avatar_url: 'x',
  };
  const made = await request(server, 'POST', '/auth/register', { body: { email, password, ...wanted } });
  expect(made.status).toBe(201);
  expect(made.body.user).toMatchObject({ role: 'user', is_active: true, email });
  expect(made.body.user.id).not.toBe(id);
  expect(made.body.user.created_at).toBeGreaterThan(1);
  expect(made.body.user).not.toHaveProperty('avatar_url');
  const mine = (method: string, path: string, body: unknown) =>
    request(server, method, path, { body, token: made.body.tokens.access_token });
  const changed = await mine('PATCH', '/users/me', {
    ...wanted,
    email: 'other@example.com',
    unverified_email: 'other@example.com',
    email_proven: 1,
    phone_signs_in: 1,
    has_factor: 1,
    must_change_password: 0,
  });
  expect(changed.body).toEqual(made.body.user);
  expect((await request(server, 'POST', '/auth/login', { body: { email, password } })).status).toBe(200);

  const opened = await mine('POST', '/conversations', {
    name: 'Mine',
    id,
    created_by: bob.id,
    type: 'direct',
    seq: 100,
    rev: 100,
    participants: [{ id: bob.id, participant_role: 'admin' }],
  });
  expect(opened.status).toBe(201);
  expect(opened.body.conversation).toMatchObject({ type: 'group', created_by: made.body.user.id, seq: 1, rev: 1 });
  expect(opened.body.participant_count).toBe(1);

  const sent = await alice.call('POST', `/conversations/${group}/messages`, {
    content: 'signed',
    id,
    sender_id: bob.id,
    sender_username: 'bob',
    seq: 1,
    rev: 1,
    sent_at: 1,
    conversation_id: opened.body.conversation.id,
    deleted_at: 1,
  });
  expect(sent.body).toMatchObject({ sender_id: alice.id, conversation_id: group, content: 'signed' });
  expect([sent.body.id === id, sent.body.seq === 1, sent.body.sent_at === 1]).toEqual([false, false, false]);
  expect(sent.body).not.toHaveProperty('deleted_at');
  expectFailure(await post(`/conversations/${group}/messages`, { content: 'x', type: 'system' }), 'validation_failed');
  const role = await bob.call('PATCH', `/conversations/${group}/participants/${bob.id}`, { participant_role: 'admin' });
  expectFailure(role, 'forbidden');
});

describe('text', () => {
  const send = (content: string) => alice.call('POST', `/conversations/${group}/messages`, { content });

  test('of every script comes back as it was sent', async () => {
    const socket = await bob.connect();
    for (const content of [
      'שלום עולם \u202Eabc\u202C',
      'مرحبا',
      '👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 \uFFFD \uFEFF',
      '𝒳'.repeat(4000),
      "'; drop table messages; --",
      '<script>alert(1)</script>',
      '%00 %s {{x}} \\u0000',
      '\u0001\u0008\u001F\u007F',
      ' \n\tspaces kept\r\n ',
    ]) {
      const sent = await send(content);
      expect([sent.status, sent.body.content]).toEqual([201, content]);
      expect(await socket.next('message')).toMatchObject({ id: sent.body.id, content });
      expect((await bob.history(group)).at(-1)).toMatchObject({ id: sent.body.id, content });
    }
  });

  test('with NUL or lone surrogates is refused wherever text goes', async () => {
    for (const bad of ['a\0b', '\0', 'a\ud800b', '\udc00', '\udc00\ud800']) {
      expectFailure(await send(bad), 'validation_failed');
      expectFailure(
        await post(`/conversations/${group}/messages`, { content: 'x', client_id: bad }),
        'validation_failed',
      );
      expectFailure(await alice.call('PATCH', `/conversations/${group}`, { name: bad }), 'validation_failed');
      expectFailure(await alice.call('PATCH', '/users/me', { display_name: bad }), 'validation_failed');
      expectFailure(await alice.call('PATCH', '/users/me', { status: bad }), 'validation_failed');
      expectFailure(await post('/conversations', { name: bad }), 'validation_failed');
      const edit = await alice.call('PATCH', `/conversations/${group}/messages/${message}`, { content: bad });
      expectFailure(edit, 'validation_failed');
    }
    expectFailure(await alice.call('GET', '/users?query=%00'), 'validation_failed');
  });

  test('is as long as it may be, counted as people count', async () => {
    for (const bad of ['', '   ', '\n\t\u00A0', 'x'.repeat(4001), '😀'.repeat(4001), ' '.repeat(100_000)]) {
      expectFailure(await send(bad), 'validation_failed');
    }
    for (const good of ['x'.repeat(4000), '😀'.repeat(4000), `  ${'x'.repeat(4000)}  `]) {
      expect((await send(good)).status).toBe(201);
    }
  });
});

describe('an address', () => {
  test('that leads nowhere is 404 in the shape of every failure', async () => {
    for (const path of [
      '/api/v1/nope',
      '/api/v2/users',
      '/api/v1/users/me/nope',
      '/api/v1/auth',
      '/api/v1/auth/login/',
      '/api/v1/conversations/',
      '/api/v1/constructor',
      '/api/v1/__proto__',
      '/api',
      '/api/nope',
      '/api/v1/%ff%zz',
    ]) {
      expectFailure(await request(server, 'GET', path, { token: alice.tokens.access_token }), 'not_found');
    }
    for (const path of [
      '/nope',
      '/assets/nope.js',
      '/assets/%2e%2e%2fmain.ts',
      '/.env',
      '/package.json',
      '/data/parley.db',
    ]) {
      const response = await fetch(server.url + path);
      expectFailure(await answerOf(response), 'not_found');
    }
  });

  test('that knows other methods only is 405, and says which', async () => {
    for (const [method, path, allowed] of [
      ['DELETE', '/api/v1/auth/login', ['POST']],
      ['GET', '/api/v1/auth/register', ['POST']],
      ['PUT', '/api/signup', ['POST']],
      ['POST', '/api/v1/users', ['GET']],
      ['PUT', '/api/v1/conversations', ['GET', 'POST']],
      ['DELETE', `/api/v1/conversations/${crypto.randomUUID()}`, ['GET', 'PATCH']],
      ['POST', '/api/v1/health', ['GET']],
      ['POST', '/ws', ['GET']],
      ['DELETE', '/api/v1/openapi.json', ['GET']],
    ] as const) {
      const answer = await request(server, method, path, { token: alice.tokens.access_token });
      expectFailure(answer, 'method_not_allowed');
      expect({ path, allowed: answer.headers.get('allow')?.split(', ').sort() }).toEqual({
        path,
        allowed: [...allowed],
      });
    }
  });

  test('of the socket without a handshake is 426, and names the protocol', async () => {
    for (const path of ['/ws', '/api/v1/ws']) {
      const answer = await request(server, 'GET', path, { token: alice.tokens.access_token });
      expectFailure(answer, 'upgrade_required');
      expect(answer.headers.get('upgrade')).toBe('websocket');
    }
    const incomplete = await fetch(`${server.url}/ws`, {
      headers: { Upgrade: 'websocket', Authorization: `Bearer ${alice.tokens.access_token}` },
    });
    expect(incomplete.status).toBe(426);
  });

  test('asked for at a host that is none is an error like any other', async () => {
    for (const path of ['/ws', '/api/v1/health']) {
      const upgrade = path === '/ws' ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' : 'Connection: close\r\n';
      const text = await raw(`GET ${path} HTTP/1.1\r\nHost: a b[\r\n${upgrade}\r\n`);
      expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(text).not.toMatch(INSIDE);
    }
    expect((await request(server, 'GET', '/health')).status).toBe(200);
  });
});

test('every answer has an X-Request-Id, and what a client sends as one cannot write into a log', async () => {
  const paths = ['/api/v1/health', '/api/v1/nope', '/', '/metrics', '/assets/base.css', '/ws', '/api/v1/auth/me'];
  const ids = new Set<string | null>();
  for (const path of paths) ids.add((await fetch(server.url + path)).headers.get('x-request-id'));
  const preflight = {
    method: 'OPTIONS',
    headers: { Origin: 'http://localhost:5173', 'Access-Control-Request-Method': 'GET' },
  };
  ids.add((await fetch(`${server.url}/api/v1/users`, preflight)).headers.get('x-request-id'));
  ids.add((await handshake(server, '/ws')).headers.get('x-request-id'));
  ids.add((await handshake(server, `/ws?token=${alice.tokens.access_token}`)).headers.get('x-request-id'));
  expect(ids.size).toBe(paths.length + 3);
  for (const id of ids) expect(id).toMatch(/^[\w-]{8,}$/);
  for (const given of ['{"level":60}', 'x'.repeat(1000), 'two words', '<b>']) {
    const answer = await request(server, 'GET', '/nope', { headers: { 'X-Request-Id': given } });
    expect(answer.body.request_id).not.toBe(given);
  }
});

/** Every route of the document, as a table row. */
interface Route {
  method: string;
  path: string;
  operation: any;
}

const routes = (): Route[] =>
  Object.entries<any>(document.paths).flatMap(([path, operations]) =>
    Object.entries<any>(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

/** A body that is right, for each route that takes one. Of a new route the sweeps below ask for its own. */
function goodBody({ method, path }: Route): Record<string, unknown> | undefined {
  const bodies: Record<string, Record<string, unknown>> = {
    'POST /api/v1/auth/register': { email: 'sweep@example.com', password },
    'POST /api/signup': { email: 'sweep@example.com', password },
    'POST /api/v1/auth/login': { email: alice.user.email, password },
    'POST /api/v1/auth/refresh': { refresh_token: 'none' },
    'POST /api/v1/auth/password': { current_password: password, new_password: password },
    'POST /api/v1/auth/mfa': { ticket: 'none', method: 'totp', code: '123456' },
    'POST /api/v1/auth/reauthenticate': { password },
    'PUT /api/v1/auth/totp': { code: '123456' },
    'POST /api/v1/auth/password/forgot': { email: 'sweep@example.com' },
    'POST /api/v1/auth/password/reset': { token: 'none', new_password: password },
    'POST /api/v1/auth/email/verify': { token: 'none' },
    'POST /api/v1/auth/email': { new_email: 'swept@example.com' },
    'PATCH /api/v1/users/me': { display_name: 'Sweeper' },
    'DELETE /api/v1/users/me': { password: 'not this one' },
    'POST /api/v1/conversations': { participant_id: bob.id },
    'POST /api/v1/sync': { conversations: [{ id: group, rev: 1, marks_rev: 0 }], limit: 10 },
    'PATCH /api/v1/conversations/{id}': { name: 'Swept' },
    'POST /api/v1/conversations/{id}/participants': { user_ids: [bob.id] },
    'PATCH /api/v1/conversations/{id}/participants/{user_id}': { participant_role: 'admin' },
    'POST /api/v1/conversations/{id}/messages': { content: 'swept' },
    'PATCH /api/v1/conversations/{id}/messages/{message_id}': { content: 'swept' },
    'POST /api/v1/conversations/{id}/read': { seq: 1 },
  };
  return bodies[`${method} ${path}`];
}

/** The address of a route, with what belongs into its places, or what is given for one of them. */
function fill(path: string, given: Record<string, string> = {}): string {
  const good: Record<string, string> = { id: group, user_id: bob.id, message_id: message, emoji: '👍' };
  if (path === '/api/v1/users/{id}') good.id = bob.id;
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = given[name] ?? encodeURIComponent(good[name]!);
    if (value === undefined) throw new Error(`nothing fits {${name}} of ${path}`);
    return value;
  });
}

const WRONG_VALUES: unknown[] = [
  null,
  {},
  [],
  [[]],
  [null],
  true,
  0,
  -1,
  1.5,
  1e308,
  '',
  ' ',
  'nonsense',
  '\0',
  '\ud800',
  'x'.repeat(100_000),
  { toString: 'x', length: 5 },
  { $gt: '' },
  "' or 1=1 --",
  crypto.randomUUID(),
  '00000000-0000-0000-0000-000000000000',
  Array.from({ length: 2000 }, () => 'x'),
];

/** As they stand in an address. */
const WRONG_PLACES = [
  'not-an-id',
  '%00',
  '%ff',
  '%zz',
  '..%2f..%2fetc%2fpasswd',
  '__proto__',
  'constructor',
  '%27%20or%201%3D1%20--',
  '%F0%9F%98%80',
  '-1',
  'null',
  'x'.repeat(3000),
  '00000000-0000-0000-0000-000000000000',
];

const WRONG_QUERIES = [
  'limit=0',
  'limit=-1',
  'limit=101010',
  'limit=abc',
  'limit=1.5',
  'limit=',
  'limit=Infinity',
  'limit=1&limit=2',
  'limit[a]=1',
  'cursor=nonsense',
  'cursor=%00',
  'cursor=',
  ...[
    {},
    { before: -1 },
    { before: 1e308 },
    { id: 1 },
    { username_key: {} },
    { username_key: 'a\0' },
    { username_key: '\ud800' },
    { display_name_key: '\0', id: crypto.randomUUID() },
    { updatedAt: 'x' },
    null,
    [],
  ].map((place) => `cursor=${Buffer.from(JSON.stringify(place)).toString('base64url')}`),
  `cursor=${'A'.repeat(5000)}`,
  `cursor=${'A'.repeat(7000)}`,
  'query=%00',
  'query=%ff',
  `query=${'x'.repeat(5000)}`,
  'since=-1',
  'since=abc',
  'since=1e300',
  'since=',
  'marks_since=x&since=0',
  'around=not-an-id',
  `around=${crypto.randomUUID()}`,
  'rev=x',
  '__proto__=1&constructor=2',
];

describe('on every route of the document', () => {
  test('there is a body to start from where one is needed', () => {
    expect(routes().length).toBeGreaterThan(20);
    for (const route of routes()) {
      if (route.operation.requestBody)
        expect({ ...route, body: goodBody(route) !== undefined }).toMatchObject({ body: true });
    }
  });

  test('nonsense of every kind gets an error of the contract, and nothing of the inside', async () => {
    let asked = 0;
    const check = async (who: Person, route: Route, path: string, body?: unknown) => {
      asked++;
      const { method } = route;
      const answer = await request(server, method, path, { body, token: who.tokens.access_token }).catch((error) => {
        throw new Error(`${method} ${path} ${JSON.stringify(body)?.slice(0, 200)}: ${error}`);
      });
      const what = {
        method,
        path: path.slice(0, 200),
        body: JSON.stringify(body)?.slice(0, 200),
        status: answer.status,
      };
      // That the installation has no mail is an answer of the contract, too.
      const fine = answer.status < 500 || answer.body.code === 'mail_unavailable';
      expect({ ...what, fine }).toEqual({ ...what, fine: true });
      if (answer.status >= 400) expectFailure(answer);
      return answer;
    };
    for (const route of routes()) {
      // Some routes end the session that asks.
      const sweeper = await signUp(server, 'sweeper');
      await alice.call('POST', `/conversations/${group}/participants`, { user_ids: [sweeper.id] });
      const { path, operation } = route;
      const body = goodBody(route);
      for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
        for (const wrong of WRONG_PLACES) await check(sweeper, route, fill(path, { [name!]: wrong }), body);
      }
      for (const query of WRONG_QUERIES) {
        if (route.method === 'GET') await check(sweeper, route, `${fill(path)}?${query}`);
      }
      if (body === undefined) {
        await check(sweeper, route, fill(path), route.method === 'GET' ? undefined : { surprise: true });
        continue;
      }
      for (const field of Object.keys(schemaOf(operation).properties)) {
        for (const wrong of WRONG_VALUES) await check(sweeper, route, fill(path), { ...body, [field]: wrong });
      }
      for (const whole of ['null', '[]', '{', '"x"', '{"__proto__":null}']) {
        expectFailure(await check(sweeper, route, fill(path), whole).then(orSuccess));
      }
    }
    expect(asked).toBeGreaterThan(1000);
    expect(server.lines.filter((line) => Number(line.level) >= 50)).toEqual([]);
    expect(server.errors).not.toMatch(INSIDE);
  });

  test('whoever is not signed in gets 401, and nothing happens', async () => {
    const open = routes().filter(isOpen);
    expect(open.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      'GET /api/v1/health',
      'GET /api/v1/health/ready',
      'GET /api/v1/server',
      'POST /api/signup',
      'POST /api/v1/auth/email/verify',
      'POST /api/v1/auth/login',
      'POST /api/v1/auth/logout',
      'POST /api/v1/auth/mfa',
      'POST /api/v1/auth/password/forgot',
      'POST /api/v1/auth/password/reset',
      'POST /api/v1/auth/refresh',
      'POST /api/v1/auth/register',
    ]);
    const before = (await alice.call('GET', `/conversations/${group}`)).body;
    for (const route of routes()) {
      if (isOpen(route)) continue;
      const ask = (options: object) =>
        request(server, route.method, fill(route.path), { body: goodBody(route), ...options });
      expectFailure(await ask({}), 'missing_token');
      expectFailure(await ask({ token: 'nonsense' }), 'invalid_token');
      // Who it is comes before what it says.
      expectFailure(await ask({ body: route.method === 'GET' ? undefined : '{' }), 'missing_token');
    }
    expect((await alice.call('GET', `/conversations/${group}`)).body).toEqual(before);
  });

  test('other people’s conversations are not there, exactly like those that never were', async () => {
    const guarded = routes().filter(({ path }) => path.startsWith('/api/v1/conversations/{id}'));
    expect(guarded.length).toBeGreaterThan(10);
    const before = (await alice.call('GET', `/conversations/${group}`)).body;
    const socket = await alice.connect();
    for (const route of guarded) {
      const query = route.path.endsWith('/changes') ? '?since=0' : '';
      const said: unknown[] = [];
      for (const id of [group, crypto.randomUUID()]) {
        const path = fill(route.path, { id }) + query;
        const answer = await outsider.call(route.method, path, goodBody(route));
        expectFailure(answer, 'conversation_not_found');
        const { request_id: _, ...rest } = answer.body;
        said.push(rest);
      }
      expect(said[0]).toEqual(said[1]);
    }
    await socket.settle();
    expect(new Set(socket.frames.map((frame) => frame.event))).toEqual(new Set(['ready', 'pong']));
    expect((await alice.call('GET', `/conversations/${group}`)).body).toEqual(before);
  });

  test('a participant’s message of one conversation is not reached through another', async () => {
    const own = await outsider.group([], 'Own');
    const guarded = routes().filter(({ path }) => path.includes('{message_id}'));
    expect(guarded.length).toBeGreaterThan(3);
    for (const route of guarded) {
      const answer = await outsider.call(route.method, fill(route.path, { id: own }), goodBody(route));
      expectFailure(answer, 'message_not_found');
    }
    const around = await outsider.call('GET', `/conversations/${own}/messages?around=${message}`);
    expectFailure(around, 'message_not_found');
  });
});

/** Whether nobody needs to be signed in. */
function isOpen({ operation: { security = [{}] } }: Route): boolean {
  return security.some((way: object) => Object.keys(way).length === 0);
}

function schemaOf(operation: any): any {
  const { schema } = operation.requestBody.content['application/json'];
  return schema.$ref ? document.components.schemas[schema.$ref.split('/').at(-1)] : schema;
}

/** A route that needs nothing takes `{}`, and so an object with foreign keys: that is no failure to look at. */
function orSuccess(answer: Answer): Answer {
  if (answer.status >= 400) return answer;
  const body = { code: 'validation_failed', message: 'x', request_id: answer.headers.get('x-request-id') };
  return { ...answer, status: 400, body };
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** What is answered to a request that no client would write. */
function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setEncoding('utf8');
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
    socket.on('data', (chunk) => {
      received += chunk;
      if (received.endsWith('}')) socket.destroy();
    });
  });
}
