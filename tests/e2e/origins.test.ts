import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Browser } from '../support/browser.ts';
import { type Person, request, signUp } from '../support/people.ts';
import { handshake } from '../support/raw-peer.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);

const SECRET = 'the-secret-that-signs-the-tokens-of-these-tests';
type Headers = Record<string, string>;

/** A page's requests to a server: by its cookie, by its bearer token, and the socket that it opens by its cookie. */
interface Page {
  server: TestServer;
  person: Person;
  browser: Browser;
}

/** A page's origin is one node's, where there are several without a PUBLIC_URL. */
async function open({ nodes }: TestServer): Promise<Page> {
  const server = nodes[0]!;
  const person = await signUp(server, 'visitor');
  const browser = await Browser.signIn(server, { email: person.user.email, password: person.password });
  return { server, person, browser };
}

/** What an unsafe request and a socket get, both by cookie. */
async function tries({ server, browser }: Page, headers: Headers): Promise<Record<'change' | 'socket', unknown[]>> {
  const changed = await browser.call('PATCH', '/users/me', { status: 'changed' }, headers);
  const socket = await handshake(server, '/ws', { ...headers, Cookie: browser.cookieHeader('/ws') });
  return { change: [changed.status, changed.body.code], socket: [socket.status, socket.body?.code] };
}

const ALLOWED = { change: [200, undefined], socket: [101, undefined] };
const REFUSED = { change: [403, 'origin_not_allowed'], socket: [403, 'origin_not_allowed'] };

let local: Page;
let configured: Page;
let own: string;

beforeAll(async () => {
  const [plain, other] = await Promise.all([
    startServer(),
    startServer({ PUBLIC_URL: 'https://chat.example.com', CORS_ORIGINS: 'https://a.example, https://b.example:8443' }),
  ]);
  [local, configured] = await Promise.all([open(plain), open(other)]);
  own = local.server.url;
});
afterAll(endServers);

