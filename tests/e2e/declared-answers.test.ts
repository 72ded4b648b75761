import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { MAX_BODY_BYTES, MAX_CREDENTIALS_BYTES, MAX_CURSOR_LENGTH } from '../../protocol/limits.ts';
import { type Person, request, signUpAll } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

let server: TestServer;
let alice: Person;
let bob: Person;
let group: string;
let message: string;
let document: any;

beforeAll(async () => {
  server = await startServer();
  [alice, bob] = await signUpAll(server, 'alice', 'bob');
  group = await alice.group([bob]);
  message = (await alice.send(group, 'hello')).id;
  document = (await request(server, 'GET', '/openapi.json')).body;
});

interface Operation {
  name: string;
  method: string;
  path: string;
  /** What the document says of it. */
  said: any;
}

function operations(): Operation[] {
  return Object.entries<any>(document.paths).flatMap(([path, methods]) =>
    Object.entries<any>(methods).map(([method, said]) => ({
      name: `${method} ${path}`,
      method: method.toUpperCase(),
      path,
      said,
    })),
  );
}

const needsSession = ({ said: { security = [{}] } }: Operation) =>
  security.every((way: object) => Object.keys(way).length > 0);
const isWrite = ({ method }: Operation) => method !== 'GET';
const hasBody = ({ said }: Operation) => said.requestBody !== undefined;
const hasRequest = (one: Operation) =>
  hasBody(one) || (one.said.parameters ?? []).some((parameter: any) => parameter.in !== 'header');
const declares = ({ said }: Operation, status: number, code: string) =>
  said.responses[status]?.description.includes(`\`${code}\``) ?? false;

describe('the OpenAPI document', () => {
  test('has an id of its own for each operation, as a client’s function would be named', () => {
    const ids = operations().map(({ said }) => said.operationId);
    expect(ids.length).toBeGreaterThan(25);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z]+(?:[A-Z][a-z]+)*$/);
    expect(ids).toContain('sendMessage');
  });

  test('says of each operation all that it can fail with by its kind', () => {
    for (const one of operations()) {
      const { name } = one;
      const said = {
        name,
        missing_token: declares(one, 401, 'missing_token'),
        invalid_token: declares(one, 401, 'invalid_token'),
        token_expired: declares(one, 401, 'token_expired'),
        origin_not_allowed: declares(one, 403, 'origin_not_allowed'),
        validation_failed: declares(one, 400, 'validation_failed'),
        invalid_json: declares(one, 400, 'invalid_json'),
        method_not_allowed: declares(one, 405, 'method_not_allowed'),
        payload_too_large: declares(one, 413, 'payload_too_large'),
        unsupported_media_type: declares(one, 415, 'unsupported_media_type'),
        rate_limited: declares(one, 429, 'rate_limited'),
        internal: declares(one, 500, 'internal'),
        unavailable: declares(one, 503, 'unavailable'),
      };
      // Refreshing and leaving read cookies too, though nobody needs to be signed in for them; nor for a link, but for a code.
      const readToken = ['post /api/v1/auth/refresh', 'post /api/v1/auth/email/verify'];
      const byToken = needsSession(one) || readToken.includes(name);
      const byCookie = (byToken || name === 'post /api/v1/auth/logout') && isWrite(one);
      expect(said).toEqual({
        name,
        missing_token: byToken,
        invalid_token: byToken,
        token_expired: byToken,
        origin_not_allowed: byCookie,
        validation_failed: hasRequest(one),
        invalid_json: hasBody(one),
        method_not_allowed: true,
        payload_too_large: hasBody(one),
        unsupported_media_type: hasBody(one),
        rate_limited: true,
        internal: true,
        unavailable: true,
      });
    }
  });

  test('names the headers of answers', () => {
    for (const { name, said } of operations()) {
      for (const [status, { headers = {} }] of Object.entries<any>(said.responses)) {
        const names = Object.keys(headers);
        expect({ name, status, names }).toEqual({ name, status, names: expect.arrayContaining(['X-Request-Id']) });
        if (status === '405') expect(names).toContain('Allow');
        if (status === '429') expect(names).toEqual(expect.arrayContaining(['Retry-After', 'RateLimit-Limit']));
        if (status === '503') expect(names).toContain('Retry-After');
      }
    }
  });

  test('says which fields go together, what must be there, and how short a text may be', () => {
    const { schemas } = document.components;
    const each = (...fields: string[]) => fields.map((field) => ({ required: [field] }));
    expect(document.info.license).toEqual({ name: 'MIT', identifier: 'MIT' });
    expect(schemas.CreateConversationBody.oneOf).toEqual(each('participant_id', 'participant_email', 'name'));
    expect(schemas.LoginBody.anyOf).toEqual(each('email', 'username', 'phone_number'));
    expect(schemas.SendMessageBody.properties.content.minLength).toBe(1);
    const query = (path: string, name: string) =>
      document.paths[`/api/v1${path}`].get.parameters.find((one: any) => one.in === 'query' && one.name === name);
    expect(query('/conversations/{id}/changes', 'since').required).toBe(true);
    expect(query('/conversations/{id}/changes', 'marks_since').required).toBe(false);
    const bounds = { minLength: 1, maxLength: MAX_CURSOR_LENGTH };
    expect(schemas.SyncBody.properties.cursor).toMatchObject(bounds);
    for (const list of ['/users', '/conversations', '/sync', '/conversations/{id}/messages']) {
      expect(query(list, 'cursor').schema).toMatchObject(bounds);
    }
  });

  test('is right about fields that go together: what it allows is taken, and nothing else', async () => {
    const login = (body: object) =>
      request(server, 'POST', '/auth/login', { body: { ...body, password: alice.password } });
    const { email, username } = alice.user;
    for (const body of [{ email }, { username }, { email, username }]) expect((await login(body)).status).toBe(200);
    expect((await login({})).body.code).toBe('validation_failed');
    const open = (body: object) => alice.call('POST', '/conversations', body);
    expect((await open({ participant_id: bob.id })).status).toBeLessThan(300);
    expect((await open({ participant_id: bob.id, name: 'Both' })).body.code).toBe('validation_failed');
    expect((await alice.call('GET', `/conversations/${group}/changes`)).body.code).toBe('validation_failed');
    for (const length of [1, MAX_CURSOR_LENGTH]) {
      const body = { conversations: [], cursor: 'x'.repeat(length) };
      expect((await alice.call('POST', '/sync', body)).body.message).toBe('cursor must be the next_cursor of a page');
    }
    const tooLong = { conversations: [], cursor: 'x'.repeat(MAX_CURSOR_LENGTH + 1) };
    expect((await alice.call('POST', '/sync', tooLong)).body.message).not.toContain('next_cursor');
  });
});

