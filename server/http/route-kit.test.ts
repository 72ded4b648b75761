import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { pino } from 'pino';
import { z } from 'zod';
import { MAX_BODY_BYTES, MAX_CREDENTIALS_BYTES } from '../../protocol/limits.ts';
import { ParleyError } from '../shared/errors.ts';
import { SampledLines } from '../shared/sampled-lines.ts';
import { WrittenJson, withStatus } from './answer.ts';
import { AnswersUnderWay } from './answers-under-way.ts';
import { BodiesUnderWay } from './bodies-under-way.ts';
import { Connections } from './connections.ts';
import { answer, registerComponents } from './declared-answers.ts';
import { answerUnknownRoutes, createHttpApp } from './http-app.ts';
import { OriginPolicy } from './origin.ts';
import { ProxyTrust } from './proxy-trust.ts';
import { adminRoute, mount, publicRoute, signedInRoute } from './route-kit.ts';
import type { Caller } from './router.ts';
import { serveHttp } from './serve.ts';

const log = pino({ level: 'silent' });
const proxies = new ProxyTrust([]);
const taken: string[] = [];
const turns: string[] = [];

/** Everybody is who their bearer token says. */
const callers: Record<string, Caller> = {
  alice: { userId: 'alice', sessionId: 's1', username: 'alice', role: 'user' },
  root: { userId: 'root', sessionId: 's2', username: 'root', role: 'admin' },
};

const app = createHttpApp({
  log,
  refusals: new SampledLines(() => {}),
  proxies,
  origins: new OriginPolicy({ publicUrl: '', corsOrigins: [] }),
  authenticate: async (c) => {
    const caller = callers[c.req.header('authorization')?.slice('Bearer '.length) ?? ''];
    if (!caller) throw new ParleyError('missing_token');
    return caller;
  },
  requireFreshProof: async (sessionId) => {
    if (sessionId !== 's2') throw new ParleyError('reauthentication_required');
  },
  takeLimit: async (name, key) => {
    if (taken.filter((one) => one === `${name} ${key}`).length >= 2) throw new ParleyError('rate_limited');
    taken.push(`${name} ${key}`);
  },
  beginRead: async (accountId, kind) => {
    turns.push(`${accountId} begins a ${kind}`);
    return { made: () => turns.push('made'), sent: () => turns.push('sent') };
  },
  isDraining: () => false,
  observe: () => {},
  failed: () => {},
});

const TAG = 'Tests';
const LONG = 'long '.repeat(1000);
const Text = z.object({ text: z.string() });
const Body = z.object({ text: z.string() }).meta({ id: 'TestBody' });

mount(
  app,
  adminRoute({
    method: 'delete',
    path: '/api/v1/everything',
    operationId: 'deleteEverything',
    tag: TAG,
    summary: 'For admins',
    answers: { 200: answer('Who did it', Text) },
  }),
  (c) => ({ text: c.var.caller.username }),
);
mount(
  app,
  publicRoute({
    method: 'post',
    path: '/api/v1/said',
    operationId: 'say',
    tag: TAG,
    summary: 'Says it back',
    request: { body: Body },
    answers: { 201: answer('Said', Text), 200: answer('Said before', Text) },
    fails: ['stale'],
    limit: 'register',
    maxBodyBytes: MAX_CREDENTIALS_BYTES,
    secret: true,
  }),
  (c) => {
    const { text } = c.req.valid('json');
    if (text === 'stale' || text === 'unavailable') throw new ParleyError(text);
    return text === 'again' ? withStatus(200, { text }) : withStatus(201, { text });
  },
);
mount(
  app,
  signedInRoute({
    method: 'get',
    path: '/api/v1/pages',
    operationId: 'readPage',
    tag: TAG,
    summary: 'A long page',
    reads: 'page',
    limit: 'profile',
    request: { query: z.object({ written: z.string().optional() }) },
    answers: { 200: answer('The page', Text) },
  }),
  (c) => (c.req.valid('query').written ? new WrittenJson(JSON.stringify({ text: LONG })) : { text: LONG }),
);
answerUnknownRoutes(app, () => {});
registerComponents(app);
const document = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'Test', version: '1' } }) as any;

const listener = await serveHttp({
  config: { host: '127.0.0.1', port: 0 },
  log,
  http: app,
  websocket: { message() {} },
  socketPaths: [],
  upgrade: async () => {},
  proxies,
  notice() {},
  connections: new Connections(100),
  bodies: new BodiesUnderWay({ all: MAX_BODY_BYTES, address: MAX_BODY_BYTES }),
  answers: new AnswersUnderWay(() => {}),
});
afterAll(() => listener.stop());
beforeEach(() => {
  taken.length = 0;
  turns.length = 0;
});

const as = (name: string) => ({ authorization: `Bearer ${name}` });
const JSON_TYPE = { 'content-type': 'application/json' };

async function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
  const options = { method, headers: { 'accept-encoding': 'identity', ...headers }, body, decompress: false };
  const response = await fetch(`${listener.address.url}/api/v1${path}`, options);
  const bytes = await response.bytes();
  return { status: response.status, headers: response.headers, text: new TextDecoder().decode(bytes) };
}
const codeOf = ({ status, text }: { status: number; text: string }) => [status, JSON.parse(text).code];

