import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Browser } from '../support/browser.ts';
import { claimsOf, forgeToken } from '../support/forge.ts';
import { type Answer, type Person, request, signUp, signUpAll } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

const SECRET = 'the-secret-that-signs-the-tokens-of-these-tests';
const WIDE = '100000/1m';
const WRONG = 'not the right one';

let addresses = 0;
/** An address that nobody has had yet. */
const anywhere = () => `203.0.${113 + Math.floor(++addresses / 250)}.${addresses % 250}`;

interface From {
  address?: string;
  device_token?: string;
}

function login(
  server: { url: string },
  handle: object,
  password: string,
  { address = anywhere(), device_token = '' }: From = {},
): Promise<Answer> {
  const headers = { 'X-Forwarded-For': address };
  return request(server, 'POST', '/auth/login', { body: { ...handle, password, device_token }, headers });
}

/** Somebody's device: what it was given when they signed in there. */
async function deviceOf(person: Person): Promise<string> {
  const { status, body } = await login(person.server, { email: person.user.email }, person.password);
  expect(status).toBe(200);
  return body.device_token;
}

describe('wrong passwords of strangers', () => {
  let server: TestServer;
  let alice: Person;
  let handle: { email: string };

  beforeAll(async () => {
    server = await startServer({
      RATE_LIMITS: 'on',
      TRUST_PROXY: 'loopback',
      JWT_SECRET: SECRET,
      LIMIT_REGISTER: WIDE,
      LIMIT_LOGIN: '12/1m',
      LIMIT_LOGIN_ACCOUNT: '3/1m',
      LIMIT_LOGIN_ACCOUNT_STRANGERS: '7/1m',
      LIMIT_REFRESH: '3/1m',
    });
  });
  beforeEach(async () => {
    alice = await signUp(server, 'alice');
    handle = { email: alice.user.email };
  });

  /** As many as strangers may try at the account, from as many addresses as it takes. */
  async function exhaust(names: object[] = [handle]): Promise<void> {
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) statuses.push((await login(server, names[n % names.length]!, WRONG)).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 401, 401, 429]);
  }

  test('from one address keep nobody out who is elsewhere', async () => {
    const address = anywhere();
    for (let n = 0; n < 3; n++) expect((await login(server, handle, WRONG, { address })).status).toBe(401);
    for (const password of [WRONG, alice.password]) {
      expect((await login(server, handle, password, { address })).status).toBe(429);
    }
    // However often it goes on: what was refused counts nowhere.
    for (let n = 0; n < 5; n++) expect((await login(server, handle, WRONG, { address })).status).toBe(429);
    expect((await login(server, handle, alice.password)).status).toBe(200);
  });

  test('from many addresses are limited together, by whichever of its names the account is called', async () => {
    const { username } = alice.user;
    await exhaust([handle, { username }, { username: username.toUpperCase() }]);
    const refused = await login(server, handle, alice.password);
    expect([refused.status, refused.body.code, refused.headers.get('ratelimit-limit')]).toEqual([
      429,
      'rate_limited',
      '7',
    ]);
  });

  test('of an account that is not there are limited like those of one', async () => {
    const [email, username] = ['nobody@example.com', 'nobody-of-this-name'];
    await exhaust([{ email }, { email: 'NOBODY@example.com' }]);
    await exhaust([{ username }, { username: ` ${username.toUpperCase()}` }]);
  });

  test('do not count where they were right', async () => {
    for (let n = 0; n < 20; n++) expect((await login(server, handle, alice.password)).status).toBe(200);
    await exhaust();
  });

  test('keep no device out that has signed in before, by its token or its cookie, wherever it is', async () => {
    const token = await deviceOf(alice);
    const browser = new Browser(server, { 'X-Forwarded-For': anywhere() });
    const body = { ...handle, password: alice.password };
    expect((await browser.call('POST', '/auth/login', body, { 'X-Auth-Mode': 'cookie' })).status).toBe(200);
    await browser.call('POST', '/auth/logout');
    await exhaust();
    const address = anywhere();
    expect((await login(server, handle, WRONG, { address })).status).toBe(429);

    expect((await login(server, handle, alice.password, { address, device_token: token })).status).toBe(200);
    expect((await browser.call('POST', '/auth/login', body)).status).toBe(200);
  });

  test('keep no device out that has signed up', async () => {
    const account = { email: `first-${crypto.randomUUID()}@example.com`, password: alice.password, device_token: '' };
    const headers = { 'X-Forwarded-For': anywhere() };
    const { device_token } = (await request(server, 'POST', '/auth/register', { body: account, headers })).body;
    handle = { email: account.email };
    await exhaust();
    expect((await login(server, handle, alice.password)).status).toBe(429);
    expect((await login(server, handle, alice.password, { device_token })).status).toBe(200);
  });

  test('keep nobody out who is signed in: they change their password, and delete their account', async () => {
    await exhaust();
    const change = { current_password: alice.password, new_password: 'another horse battery' };
    expect((await alice.call('POST', '/auth/password', change)).status).toBe(200);
    expect((await alice.call('DELETE', '/users/me', { password: change.new_password })).status).toBe(200);
  });

  test('use up what one address may try, and not what a known device beside them may', async () => {
    const device_token = await deviceOf(alice);
    const address = anywhere();
    for (let n = 0; n < 12; n++) {
      expect((await login(server, { email: `n${n}@example.com` }, WRONG, { address })).status).toBe(401);
    }
    expect((await login(server, handle, alice.password, { address })).status).toBe(429);
    expect((await login(server, handle, alice.password, { address, device_token })).status).toBe(200);
    // At another account it is a stranger like any other.
    const bob = await signUp(server, 'bob');
    expect((await login(server, { email: bob.user.email }, bob.password, { address, device_token })).status).toBe(429);
  });

  test('from a known device count for that device alone', async () => {
    const [mine, other] = [await deviceOf(alice), await deviceOf(alice)];
    const tried = async (password: string, device_token?: string) =>
      (await login(server, handle, password, { device_token })).status;
    for (let n = 0; n < 3; n++) expect(await tried(WRONG, mine)).toBe(401);
    expect(await tried(alice.password, mine)).toBe(429);
    expect(await tried(alice.password, other)).toBe(200);
    expect(await tried(alice.password)).toBe(200);
    // Nor did they count with those of strangers.
    await exhaust();
    // A device stays the same one, whatever token it has: else each log-in gave it more tries.
    const again = await login(server, handle, alice.password, { device_token: other });
    for (let n = 0; n < 3; n++) expect(await tried(WRONG, n % 2 === 0 ? other : again.body.device_token)).toBe(401);
    expect(await tried(WRONG, again.body.device_token)).toBe(429);
  });

  test('of somebody signed in count for their session alone', async () => {
    const { body } = await login(server, handle, alice.password);
    const tried = async (token: string, password: string) =>
      (await request(server, 'DELETE', '/users/me', { token, body: { password } })).status;
    for (let n = 0; n < 3; n++) expect(await tried(alice.tokens.access_token, WRONG)).toBe(401);
    expect(await tried(alice.tokens.access_token, alice.password)).toBe(429);
    expect((await login(server, handle, alice.password)).status).toBe(200);
    expect(await tried(body.tokens.access_token, alice.password)).toBe(200);
  });

  test('are those of a device of another account, or of a token that is none', async () => {
    const bob = await signUp(server, 'bob');
    const device = await deviceOf(alice);
    const claims = claimsOf(device);
    expect(claims).toMatchObject({ aud: 'parley-device', typ: 'device', users: [alice.id] });
    const tokens = [
      await deviceOf(bob),
      forgeToken(claims, { secret: SECRET }),
      forgeToken(claims),
      `${device}x`,
      device.replace(/\.[^.]*\./, `.${Buffer.from(JSON.stringify({ ...claims, did: bob.id })).toString('base64url')}.`),
      alice.tokens.access_token,
      alice.tokens.refresh_token,
      'nonsense',
      '',
    ];
    await exhaust();
    for (const device_token of tokens) {
      const { status } = await login(server, handle, alice.password, { device_token });
      expect({ device_token, status }).toEqual({ device_token, status: 429 });
    }
    expect((await login(server, handle, alice.password, { device_token: device })).status).toBe(200);
  });

  test('of those who share a browser: it is known to the accounts of all of them', async () => {
    const bob = await signUp(server, 'bob');
    const browser = new Browser(server, { 'X-Forwarded-For': anywhere() });
    const enter = async ({ user, password }: Person) =>
      (await browser.call('POST', '/auth/login', { email: user.email, password })).status;
    expect([await enter(alice), await enter(bob)]).toEqual([200, 200]);
    await exhaust();
    expect(await enter(alice)).toBe(200);
  });

  test('a device is no session: its token opens nothing', async () => {
    const token = await deviceOf(alice);
    expect((await request(server, 'GET', '/auth/me', { token })).body.code).toBe('invalid_token');
    const headers = { Cookie: `access_token=${token}; device=${token}`, 'X-Forwarded-For': anywhere() };
    expect((await request(server, 'GET', '/auth/me', { headers })).body.code).toBe('invalid_token');
    const body = { refresh_token: token };
    expect((await request(server, 'POST', '/auth/refresh', { body, headers })).body.code).toBe('invalid_token');
  });

  test('refresh tokens that are none, from one address, keep nobody there from theirs', async () => {
    const headers = { 'X-Forwarded-For': anywhere() };
    const refresh = async (refresh_token: string) =>
      (await request(server, 'POST', '/auth/refresh', { body: { refresh_token }, headers })).status;
    for (let n = 0; n < 3; n++) expect(await refresh(`nonsense ${n}`)).toBe(401);
    expect(await refresh('nonsense')).toBe(429);
    // The same one again and again gets the same successor, and counts for its own session.
    for (let n = 0; n < 3; n++) expect(await refresh(alice.tokens.refresh_token)).toBe(200);
    expect(await refresh(alice.tokens.refresh_token)).toBe(429);
    const [bob] = await signUpAll(server, 'bob');
    expect(await refresh(bob.tokens.refresh_token)).toBe(200);
  });
});