describe('each operation', () => {
  const fill = ({ path }: Operation, id = path === '/api/v1/users/{id}' ? bob.id : group) =>
    path
      .replace('{id}', id)
      .replace('{user_id}', bob.id)
      .replace('{message_id}', message)
      .replace('{emoji}', encodeURIComponent('👍'));
  const ask = (one: Operation, options: Parameters<typeof request>[3] = {}, path = fill(one)) =>
    request(server, one.method, path, options);

  test('that needs a session says 401 without one, and with one that is none', async () => {
    const guarded = operations().filter(needsSession);
    expect(guarded.length).toBeGreaterThan(20);
    for (const one of guarded) {
      const codes = [(await ask(one)).body.code, (await ask(one, { token: 'nonsense' })).body.code];
      expect({ name: one.name, codes }).toEqual({ name: one.name, codes: ['missing_token', 'invalid_token'] });
    }
  });

  test('that writes says 403 to a page of another site that has only the visitor’s cookies', async () => {
    const headers = { cookie: `access_token=${alice.tokens.access_token}`, origin: 'https://evil.example' };
    for (const one of operations().filter((one) => needsSession(one) && isWrite(one))) {
      const { status, body } = await ask(one, { headers });
      expect({ name: one.name, status, code: body.code }).toEqual({
        name: one.name,
        status: 403,
        code: 'origin_not_allowed',
      });
    }
  });

  test('that takes something says 400 to what is wrong', async () => {
    const { access_token: token } = alice.tokens;
    for (const one of operations().filter(hasRequest)) {
      const { name, said } = one;
      const places = said.parameters?.filter((parameter: any) => parameter.in === 'path') ?? [];
      const answer = hasBody(one)
        ? await ask(one, { token, body: '{' })
        : places.length > 0
          ? await ask(one, { token }, fill(one, 'no-id'))
          : await ask(one, { token }, `${fill(one)}?limit=0`);
      const code = hasBody(one) ? 'invalid_json' : 'validation_failed';
      expect({ name, status: answer.status, code: answer.body.code }).toEqual({ name, status: 400, code });
    }
  });

  test('with a body says 413 to one that is too large, and 415 to one that is no JSON', async () => {
    const { access_token: token } = alice.tokens;
    const credentials = [
      ...['register', 'signUp', 'login', 'refreshTokens', 'changePassword', 'deleteMe', 'reauthenticate'],
      ...['confirmTotp', 'showSecondFactor'],
      ...['forgotPassword', 'resetPassword', 'verifyEmail', 'resendVerification', 'changeEmail'],
    ];
    for (const one of operations().filter(hasBody)) {
      const { name, said } = one;
      const largest = credentials.includes(said.operationId) ? MAX_CREDENTIALS_BYTES : MAX_BODY_BYTES;
      const statuses: number[] = [];
      for (const length of [largest, largest + 1]) {
        statuses.push((await ask(one, { token, body: '{'.padEnd(length) })).status);
      }
      for (const type of ['text/plain', 'application/merge-patch+json']) {
        statuses.push((await ask(one, { token, body: '{}', headers: { 'content-type': type } })).status);
      }
      expect({ name, statuses }).toEqual({ name, statuses: [400, 413, 415, 415] });
    }
  });

  test('is there for its methods only: 405, and what there is', async () => {
    const byPath = Map.groupBy(operations(), ({ path }) => path);
    for (const one of operations()) {
      const allowed = byPath.get(one.path)!.map(({ method }) => method);
      const other = allowed.includes('PUT') ? 'PATCH' : 'PUT';
      const { status, headers, body } = await request(server, other, fill(one));
      expect({ name: one.name, status, code: body.code }).toEqual({
        name: one.name,
        status: 405,
        code: 'method_not_allowed',
      });
      expect(headers.get('allow')?.split(', ')).toEqual(expect.arrayContaining(allowed));
    }
  });
});

test('an API document is sent again only to who does not have it', async () => {
  for (const path of ['/api/v1/openapi.json', '/api/v1/asyncapi.json']) {
    const get = (headers: Record<string, string> = {}, method = 'GET') => fetch(server.url + path, { method, headers });
    const first = await get();
    const tag = first.headers.get('etag')!;
    expect(tag).toMatch(/^W\/"\w+"$/);
    expect((await first.json()).info.title).toBe('Parley');
    for (const held of [tag, tag.slice(2), `"other", ${tag}`, '*']) {
      const again = await get({ 'If-None-Match': held });
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', tag]);
      expect(again.headers.get('cache-control')).toBe('no-cache');
    }
    const other = await get({ 'If-None-Match': 'W/"other"' });
    expect([other.status, (await other.text()).length > 1000]).toEqual([200, true]);
    const head = await get({}, 'HEAD');
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, tag, '']);
  }
});
