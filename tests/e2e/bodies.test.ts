import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import {
  BODY_MS,
  MAX_BODY_BYTES,
  MAX_CREDENTIALS_BYTES,
  MAX_JSON_DEPTH,
  MAX_JSON_VALUES,
} from '../../protocol/limits.ts';
import { eventually } from '../support/eventually.ts';
import { metric } from '../support/metrics.ts';
import { type Person, request, signUp, signUpAll } from '../support/people.ts';
import { type RawAnswer, RawRequest } from '../support/raw-request.ts';
import { endServers, onCluster, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

const MIB = 1024 * 1024;
/** Where one signs up and signs in. */
const DOORS = ['/auth/register', '/auth/login', '/auth/refresh', '/auth/logout'].map((path) => `/api/v1${path}`);
const CREDENTIALS = [...DOORS.slice(0, 3), '/api/signup'];
const CHUNKED = 'Transfer-Encoding: chunked';

interface Begun {
  /** What is said of its length. */
  length: string;
  headers?: string[];
  /** What comes of it. */
  begin?: string;
}

/** A request whose body is not there, or not all of it. */
function begin(server: { url: string }, path: string, { length, headers = [], begin = '' }: Begun): RawRequest {
  const head = [`POST ${path} HTTP/1.1`, 'Host: parley.example', 'Content-Type: application/json', length, ...headers];
  return new RawRequest(server, `${head.join('\r\n')}\r\n\r\n${begin}`);
}

const declared = (bytes: number) => `Content-Length: ${bytes}`;
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const from = (address: string) => `X-Forwarded-For: ${address}`;
const by = (person: Person) => `Authorization: Bearer ${person.tokens.access_token}`;
const codeOf = ({ status, body }: RawAnswer) => [status, body?.code];

describe('the limit of an address', () => {
  test.each(CREDENTIALS)('counts before the body of %s is there', async (path) => {
    const limits = { LIMIT_SIGN_IN: '2/1h', LIMIT_REGISTER: '2/1h' };
    const server = await startServer({ RATE_LIMITS: 'on', ...limits });
    const nonsense = '['.repeat(MAX_CREDENTIALS_BYTES);
    for (let n = 0; n < 2; n++) expect((await request(server, 'POST', path, { body: nonsense })).status).toBe(400);
    for (const body of [nonsense, '{}', '', '['.repeat(MAX_BODY_BYTES), 'x'.repeat(3 * MIB)]) {
      // Beyond what any body may be, nobody has to count to refuse it.
      const code = body.length > MAX_BODY_BYTES ? 'payload_too_large' : 'rate_limited';
      expect((await request(server, 'POST', path, { body })).body.code).toBe(code);
    }
    for (const length of [declared(100), declared(MAX_CREDENTIALS_BYTES), declared(MAX_BODY_BYTES), CHUNKED]) {
      const unfinished = begin(server, path, { length, begin: length === CHUNKED ? chunk('{"a') : '{"a' });
      const answer = await unfinished.answer;
      expect(codeOf(answer)).toEqual([429, 'rate_limited']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      unfinished.destroy();
    }
  });
});

describe('a body', () => {
  let server: TestServer;
  let alice: Person;
  let bob: Person;
  let group: string;

  beforeAll(async () => {
    server = await startServer();
    [alice, bob] = await signUpAll(server, 'alice', 'bob');
    group = await alice.group([bob]);
  });

  test('that is too large is refused before it is there', async () => {
    for (const path of CREDENTIALS) {
      for (const bytes of [MAX_CREDENTIALS_BYTES + 1, MAX_BODY_BYTES, 10 * MIB]) {
        const unfinished = begin(server, path, { length: declared(bytes), begin: '{' });
        expect(codeOf(await unfinished.answer)).toEqual([413, 'payload_too_large']);
        unfinished.destroy();
      }
      const begun = chunk('x'.repeat(MAX_CREDENTIALS_BYTES + 1));
      const unfinished = begin(server, path, { length: CHUNKED, begin: begun });
      expect(codeOf(await unfinished.answer)).toEqual([413, 'payload_too_large']);
      unfinished.destroy();
    }
    const headers = [by(alice)];
    const path = `/api/v1/conversations/${group}/messages`;
    const large = begin(server, path, { length: CHUNKED, headers, begin: chunk('x'.repeat(MAX_BODY_BYTES + 1)) });
    expect(codeOf(await large.answer)).toEqual([413, 'payload_too_large']);
    large.destroy();
  });

  test('of somebody who may not send it is not waited for', async () => {
    for (const [method, path] of [
      ['POST', `/conversations/${group}/messages`],
      ['POST', '/sync'],
      ['POST', '/auth/password'],
      ['PATCH', '/users/me'],
      ['DELETE', '/users/me'],
    ]) {
      const head = `${method} /api/v1${path} HTTP/1.1\r\nHost: parley.example\r\nContent-Type: application/json\r\n`;
      for (const length of [declared(MAX_CREDENTIALS_BYTES), CHUNKED]) {
        const unfinished = new RawRequest(server, `${head}${length}\r\n\r\n`);
        expect(codeOf(await unfinished.answer)).toEqual([401, 'missing_token']);
        unfinished.destroy();
      }
    }
    for (const path of ['/api/v1/nope', '/nope', '/api/v1/health']) {
      const unfinished = begin(server, path, { length: declared(MAX_BODY_BYTES), begin: '{' });
      expect((await unfinished.answer).status).toBeWithin(404, 406);
      unfinished.destroy();
    }
  });

  test('may come in pieces, in chunks, and in any of them', async () => {
    const text = JSON.stringify({ content: 'in pieces: ¿qué? 😀' });
    const bytes = Buffer.from(text).toString('latin1');
    const path = `/api/v1/conversations/${group}/messages`;
    const inChunks = begin(server, path, { length: CHUNKED, headers: [by(alice)] });
    for (const one of bytes) inChunks.write(chunk(one));
    inChunks.write('0\r\n\r\n');
    const inPieces = begin(server, path, { length: declared(bytes.length), headers: [by(alice)] });
    for (const one of bytes) {
      inPieces.write(one);
      await Bun.sleep(0);
    }
    for (const { answer } of [inChunks, inPieces]) {
      const { status, text: answered } = await answer;
      expect([status, Buffer.from(answered, 'latin1').toString()]).toEqual([201, expect.stringContaining('¿qué? 😀')]);
    }
    const noType = { length: CHUNKED, headers: [by(alice), 'Content-Type:'], begin: `${chunk('{}')}0\r\n\r\n` };
    expect((await begin(server, path, noType).answer).status).toBe(415);
  });

  test('that its client gave up is nothing, and costs nobody anything', async () => {
    const path = `/api/v1/conversations/${group}/messages`;
    for (const length of [declared(1000), CHUNKED]) {
      const begun = length === CHUNKED ? chunk('{"content":') : '{"content":';
      begin(server, path, { length, headers: [by(alice)], begin: begun }).destroy();
    }
    await eventually('none is under way', async () => (await metric(server, 'parley_body_bytes')) === 0);
    expect(server.lines.filter(({ msg }) => msg === 'request failed')).toEqual([]);
  });

  test('that does not come holds up nobody else of the same account', async () => {
    const unfinished = [declared(1000), CHUNKED].map((length) =>
      begin(server, '/api/v1/sync', { length, headers: [by(alice)] }),
    );
    await eventually('both are under way', async () => (await metric(server, 'parley_body_bytes')) > 0);
    const started = performance.now();
    for (let n = 0; n < 3; n++) {
      const { status } = await alice.call('POST', '/sync', { conversations: [] });
      expect(status).toBe(200);
    }
    expect(performance.now() - started).toBeLessThan(BODY_MS / 2);
    for (const one of unfinished) one.destroy();
  });

  test('that does not come in time is given up, whether nothing comes or a little now and then', async () => {
    const started = performance.now();
    const pieces: [RawRequest, string][] = [];
    for (const [path, headers] of [
      ['/api/v1/auth/login', []],
      [`/api/v1/conversations/${group}/messages`, [by(alice)]],
    ] as const) {
      for (const piece of ['', ' ']) {
        pieces.push([begin(server, path, { length: declared(10_000), headers: [...headers] }), piece]);
        pieces.push([begin(server, path, { length: CHUNKED, headers: [...headers] }), piece && chunk(piece)]);
      }
    }
    const dripping = setInterval(() => {
      for (const [request, piece] of pieces) if (piece !== '') request.write(piece);
    }, 1000);
    for (const [{ answer, closed }] of pieces) {
      const got = await answer;
      expect([...codeOf(got), got.headers.get('connection')]).toEqual([408, 'request_timeout', 'close']);
      await closed;
    }
    clearInterval(dripping);
    expect(performance.now() - started).toBeWithin(BODY_MS - 1000, BODY_MS + 5000);
    expect(await metric(server, 'parley_body_bytes')).toBe(0);
  });

  describe('as JSON', () => {
    const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const send = (body: string) =>
      request(server, 'POST', `/conversations/${group}/messages`, { body, token: alice.tokens.access_token });

    /** What is well-formed, and more than anybody has to say. */
    const TOO_MUCH: Record<string, string> = {
      'levels of lists': `{"content":"x","unknown":${deep(MAX_JSON_DEPTH)}}`,
      'levels of objects': `{"content":"x","unknown":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`,
      elements: `{"content":"x","unknown":[${'0,'.repeat(MAX_JSON_VALUES)}0]}`,
      'empty lists': `{"content":"x","unknown":[${'[],'.repeat(MAX_JSON_VALUES)}0]}`,
      fields: `{"content":"x"${',"a":1'.repeat(MAX_JSON_VALUES)}}`,
      'fields that are numbers': `{"content":"x"${Array.from({ length: MAX_JSON_VALUES }, (_, n) => `,"${n * 1000}":1`).join('')}}`,
    };

    test.each(Object.entries(TOO_MUCH))('is refused for its many %s', async (name, text) => {
      const { status, body } = await send(text);
      expect([status, body.code]).toEqual([400, name.startsWith('levels') ? 'invalid_json' : 'validation_failed']);
    });

    test('is refused as quickly where a megabyte of it is nonsense', async () => {
      for (const unit of ['[', '{"a":', '[{', '{"":[', '"', '\\', '[]', '{}', '9', '"a":', ']', 'nul']) {
        const started = performance.now();
        const { status, body } = await send(unit.repeat(MAX_BODY_BYTES / unit.length));
        expect([status, body.code === 'invalid_json' || body.code === 'validation_failed']).toEqual([400, true]);
        expect(performance.now() - started).toBeLessThan(500);
      }
    });

    test('may hold what is only a text, a key twice, and numbers of any length', async () => {
      for (const [text, content] of [
        [`{"content":${JSON.stringify('[{'.repeat(1000))}}`, '[{'.repeat(1000)],
        ['{"content":"first","content":"last"}', 'last'],
        [`{"content":"x","unknown":${'9'.repeat(100_000)}}`, 'x'],
        [`{"content":"x","unknown":1e${'9'.repeat(1000)}}`, 'x'],
        [`{"content":"x","unknown":${deep(MAX_JSON_DEPTH - 1)}}`, 'x'],
        [`{"content":"x","unknown":"${'y'.repeat(900_000)}"}`, 'x'],
        ['{"content":"x","__proto__":{"type":"system"},"constructor":1}', 'x'],
      ]) {
        const { status, body } = await send(text!);
        expect([status, body.content, body.type]).toEqual([201, content, 'text']);
      }
      for (const seq of ['1e999', '-1', '1.5', '9'.repeat(400), '1e1000000', 'true', '"1"', '[]', '{}']) {
        const body = `{"seq":${seq}}`;
        const answer = await request(server, 'POST', `/conversations/${group}/read`, {
          body,
          token: alice.tokens.access_token,
        });
        expect([answer.status, answer.body.code]).toEqual([400, 'validation_failed']);
      }
    });

    test('of a frame has the same bounds, and the socket goes on', async () => {
      const socket = await alice.connect();
      for (const text of [
        '['.repeat(60_000),
        '{"a":'.repeat(10_000),
        ...Object.values(TOO_MUCH).filter(({ length }) => length < 60_000),
        `{"event":"presence.watch","user_ids":[${'0,'.repeat(MAX_JSON_VALUES)}0]}`,
      ]) {
        socket.send(text);
        const { code } = await socket.next('error');
        expect(['invalid_json', 'validation_failed']).toContain(code);
      }
      await socket.say(group, 'still there');
      await socket.close();
    });

    test('with a list that is too long is refused for its length, not for what is in it', async () => {
      const many = Array.from({ length: 15_000 }, () => 0);
      for (const [path, body] of [
        ['/conversations', { name: 'x', participant_ids: many }],
        ['/conversations', { name: 'x', participant_emails: many }],
        [`/conversations/${group}/participants`, { user_ids: many }],
        ['/sync', { conversations: many }],
      ] as const) {
        const answer = await alice.call('POST', path, body);
        expect([answer.status, answer.body.code, answer.body.errors.length]).toEqual([400, 'validation_failed', 1]);
      }
    });
  });

  test('may be asked for with long addresses and many parameters, within what any address may be', async () => {
    for (const query of [
      'a=1&'.repeat(3000),
      `query=${'x'.repeat(12_000)}`,
      'limit=1&'.repeat(1500),
      '%'.repeat(12_000),
    ]) {
      const started = performance.now();
      const { status } = await alice.call('GET', `/users?${query}`);
      expect([200, 400]).toContain(status);
      expect(performance.now() - started).toBeLessThan(500);
    }
    for (const path of ['/a'.repeat(6000), '/%2e'.repeat(3000), `/api/v1/users/${'x'.repeat(12_000)}`]) {
      const started = performance.now();
      expect((await request(server, 'GET', `/api${path}`, { token: alice.tokens.access_token })).status).toBeWithin(
        400,
        405,
      );
      expect(performance.now() - started).toBeLessThan(500);
    }
    const tooLong = new RawRequest(server, `GET /?${'a&'.repeat(50_000)} HTTP/1.1\r\nHost: parley.example\r\n\r\n`);
    expect((await tooLong.answer).status).toBe(431);
    expect((await request(server, 'GET', '/health')).status).toBe(200);
  });
});

// What one process holds.
if (!onCluster) {
  describe('bodies under way', () => {
    const BUDGET = { BODY_MEMORY: String(4 * MIB), BODY_MEMORY_PER_ADDRESS: String(2 * MIB) };
    const path = '/api/v1/conversations/0199a3f0-7c1e-7d44-8a5b-5f0c6f3b2a10/messages';

    test('of one address have so much room together, and those of others have theirs', async () => {
      const server = await startServer({ RATE_LIMITS: 'on', TRUST_PROXY: 'loopback', ...BUDGET });
      const alice = await signUp(server, 'alice');
      const unfinished = (address: string, length = declared(MAX_BODY_BYTES), text = '{') =>
        begin(server, path, { length, headers: [by(alice), from(address)], begin: text });
      const held = () => metric(server, 'parley_body_bytes');

      const first = [unfinished('192.0.2.1'), unfinished('192.0.2.1')];
      await eventually('two are under way', async () => (await held()) === 2 * MIB);
      for (const length of [declared(MAX_BODY_BYTES), declared(2), CHUNKED]) {
        const answer = await unfinished('192.0.2.1', length, length === CHUNKED ? chunk('{}') : '{}').answer;
        expect([...codeOf(answer), answer.headers.get('retry-after')]).toEqual([429, 'rate_limited', '1']);
      }
      const { status } = await request(server, 'GET', '/health', { headers: { 'X-Forwarded-For': '192.0.2.1' } });
      expect(status).toBe(200);

      const second = [unfinished('192.0.2.2'), unfinished('2001:db8::1')];
      await eventually('four are under way', async () => (await held()) === 4 * MIB);
      const refused = await unfinished('192.0.2.3', declared(2), '{}').answer;
      expect([...codeOf(refused), refused.headers.get('retry-after')]).toEqual([503, 'unavailable', '1']);

      for (const one of [...first, ...second]) one.destroy();
      await eventually('nothing is under way', async () => (await held()) === 0);
      expect((await unfinished('192.0.2.1', declared(2), '{}').answer).status).toBe(400);
    });

    test('are counted in chunks as they come', async () => {
      const server = await startServer({ RATE_LIMITS: 'on', ...BUDGET });
      const alice = await signUp(server, 'alice');
      const some = Array.from({ length: 8 }, () =>
        begin(server, path, { length: CHUNKED, headers: [by(alice)], begin: chunk('x'.repeat(600_000)) }),
      );
      const refused = some.map(({ answer }) => answer.then(codeOf, () => undefined));
      expect(await Promise.any(refused)).toEqual([429, 'rate_limited']);
      for (const one of some) one.destroy();
      await eventually('nothing is under way', async () => (await metric(server, 'parley_body_bytes')) === 0);
    });

    test('leave their room however they end', async () => {
      const server = await startServer({ RATE_LIMITS: 'off', ...BUDGET });
      const alice = await signUp(server, 'alice');
      const bob = await signUp(server, 'bob');
      const group = await alice.group([bob]);
      const messages = `/conversations/${group}/messages`;
      const padded = (body: object) => JSON.stringify(body).padEnd(MAX_BODY_BYTES);
      // Many times what there is room for.
      for (let n = 0; n < 10; n++) {
        expect((await alice.call('POST', messages, padded({ content: 'x' }))).status).toBe(201);
        expect((await alice.call('POST', messages, padded({}))).status).toBe(400);
        expect((await alice.call('POST', messages, '['.repeat(MAX_BODY_BYTES))).status).toBe(400);
        expect((await request(server, 'POST', messages, { body: padded({}) })).status).toBe(401);
        expect((await request(server, 'POST', '/auth/login', { body: padded({}) })).status).toBe(413);
        expect((await request(server, 'POST', '/nope', { body: padded({}) })).status).toBe(404);
        expect((await request(server, 'PUT', '/health', { body: padded({}) })).status).toBe(405);
        expect((await request(server, 'POST', '/auth/logout', { body: padded({}) })).status).toBe(200);
        const headers = { 'content-type': 'text/plain' };
        const token = alice.tokens.access_token;
        expect((await request(server, 'POST', messages, { body: padded({}), headers, token })).status).toBe(415);
        const streamed = await fetch(`${server.url}/api/v1${messages}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
          body: new Blob([padded({ content: 'streamed' })]).stream(),
        });
        expect(streamed.status).toBe(201);
      }
      expect(await metric(server, 'parley_body_bytes')).toBe(0);
    });

    test('that never end, fifteen hundred of them, are not kept', async () => {
      const server = await startServer();
      const alice = await signUp(server, 'alice');
      const before = await server.memory();
      const most = MAX_BODY_BYTES - 1;
      const bytes = Buffer.alloc(most, 'x');
      let refused = 0;
      const some = Array.from({ length: 1500 }, (_, n) => {
        const inChunks = n % 2 === 0;
        const length = inChunks ? CHUNKED : declared(MAX_BODY_BYTES);
        const one = begin(server, path, { length, headers: [by(alice)] });
        if (inChunks) one.write(`${most.toString(16)}\r\n`);
        one.write(bytes);
        void one.answer.then(
          ({ status }) => {
            if (status === 503) refused++;
          },
          () => {}, // those that have room are never answered
        );
        return one;
      });
      let peak = 0;
      await eventually('all are refused that have no room', async () => {
        peak = Math.max(peak, await server.memory());
        return refused >= 1500 - 64;
      });
      expect(peak - before).toBeLessThan(256 * MIB);
      expect((await request(server, 'GET', '/health')).status).toBe(200);
      for (const one of some) one.destroy();
      await eventually('nothing is under way', async () => (await metric(server, 'parley_body_bytes')) === 0);
      expect((await alice.call('PATCH', '/users/me', {})).status).toBe(200);
    });
  });
}