describe('while hundreds of strangers sign in at once', () => {
  const CROWD = 400;
  let server: TestServer;
  let node: { url: string };
  let alice: Person;
  let handle: { email: string };

  beforeAll(async () => {
    server = await startServer({
      RATE_LIMITS: 'on',
      TRUST_PROXY: 'loopback',
      LIMIT_REGISTER: WIDE,
      LIMIT_LOGIN: WIDE,
      PASSWORD_HASH_CONCURRENCY: '2',
    });
    node = server.nodes[0]!; // each hashes for itself
    alice = await signUp(server, 'alice');
    handle = { email: alice.user.email };
  });

  /** Strangers who come at once, and what becomes of them; resolves when the first of them has been refused. */
  async function crowd(address: () => string): Promise<{ answers: Promise<Answer[]> }> {
    const isFull = Promise.withResolvers<void>();
    const answers = Array.from({ length: CROWD }, async (_, n) => {
      const answer = await login(node, { email: `crowd-${n}@example.com` }, WRONG, { address: address() });
      if (answer.status === 503) isFull.resolve();
      return answer;
    });
    await isFull.promise;
    return { answers: Promise.all(answers) };
  }

  /** Each was answered, or told when to come back. */
  function expectAnswers(answers: Answer[]): void {
    for (const { status, body, headers } of answers) {
      if (status === 401) continue;
      expect([status, body.code]).toEqual([503, 'unavailable']);
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    }
    expect(answers.filter(({ status }) => status === 401).length).toBeGreaterThanOrEqual(100);
  }

  test('a known device does so within two seconds, and whoever is signed in changes their password', async () => {
    const device_token = await deviceOf(alice);
    const { answers } = await crowd(anywhere);
    const started = performance.now();
    const { status } = await login(node, handle, alice.password, { device_token });
    const ms = performance.now() - started;
    expect(status).toBe(200);
    expect(ms).toBeLessThan(8000);
    const change = { current_password: alice.password, new_password: alice.password };
    const token = alice.tokens.access_token;
    expect((await request(node, 'POST', '/auth/password', { token, body: change })).status).toBe(200);
    expectAnswers(await answers);
  });

  test('of one address, strangers of others are answered all the same', async () => {
    const address = anywhere();
    const { answers } = await crowd(() => address);
    const others = await Promise.all(Array.from({ length: 20 }, () => login(node, handle, alice.password)));
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 200));
    expectAnswers(await answers);
  });
});
