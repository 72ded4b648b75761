import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { metric, scrape } from '../support/metrics.ts';
import { request, signUpAll } from '../support/people.ts';
import { type Environment, endServers, onCluster, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);

const SECRET = 'the-secret-that-signs-the-tokens-of-these-tests';
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(endServers);

const get = (path: string, headers: Record<string, string> = {}, at: { url: string } = server) =>
  fetch(at.url + path, { headers, redirect: 'manual' });
const page = (path: string, at: { url: string } = server) =>
  get(path, { Accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' }, at);

/** The value of a metric with these labels, or 0 where it is not there. */
function reading(text: string, name: string, labels = ''): number {
  const line = text.split('\n').find((one) => one.startsWith(labels === '' ? `${name} ` : `${name}{${labels}} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}

describe('pages', () => {
  const pages = ['/', '/about', '/api/docs', '/metrics'];

  test('say what runs here and where its documents are', async () => {
    const response = await page('/about');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toStartWith('text/html');
    const html = await response.text();
    expect(html).toContain('<title>Parley</title>');
    for (const link of ['/api/docs', '/metrics', '/api/v1/openapi.json', '/api/v1/health']) {
      expect(html).toContain(`href="${link}"`);
      expect((await page(link)).status).toBe(200);
    }
    expect(html).toMatch(/Version \d+\.\d+\.\d+/);
    expect(html).not.toMatch(/%\w+%/);
  });

  test.each(pages)('%s loads nothing from outside, and everything that it loads is there', async (path) => {
    const response = await page(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toStartWith('text/html');
    const html = await response.text();
    const loaded = [
      ...html.matchAll(/<(?:script|link|img|iframe|source|object|embed)\b[^>]*?(?:src|href|data)="([^"]*)"/g),
    ];
    expect(loaded.length).toBeGreaterThan(3);
    for (const [, address] of loaded) {
      expect(address).toMatch(/^\/[^/]/);
      const file = await get(address!);
      expect({ address, status: file.status }).toEqual({ address, status: 200 });
      expect(file.headers.get('content-type')).not.toStartWith('text/html');
      const text = await file.text();
      expect(text.length).toBeGreaterThan(0);
      if (!address!.endsWith('.css')) continue;
      const used = [...text.matchAll(/(?:url\(\s*|@import\s+)["']?([^"')]*)/g)].map(([, used]) => used!);
      expect(used.filter((one) => !/^(data:|#|\/[^/])/.test(one))).toEqual([]);
    }
    expect(html).not.toMatch(/(?:src|href|action)="(?:https?:)?\/\//);
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html).not.toMatch(/<style|\sstyle="|\son\w+="/);
  });

  test.each(pages)('%s may run and load only what this server has', async (path) => {
    const { headers } = await page(path);
    const policy = headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe-|https?:|\*/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
  });

  test('are kept by a browser, which asks whether they still hold', async () => {
    const first = await get('/assets/base.css');
    const etag = first.headers.get('etag')!;
    const again = await get('/assets/base.css', { 'If-None-Match': etag });
    expect([again.status, await again.text()]).toEqual([304, '']);
    expect((await get('/assets/base.css', { 'If-None-Match': '"another"' })).status).toBe(200);
  });
});

describe('the OpenAPI document', () => {
  let document: any;

  beforeAll(async () => {
    const response = await get('/api/v1/openapi.json');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
    document = await response.json();
  });

  const operations = (): [string, any][] =>
    Object.entries<any>(document.paths).flatMap(([path, methods]) =>
      Object.entries<any>(methods).map(([method, operation]): [string, any] => [`${method} ${path}`, operation]),
    );

  test('says of every operation what it does and what it answers', () => {
    expect(document.openapi).toStartWith('3.1');
    expect(document.info).toMatchObject({ title: 'Parley', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    for (const [name, operation] of operations()) {
      expect({ name, summary: operation.summary }).toEqual({ name, summary: expect.stringMatching(/\S/) });
      expect({ name, tags: operation.tags }).toEqual({ name, tags: [expect.any(String)] });
      const statuses = Object.keys(operation.responses);
      expect({ name, succeeds: statuses.some((status) => /^2\d\d$/.test(status)) }).toEqual({ name, succeeds: true });
      for (const [status, response] of Object.entries<any>(operation.responses)) {
        expect(status).toMatch(/^\d{3}$/);
        expect(response.description).toBeString();
        expect(response.content['application/json'].schema).toBeObject();
      }
      const [, path = ''] = name.split(' ');
      const places = [...path.matchAll(/\{(\w+)\}/g)].map(([, place]) => place);
      const declared = (operation.parameters ?? []).filter((one: any) => one.in === 'path');
      expect({ name, places: declared.map((one: any) => one.name) }).toEqual({ name, places });
      for (const one of declared) expect(one.required).toBe(true);
      for (const way of operation.security ?? []) {
        for (const scheme of Object.keys(way)) expect(document.components.securitySchemes).toHaveProperty(scheme);
      }
    }
  });

  test('has no reference that leads nowhere', () => {
    const references: string[] = [];
    JSON.stringify(document, (key, value) => {
      if (key === '$ref') references.push(value);
      return value;
    });
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) {
      expect(reference).toStartWith('#/');
      const target = reference
        .slice(2)
        .split('/')
        .reduce((node: any, key) => node?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], document);
      expect({ reference, target: typeof target }).toEqual({ reference, target: 'object' });
    }
  });

  test('has every call of the contract, and each of them is served', async () => {
    const names = operations().map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const call of [
      'post /api/v1/auth/register',
      'post /api/signup',
      'post /api/v1/auth/login',
      'post /api/v1/auth/refresh',
      'post /api/v1/auth/logout',
      'post /api/v1/auth/password',
      'get /api/v1/auth/me',
      'get /api/v1/users',
      'get /api/v1/users/{id}',
      'patch /api/v1/users/me',
      'delete /api/v1/users/me',
      'post /api/v1/conversations',
      'get /api/v1/conversations',
      'get /api/v1/conversations/{id}',
      'patch /api/v1/conversations/{id}',
      'get /api/v1/conversations/{id}/participants',
      'post /api/v1/conversations/{id}/participants',
      'delete /api/v1/conversations/{id}/participants/{user_id}',
      'patch /api/v1/conversations/{id}/participants/{user_id}',
      'get /api/v1/conversations/{id}/messages',
      'post /api/v1/conversations/{id}/messages',
      'get /api/v1/health',
      'get /api/v1/health/ready',
    ]) {
      expect(names).toContain(call);
    }
    for (const name of names) {
      const [method = '', path = ''] = name.split(' ');
      const { status, body } = await request(server, method.toUpperCase(), path.replace(/\{\w+\}/g, 'x'));
      expect({ name, served: status !== 405 && body.code !== 'not_found' }).toEqual({ name, served: true });
    }
  });

  test('tells the answers as they are', async () => {
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const { body } = await alice.call('POST', '/conversations', { participant_id: bob.id });
    for (const [schema, value] of [
      ['User', alice.user],
      ['Entry', body],
      ['Conversation', body.conversation],
      ['Participant', body.participants[0]],
      ['Message', await alice.send(body.conversation.id, 'hello')],
    ] as const) {
      const { properties, required } = document.components.schemas[schema];
      const fields = Object.keys(value).filter((field) => field !== 'is_new');
      expect(Object.keys(properties)).toEqual(expect.arrayContaining(fields));
      expect(fields).toEqual(expect.arrayContaining(required));
    }
  });
});

describe('the API documents', () => {
  const PATHS = [
    '/api/v1/openapi.json',
    '/api/v1/asyncapi.json',
    '/api/docs',
    '/assets/docs.js',
    '/assets/swagger-ui.js',
  ];
  const PROD = { ENV: 'prod', JWT_SECRET: SECRET };

  test.each<[string, Environment, boolean]>([
    ['are not shown in prod', PROD, false],
    ['are shown in prod where that is said', { ...PROD, API_DOCUMENTS: 'on' }, true],
    ['are not shown anywhere where that is said', { API_DOCUMENTS: 'off' }, false],
  ])('%s', async (_, env, areShown) => {
    const { url } = (await startServer(env)).nodes[0]!;
    for (const path of PATHS) {
      const answer = await get(path, {}, { url });
      expect([path, answer.status]).toEqual([path, areShown ? 200 : 404]);
      if (!areShown) expect(await answer.json()).toMatchObject({ code: 'not_found' });
    }
    for (const path of ['/about', '/metrics']) {
      const html = await (await page(path, { url })).text();
      expect([path, /openapi\.json|\/api\/docs/.test(html)]).toEqual([path, areShown]);
    }
  });
});

describe('health', () => {
  test('says that it lives, and that it is ready', async () => {
    const needed = onCluster ? ['database', 'redis'] : ['database'];
    const roles = { api: needed, realtime: needed, worker: needed };
    const health = await request(server, 'GET', '/health');
    expect([health.status, health.body]).toEqual([
      200,
      { status: 'ok', roles, version: expect.any(String), uptime_seconds: expect.any(Number) },
    ]);
    const ready = await request(server, 'GET', '/health/ready');
    expect([ready.status, ready.body]).toEqual([
      200,
      { status: 'ok', roles, checks: Object.fromEntries(needed.map((one) => [one, 'ok'])) },
    ]);
    for (const { headers } of [health, ready]) expect(headers.get('cache-control')).toBe('no-store');
  });
});

test('a file is not made ready for somebody who asks for its headers only', async () => {
  const { url } = (await startServer()).nodes[0]!;
  const head = { 'Accept-Encoding': 'identity' };
  const whole = await get('/assets/swagger-ui.js', head, { url });
  expect((await whole.bytes()).length).toBeGreaterThan(1_000_000);
  for (let n = 0; n < 20; n++) {
    const { status, headers } = await fetch(`${url}/assets/swagger-ui.js`, { method: 'HEAD', headers: head });
    expect([status, headers.get('etag')]).toEqual([200, whole.headers.get('etag')]);
  }
  expect(await metric({ nodes: [{ url }] }, 'parley_answers_under_way')).toBe(0);
});

describe('metrics', () => {
  test('are text for Prometheus, and a page for a browser', async () => {
    for (const headers of [
      {},
      { Accept: '*/*' },
      { Accept: 'text/plain' },
      { Accept: 'application/openmetrics-text;q=0.1' },
    ]) {
      const response = await get('/metrics', headers as Record<string, string>);
      expect(response.headers.get('content-type')).toStartWith('text/plain');
      expect(await response.text()).toContain('# TYPE parley_messages_total counter');
    }
    expect(await (await page('/metrics')).text()).toContain('<title>Metrics');
  });

  test('are written once a second, however many ask', async () => {
    const { url } = (await startServer({ MONITORING_INTERVAL: '1s' })).nodes[0]!;
    const started = performance.now();
    const texts = new Set<string>();
    while (performance.now() - started < 2500) {
      for (const text of await Promise.all([scrape(url), scrape(url), scrape(url)])) texts.add(text);
    }
    expect(texts.size).toBeWithin(2, 5);
  });

  test('count what happens', async () => {
    const metered = (await startServer()).nodes[0]!;
    const before = await scrape(metered.url);
    expect(reading(before, 'parley_connections', 'mode="v1"')).toBe(0);
    const [alice, bob] = await signUpAll(metered, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    const [socket] = await Promise.all([alice.connect(), bob.connectPlain(), bob.connectPlain()]);
    for (const text of ['one', 'two', 'three']) await socket.say(conversation, text);
    await alice.call('POST', '/auth/login', { email: 'nobody@example.com', password: 'nothing at all' });

    const after = await scrape(metered.url);
    expect(reading(after, 'parley_connections', 'mode="v1"')).toBe(1);
    expect(reading(after, 'parley_connections', 'mode="plain"')).toBe(2);
    expect(reading(after, 'parley_active_users')).toBe(2);
    expect(reading(after, 'parley_messages_total')).toBe(3);
    expect(reading(after, 'parley_commit_batch_size_sum')).toBe(3);
    expect(reading(after, 'parley_commit_seconds_count')).toBeGreaterThan(0);
    expect(reading(after, 'parley_errors_total', 'code="invalid_credentials"')).toBe(1);
    expect(reading(after, 'process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(after).toContain('parley_event_loop_lag_seconds');
    // A label of its own for each id would fill the memory of whoever reads it.
    expect(after).not.toContain(conversation);
    expect(after).not.toContain(alice.id);
  });

  test('in prod are for this machine and for who brings the token, also behind a proxy', async () => {
    const METRICS_TOKEN = 'the-token-of-the-prometheus';
    const prod = (env: Environment) => startServer({ ENV: 'prod', JWT_SECRET: SECRET, ...env });
    const [closed, proxied] = await Promise.all([prod({}), prod({ TRUST_PROXY: 'loopback', METRICS_TOKEN })]);
    const status = async (at: TestServer, headers: Record<string, string> = {}) =>
      (await get('/metrics', headers, at)).status;
    const forwarded = { 'X-Forwarded-For': '198.51.100.1' };
    const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

    expect(await status(closed)).toBe(200);
    expect(await status(closed, forwarded)).toBe(403);
    expect(await status(closed, { ...forwarded, ...bearer('') })).toBe(403);
    expect(await status(closed, { 'X-Forwarded-For': '127.0.0.1' })).toBe(403);
    expect(await status(closed, { Forwarded: 'for=198.51.100.1' })).toBe(403);

    expect(await status(proxied)).toBe(200);
    expect(await status(proxied, forwarded)).toBe(403);
    expect(await status(proxied, { ...forwarded, ...bearer('another') })).toBe(403);
    expect(await status(proxied, { ...forwarded, ...bearer(METRICS_TOKEN) })).toBe(200);
    expect(await status(proxied, { 'X-Forwarded-For': '127.0.0.1, 198.51.100.1' })).toBe(403);
    expect(await (await get('/metrics', forwarded, proxied)).json()).toMatchObject({ code: 'forbidden' });
  });
});