describe('a route for admins', () => {
  test('is theirs alone', async () => {
    expect(codeOf(await ask('DELETE', '/everything'))).toEqual([401, 'missing_token']);
    expect(codeOf(await ask('DELETE', '/everything', as('alice')))).toEqual([403, 'forbidden']);
    const { status, text } = await ask('DELETE', '/everything', as('root'));
    expect([status, text]).toEqual([200, '{"text":"root"}']);
  });

  test('says so in the document', () => {
    const { security, responses } = document.paths['/api/v1/everything'].delete;
    expect(security).toEqual([{ bearer: [] }, { cookie: [] }]);
    expect(responses['403'].description).toBe(
      '`origin_not_allowed`, `forbidden`, `password_change_required`, `email_unverified`, `enrolment_required`',
    );
    expect(Object.keys(responses)).toEqual(['200', '400', '401', '403', '405', '429', '500', '503']);
  });
});

describe('a route with a body', () => {
  const say = (body: string, headers: Record<string, string> = JSON_TYPE) => ask('POST', '/said', headers, body);

  test('answers with the status that its handler says, and with its own failures', async () => {
    expect(await say('{"text":"x"}')).toMatchObject({ status: 201, text: '{"text":"x"}' });
    expect(await say('{"text":"again"}')).toMatchObject({ status: 200 });
    taken.length = 0;
    expect(codeOf(await say('{"text":"stale"}'))).toEqual([409, 'stale']);
    const unavailable = await say('{"text":"unavailable"}');
    expect([...codeOf(unavailable), unavailable.headers.get('retry-after')]).toEqual([503, 'unavailable', '1']);
  });

  test('takes JSON only, of the size that it takes', async () => {
    for (const type of ['text/plain', 'application/merge-patch+json', 'application/jsonp']) {
      taken.length = 0;
      expect(codeOf(await say('{"text":"x"}', { 'content-type': type }))).toEqual([415, 'unsupported_media_type']);
    }
    taken.length = 0;
    const padded = (length: number) => `{"text":"x"}`.padEnd(length);
    expect((await say(padded(MAX_CREDENTIALS_BYTES))).status).toBe(201);
    expect(codeOf(await say(padded(MAX_CREDENTIALS_BYTES + 1)))).toEqual([413, 'payload_too_large']);
    taken.length = 0;
    expect(codeOf(await say('{'))).toEqual([400, 'invalid_json']);
    expect(codeOf(await say('{}'))).toEqual([400, 'validation_failed']);
  });

  test('counts its limit by address, before it looks at what is said', async () => {
    expect((await say('{"text":"x"}')).status).toBe(201);
    expect((await say('{')).status).toBe(400);
    for (const body of ['{"text":"x"}', '{', ' '.repeat(MAX_CREDENTIALS_BYTES + 1)]) {
      expect((await say(body)).status).toBe(429);
    }
    expect(taken).toEqual(['register 127.0.0.1', 'register 127.0.0.1']);
  });

  test('whose answers hold secrets never compresses them', async () => {
    const { status, headers, text } = await say(JSON.stringify({ text: LONG }), {
      ...JSON_TYPE,
      'accept-encoding': '*',
    });
    expect([status, headers.get('content-encoding')]).toEqual([201, null]);
    expect(JSON.parse(text)).toEqual({ text: LONG });
  });

  test('says all of this in the document', () => {
    const { operationId, responses, requestBody, security } = document.paths['/api/v1/said'].post;
    expect([operationId, security]).toEqual(['say', undefined]);
    expect(requestBody.required).toBe(true);
    expect(Object.keys(responses)).toEqual([
      '200',
      '201',
      '400',
      '405',
      '408',
      '409',
      '413',
      '415',
      '429',
      '500',
      '503',
    ]);
    expect(responses['400'].description).toBe('`invalid_request`, `invalid_json`, `validation_failed`');
    expect(Object.keys(responses['429'].headers)).toContain('Retry-After');
    expect(document.components.headers['Retry-After'].schema.type).toBe('integer');
  });
});

describe('a route that reads what may be long', () => {
  test('waits for its turn, counts by account, and is compressed for who takes that', async () => {
    for (const query of ['', '?written=1']) {
      const { status, headers, text } = await ask('GET', `/pages${query}`, as('alice'));
      expect([status, headers.get('vary'), headers.get('content-encoding')]).toEqual([
        200,
        'Accept-Encoding, Origin',
        null,
      ]);
      expect(JSON.parse(text)).toEqual({ text: LONG });
    }
    expect(turns).toEqual(['alice begins a page', 'made', 'sent', 'alice begins a page', 'made', 'sent']);
    expect(taken).toEqual(['profile alice', 'reads alice', 'profile alice', 'reads alice']);
    const compressed = await ask('GET', '/pages', { ...as('root'), 'accept-encoding': 'gzip' });
    expect(compressed.headers.get('content-encoding')).toBe('gzip');
    expect(compressed.text.length).toBeLessThan(LONG.length / 10);
    expect(codeOf(await ask('GET', '/pages', as('alice')))).toEqual([429, 'rate_limited']);
  });

  test('answers HEAD with the headers of GET, and no body', async () => {
    const { status, headers, text } = await ask('HEAD', '/pages', { ...as('root'), 'accept-encoding': 'br' });
    expect([status, headers.get('content-encoding'), headers.get('content-type'), text]).toEqual([
      200,
      'br',
      'application/json',
      '',
    ]);
    expect(turns).toEqual(['root begins a page', 'made', 'sent']);
  });
});