describe('by cookie', () => {
  test('pages of this server, programs, and the web dev server may change things and open sockets', async () => {
    const pages: Headers[] = [
      {},
      { Origin: own },
      { Origin: own, 'Sec-Fetch-Site': 'same-origin' },
      { 'Sec-Fetch-Site': 'same-origin' },
      { 'Sec-Fetch-Site': 'none' },
      { Origin: 'http://localhost:5173' },
      { Origin: 'http://localhost:5173', 'Sec-Fetch-Site': 'same-site' },
    ];
    for (const headers of pages) expect({ headers, ...(await tries(local, headers)) }).toEqual({ headers, ...ALLOWED });
  });

  test('pages of any other site may not', async () => {
    const { host } = new URL(own);
    const pages: Headers[] = [
      { Origin: 'https://evil.example' },
      { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' },
      { Origin: 'null' },
      { Origin: '' },
      { Origin: `http://${host}.evil.example` },
      { Origin: 'http://127.0.0.1:1' },
      { Origin: 'http://localhost:5174' },
      { Origin: 'https://localhost:5173' },
      { Origin: 'http://localhost:5173.evil.example' },
      { Origin: `http://evil.example/${host}` },
      { Origin: `http://${host}@evil.example` },
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
      { 'Sec-Fetch-Site': 'nonsense' },
    ];
    for (const headers of pages) expect({ headers, ...(await tries(local, headers)) }).toEqual({ headers, ...REFUSED });
  });

  test('refresh and sign-out obey the same rule, and a refused one ends nothing', async () => {
    const { server, person } = local;
    const browser = await Browser.signIn(server, { email: person.user.email, password: person.password });
    const evil = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' };
    for (const path of ['/auth/logout', '/auth/refresh']) {
      const answer = await browser.call('POST', path, undefined, evil);
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, 'origin_not_allowed']);
    }
    expect((await browser.call('GET', '/auth/me')).status).toBe(200);
    expect((await browser.call('POST', '/auth/refresh', undefined, { Origin: own })).status).toBe(200);
    expect((await browser.call('POST', '/auth/logout', undefined, { Origin: own })).status).toBe(200);
  });

  test('every unsafe method of every kind is guarded, and what is refused changes nothing', async () => {
    const { person, browser } = local;
    const friend = await signUp(local.server, 'friend');
    const group = await person.group([friend], 'Guarded');
    const before = (await person.call('GET', `/conversations/${group}`)).body;
    const evil = { Origin: 'https://evil.example' };
    for (const [method, path, body] of [
      ['POST', '/conversations', { participant_id: friend.id }],
      ['PATCH', `/conversations/${group}`, { name: 'Taken over' }],
      ['POST', `/conversations/${group}/messages`, { content: 'by another site' }],
      ['DELETE', `/conversations/${group}/participants/${friend.id}`, undefined],
      ['PATCH', '/users/me', { display_name: 'Taken over' }],
      ['DELETE', '/users/me', { password: person.password }],
      ['POST', '/auth/password', { current_password: person.password, new_password: 'taken over now' }],
    ] as const) {
      const answer = await browser.call(method, path, body, evil);
      expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 403, 'origin_not_allowed']);
    }
    expect((await person.call('GET', `/conversations/${group}`)).body).toEqual(before);
    expect((await person.call('GET', '/auth/me')).body.display_name).toBe(person.user.display_name);
  });

  test('reading is possible from anywhere, but no page of another site is let see the answer', async () => {
    const answer = await local.browser.call('GET', '/auth/me', undefined, { Origin: 'https://evil.example' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('PUBLIC_URL and CORS_ORIGINS say whose pages may, and nobody beside', async () => {
    for (const Origin of ['https://chat.example.com', 'https://a.example', 'https://b.example:8443']) {
      expect({ Origin, ...(await tries(configured, { Origin })) }).toEqual({ Origin, ...ALLOWED });
    }
    for (const Origin of [
      'http://chat.example.com',
      'https://chat.example.com:8443',
      'https://b.example',
      'https://sub.a.example',
      'http://localhost:5173',
    ]) {
      expect({ Origin, ...(await tries(configured, { Origin })) }).toEqual({ Origin, ...REFUSED });
    }
  });

  test('in prod no other site may unless it is named', async () => {
    const prod = await open(await startServer({ ENV: 'prod', JWT_SECRET: SECRET }));
    expect(await tries(prod, { Origin: 'http://localhost:5173' })).toEqual(REFUSED);
    expect(await tries(prod, { Origin: prod.server.url })).toEqual(ALLOWED);
  });
});

test('with a bearer token the origin does not matter: no browser sends one by itself', async () => {
  const { server, person, browser } = local;
  const token = person.tokens.access_token;
  const headers = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' };
  const body = { status: 'from afar' };
  expect((await request(server, 'PATCH', '/users/me', { token, headers, body })).status).toBe(200);
  const withCookie = { ...headers, Cookie: browser.cookieHeader('/api/v1/users/me') };
  expect((await request(server, 'PATCH', '/users/me', { token, headers: withCookie, body })).status).toBe(200);
  const cookie = { Cookie: browser.cookieHeader('/ws') };
  const sockets: [string, Headers][] = [
    ['/ws', { ...headers, ...cookie, Authorization: `Bearer ${token}` }],
    ['/ws', { ...headers, ...cookie, 'Sec-WebSocket-Protocol': `parley.v1, parley.token.${token}` }],
    [`/ws?token=${token}`, headers],
  ];
  for (const socket of sockets) expect((await handshake(server, ...socket)).status).toBe(101);
  const refreshed = await request(server, 'POST', '/auth/refresh', {
    body: { refresh_token: person.tokens.refresh_token },
    headers,
  });
  expect(refreshed.status).toBe(200);
});

describe('CORS', () => {
  const preflight = (server: TestServer, Origin: string) =>
    request(server, 'OPTIONS', '/users/me', {
      headers: {
        Origin,
        'Access-Control-Request-Method': 'PATCH',
        'Access-Control-Request-Headers': 'content-type',
      },
    });

  test('answers name the exact origin, and allow credentials and Content-Type', async () => {
    for (const Origin of ['https://a.example', 'https://b.example:8443', 'https://chat.example.com']) {
      const { status, headers } = await preflight(configured.server, Origin);
      expect(status).toBeOneOf([200, 204]);
      expect(headers.get('access-control-allow-origin')).toBe(Origin);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(headers.get('access-control-allow-headers')?.toLowerCase()).toContain('content-type');
      expect(headers.get('access-control-allow-methods')?.split(',')).toContain('PATCH');
      expect(headers.get('vary')?.toLowerCase()).toContain('origin');

      const answer = await request(configured.server, 'GET', '/auth/me', { headers: { Origin } });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('access-control-allow-origin')).toBe(Origin);
      expect(answer.headers.get('access-control-allow-credentials')).toBe('true');
      expect(answer.headers.get('access-control-expose-headers')?.toLowerCase()).toContain('x-request-id');
    }
  });

  test('answers name no other origin, and never all of them', async () => {
    for (const Origin of ['https://evil.example', 'null', 'http://localhost:5173', 'https://a.example.evil']) {
      for (const { headers } of [
        await preflight(configured.server, Origin),
        await request(configured.server, 'GET', '/health', { headers: { Origin } }),
      ]) {
        expect(headers.get('access-control-allow-origin')).toBeNull();
      }
    }
  });
});
