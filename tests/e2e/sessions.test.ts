import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Browser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { claimsOf, forgeToken } from '../support/forge.ts';
import { Person, refusalOf, request, signUp, signUpAll } from '../support/people.ts';
import { handshake } from '../support/raw-peer.ts';
import { endServers, startServer, type TestServer, temporaryFolder } from '../support/server.ts';

setDefaultTimeout(60_000);

const SECRET = 'the-secret-that-signs-the-tokens-of-these-tests';
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ JWT_SECRET: SECRET });
});
afterAll(endServers);

/** The same person, signed in once more. */
async function signInAgain({ server, user, password }: Person): Promise<Person> {
  const { status, body } = await request(server, 'POST', '/auth/login', { body: { email: user.email, password } });
  if (status !== 200) throw new Error(`signing in failed: ${JSON.stringify(body)}`);
  return new Person(server, user, body.tokens, password);
}

const refresh = (refresh_token: string, at: TestServer = server) =>
  request(at, 'POST', '/auth/refresh', { body: { refresh_token } });
const whoAmI = (token: string, at: TestServer = server) => request(at, 'GET', '/auth/me', { token });

describe('with a bearer token', () => {
  test('a request is its owner’s; without one it is nobody’s', async () => {
    const person = await signUp(server);
    expect((await person.call('GET', '/auth/me')).body).toEqual(person.user);
    const lower = await request(server, 'GET', '/auth/me', {
      headers: { authorization: `bearer ${person.tokens.access_token}` },
    });
    expect(lower.status).toBe(200);
    expect(await request(server, 'GET', '/auth/me')).toMatchObject({ status: 401, body: { code: 'missing_token' } });
    for (const authorization of ['Bearer', 'Bearer x', 'Bearer null']) {
      const answer = await request(server, 'GET', '/auth/me', { headers: { authorization } });
      expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
    }
  });

  test('the header counts where a cookie comes too, also if it is no good', async () => {
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const Cookie = `access_token=${alice.tokens.access_token}`;
    const both = await request(server, 'GET', '/auth/me', { token: bob.tokens.access_token, headers: { Cookie } });
    expect(both.body.id).toBe(bob.id);
    expect((await request(server, 'GET', '/auth/me', { headers: { Cookie } })).body.id).toBe(alice.id);
    expect((await request(server, 'GET', '/auth/me', { token: 'nonsense', headers: { Cookie } })).status).toBe(401);
  });

  test('nothing that is somebody’s own may be kept by a cache, failures and tokens no more than messages', async () => {
    const person = await signUp(server);
    const answers = await Promise.all([
      refresh(person.tokens.refresh_token),
      person.call('GET', '/auth/me'),
      request(server, 'POST', '/auth/login', { body: { email: person.user.email, password: person.password } }),
    ]);
    const id = await person.direct(person);
    const own = await Promise.all([
      ...['/conversations', `/conversations/${id}/messages`, `/users/${person.id}`, '/sync', '/users?query=a'].map(
        (path) => person.call('GET', path),
      ),
      person.call('POST', '/sync', { conversations: [] }),
      person.call('GET', `/conversations/${crypto.randomUUID()}`),
      request(server, 'GET', '/conversations'),
      request(server, 'GET', '/api/nowhere'),
    ]);
    for (const { headers } of [...answers, ...own]) expect(headers.get('cache-control')).toBe('no-store');
    // What is the same for all is asked for again, and need not be sent again.
    const { headers } = await request(server, 'GET', '/openapi.json');
    expect(headers.get('cache-control')).toBe('no-cache');
    const [, seconds] = /^max-age=(\d+); includeSubDomains$/.exec(headers.get('strict-transport-security')!) ?? [];
    expect(Number(seconds)).toBeGreaterThanOrEqual(365 * 24 * 3600);
  });
});

describe('with cookies', () => {
  test('register, login and refresh set them, and a browser needs nothing else', async () => {
    const browser = new Browser(server);
    const account = { email: 'browser@example.com', password: 'correct horse battery' };
    const mode = { 'X-Auth-Mode': 'cookie' };
    const registered = await browser.call('POST', '/auth/register', account, mode);
    expect(registered.status).toBe(201);
    expect(Object.keys(registered.body)).toEqual(['user']);
    for (const [name, path] of [
      ['access_token', '/'],
      ['refresh_token', '/api/v1/auth'],
    ] as const) {
      const { value, attributes } = browser.cookies.get(name)!;
      expect(value.split('.')).toHaveLength(3);
      expect(attributes.get('path')).toBe(path);
      expect(attributes.has('httponly')).toBe(true);
      expect(attributes.get('samesite')).toBe('Lax');
      expect(attributes.has('secure')).toBe(false);
      expect(attributes.has('domain')).toBe(false);
      expect(Number(attributes.get('max-age'))).toBeWithin(168 * 3600 - 10, 168 * 3600 + 2);
    }
    expect(browser.cookieHeader('/api/v1/users')).not.toContain('refresh_token');
    expect((await browser.call('GET', '/auth/me')).body).toEqual(registered.body.user);
    expect((await browser.call('PATCH', '/users/me', { status: 'here' })).status).toBe(200);

    const loggedIn = await browser.call('POST', '/auth/login', account, mode);
    expect([loggedIn.status, Object.keys(loggedIn.body)]).toEqual([200, ['user']]);

    const before = browser.cookies.get('refresh_token')!.value;
    const refreshed = await browser.call('POST', '/auth/refresh');
    expect([refreshed.status, refreshed.body]).toEqual([200, { success: true, expires_in: 900 }]);
    expect(browser.cookies.get('refresh_token')!.value).not.toBe(before);
    expect((await browser.call('GET', '/auth/me')).status).toBe(200);
  });

  test('tokens are in the body too, unless the request says that it keeps cookies', async () => {
    const person = await signUp(server);
    const body = { email: person.user.email, password: person.password };
    expect((await request(server, 'POST', '/auth/login', { body })).body.tokens).toBeDefined();
    const headers = { 'X-Auth-Mode': 'cookie' };
    expect((await request(server, 'POST', '/auth/login', { body, headers })).body).toEqual({ user: person.user });
    const refresh_token = person.tokens.refresh_token;
    const refreshed = await request(server, 'POST', '/auth/refresh', { body: { refresh_token }, headers });
    expect(refreshed.body).toEqual({ success: true, expires_in: 900 });
    expect(refreshed.headers.getSetCookie()).toHaveLength(2);
  });

  test('sign-out clears them, and either of them is enough to sign out', async () => {
    const person = await signUp(server);
    const browser = await Browser.signIn(server, { email: person.user.email, password: person.password });
    const { value } = browser.cookies.get('refresh_token')!;
    const answer = await browser.call('POST', '/auth/logout');
    expect([answer.status, answer.body]).toEqual([200, { success: true }]);
    // But for what says that this browser has signed in before, and nobody in.
    expect([...browser.cookies.keys()]).toEqual(['device']);
    expect((await refresh(value)).status).toBe(401);

    const other = await Browser.signIn(server, { email: person.user.email, password: person.password });
    const access = other.cookies.get('access_token')!.value;
    other.cookies.delete('access_token');
    expect((await other.call('POST', '/auth/logout')).status).toBe(200);
    expect((await whoAmI(access)).body.code).toBe('invalid_token');
    expect((await person.call('GET', '/auth/me')).status).toBe(200);
  });

  test('under TLS they are Secure and this host’s alone, where a trusted proxy or the public address says so', async () => {
    const account = { email: 'tls@example.com', password: 'correct horse battery' };
    const cookiesOf = async (at: TestServer, headers: Record<string, string>) => {
      const browser = new Browser(at, headers);
      const made = await browser.call('POST', '/auth/register', account);
      if (made.status !== 201) await browser.call('POST', '/auth/login', account);
      const cookies = [...browser.cookies].map(([name, { attributes }]) => {
        expect([attributes.has('httponly'), attributes.get('samesite')]).toEqual([true, 'Lax']);
        expect(attributes.has('domain')).toBe(false);
        return [name, attributes.get('path'), attributes.has('secure')];
      });
      const known = [...browser.cookies].find(([name]) => name.endsWith('device'))![1];
      expect(known.attributes.get('max-age')).toBe(String(400 * 86_400));
      return cookies;
    };
    const [behindProxy, withAddress] = await Promise.all([
      startServer({ TRUST_PROXY: 'loopback' }),
      startServer({ PUBLIC_URL: 'https://chat.example.com' }),
    ]);
    const secure = [
      ['__Host-access_token', '/', true],
      ['__Host-refresh_token', '/', true],
      ['__Host-device', '/', true],
    ];
    const plain = [
      ['access_token', '/', false],
      ['refresh_token', '/api/v1/auth', false],
      ['device', '/api/v1/auth', false],
    ];
    expect(await cookiesOf(behindProxy, { 'X-Forwarded-Proto': 'https' })).toEqual(secure);
    expect(await cookiesOf(behindProxy, { 'X-Forwarded-Proto': 'http' })).toEqual(plain);
    expect(await cookiesOf(server, { 'X-Forwarded-Proto': 'https' })).toEqual(plain);
    expect(await cookiesOf(withAddress, {})).toEqual(secure);
  });

  describe('under TLS, of the names from before', () => {
    let secured: TestServer;
    let alice: Person;
    let bob: Person;
    beforeAll(async () => {
      secured = await startServer({ PUBLIC_URL: 'https://chat.example.com' });
    });
    beforeEach(async () => {
      [alice, bob] = await signUpAll(secured, 'alice', 'bob');
    });

    /** A browser with one session's tokens in cookies of these names. */
    const holding = ({ tokens }: Person, names: [string, string], browser = new Browser(secured)) => {
      for (const [index, value] of [tokens.access_token, tokens.refresh_token].entries()) {
        browser.cookies.set(names[index]!, { value, attributes: new Map() });
      }
      return browser;
    };
    const older: [string, string] = ['access_token', 'refresh_token'];
    const newer: [string, string] = ['__Host-access_token', '__Host-refresh_token'];
    const whoIsIn = async (browser: Browser) => (await browser.call('GET', '/auth/me')).body.id;
    const whoseSocket = async (browser: Browser) => {
      const headers = { Cookie: browser.cookieHeader('/ws') };
      const socket = await alice.open({ protocols: ['parley.v1'], headers });
      return (await socket.next('ready')).user_id;
    };

    test('a browser goes on by them, and is moved to the new ones at its next refresh', async () => {
      const browser = holding(alice, older);
      expect([await whoIsIn(browser), await whoseSocket(browser)]).toEqual([alice.id, alice.id]);
      expect((await browser.call('POST', '/auth/refresh')).status).toBe(200);
      expect([...browser.cookies.keys()]).toEqual(newer);
      expect(await whoIsIn(browser)).toBe(alice.id);
      expect((await browser.call('POST', '/auth/refresh')).status).toBe(200);
    });

    test('none counts beside a new one, which somebody else cannot have given', async () => {
      // However they are ordered: those of longer paths and of earlier days come first.
      for (const browser of [holding(bob, older, holding(alice, newer)), holding(alice, newer, holding(bob, older))]) {
        expect([await whoIsIn(browser), await whoseSocket(browser)]).toEqual([alice.id, alice.id]);
      }
      const browser = holding(bob, older, holding(alice, newer));
      expect((await browser.call('POST', '/auth/refresh')).status).toBe(200);
      expect([...browser.cookies.keys()]).toEqual(newer);
      expect(await whoIsIn(browser)).toBe(alice.id);
      for (const value of ['nonsense', '']) {
        const broken = holding(bob, older);
        for (const name of newer) broken.cookies.set(name, { value, attributes: new Map() });
        expect((await broken.call('GET', '/auth/me')).status).toBe(401);
        expect((await broken.call('POST', '/auth/refresh')).status).toBe(401);
      }
    });

    test('all are gone with a sign-out', async () => {
      const browser = holding(alice, older, holding(alice, newer));
      expect((await browser.call('POST', '/auth/logout')).status).toBe(200);
      expect([...browser.cookies.keys()]).toEqual([]);
      expect(await alice.refusal()).toBe('invalid_token');
    });

    test('and without TLS those from under it are taken away, which else would win', async () => {
      const [carol] = await signUpAll(server, 'carol');
      const browser = holding(alice, newer, new Browser(server));
      await browser.call('POST', '/auth/login', { email: carol.user.email, password: carol.password });
      expect([...browser.cookies.keys()].toSorted()).toEqual(['access_token', 'device', 'refresh_token']);
      expect(await whoIsIn(browser)).toBe(carol.id);
    });
  });

  test('signing in or up ends the session that the browser had, whoever’s it was, with its sockets', async () => {
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const browser = new Browser(server);
    const enter = ({ user, password }: Person) => browser.call('POST', '/auth/login', { email: user.email, password });
    const isIn = async (token: string) => (await whoAmI(token)).status === 200;

    const first = (await enter(alice)).body.tokens;
    const socket = await alice.open({ protocols: ['parley.v1', `parley.token.${first.access_token}`] });
    await socket.next('ready');
    const second = (await enter(alice)).body.tokens;
    expect((await socket.closed).code).toBe(4401);
    await refusalOf(server, first.access_token);
    expect(await isIn(second.access_token)).toBe(true);
    expect((await refresh(first.refresh_token)).status).toBe(401);

    const third = (await enter(bob)).body.tokens;
    await refusalOf(server, second.access_token);
    expect(await isIn(third.access_token)).toBe(true);
    browser.cookies.delete('access_token'); // the other says as well whose browser it was
    const account = { email: `new-${crypto.randomUUID()}@example.com`, password: 'correct horse battery' };
    const fourth = (await browser.call('POST', '/auth/register', account)).body.tokens;
    await refusalOf(server, third.access_token);
    expect(await isIn(fourth.access_token)).toBe(true);
    // Of these two no other session has ended: not those that they began elsewhere.
    for (const person of [alice, bob]) expect((await person.call('GET', '/auth/me')).status).toBe(200);
  });

  test('a log-in that is refused ends nothing, nor does one from a page that may not use the cookies', async () => {
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const browser = await Browser.signIn(server, { email: alice.user.email, password: alice.password });
    const handle = { email: bob.user.email };
    expect((await browser.call('POST', '/auth/login', { ...handle, password: 'wrong' })).status).toBe(401);
    expect((await browser.call('POST', '/auth/login', { ...handle })).status).toBe(400);
    expect((await browser.call('GET', '/auth/me')).body.id).toBe(alice.id);
    const Cookie = browser.cookieHeader('/api/v1/auth/login');
    const headers = { Cookie, Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' };
    const body = { ...handle, password: bob.password };
    expect((await request(server, 'POST', '/auth/login', { body, headers })).status).toBe(200);
    expect((await browser.call('GET', '/auth/me')).body.id).toBe(alice.id);
  });

  test('a socket opens with the cookie alone, and ends with its session', async () => {
    const person = await signUp(server);
    const browser = await Browser.signIn(server, { email: person.user.email, password: person.password });
    const socket = await person.open({ protocols: ['parley.v1'], headers: { Cookie: browser.cookieHeader('/ws') } });
    expect(await socket.next('ready')).toMatchObject({ user_id: person.id });
    await browser.call('POST', '/auth/logout');
    expect((await socket.closed).code).toBe(4401);
  });
});

describe('a refresh token', () => {
  test('is exchanged for new tokens, which work', async () => {
    const person = await signUp(server);
    const first = await refresh(person.tokens.refresh_token);
    expect(first.status).toBe(200);
    expect(Object.keys(first.body).sort()).toEqual(['access_token', 'expires_in', 'refresh_token']);
    expect(first.body.refresh_token).not.toBe(person.tokens.refresh_token);
    expect((await whoAmI(first.body.access_token)).body).toEqual(person.user);
    const second = await refresh(first.body.refresh_token);
    expect(second.status).toBe(200);
    expect((await whoAmI(second.body.access_token)).status).toBe(200);
  });

  test('gives tabs that refresh at once the same successor', async () => {
    const person = await signUp(server);
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(person.tokens.refresh_token)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const successors = new Set(answers.map(({ body }) => body.refresh_token));
    expect(successors.size).toBe(1);
    const repeated = await refresh(person.tokens.refresh_token);
    expect(repeated.body.refresh_token).toBe(answers[0]!.body.refresh_token);
    expect((await refresh(repeated.body.refresh_token)).status).toBe(200);
  });

  test('that was used before ends its session, its sockets and its successors, and no other session', async () => {
    const person = await signUp(server);
    const elsewhere = await signInAgain(person);
    const [socket, plain, other] = await Promise.all([person.connect(), person.connectPlain(), elsewhere.connect()]);
    const first = person.tokens.refresh_token;
    const second = (await refresh(first)).body.refresh_token;
    const third = (await refresh(second)).body;

    const reused = await refresh(first);
    expect([reused.status, reused.body.code]).toEqual([401, 'token_reused']);
    expect((await socket.closed).code).toBe(4401);
    expect((await plain.closed).code).toBe(4401);
    expect(await person.refusal()).toBe('invalid_token');
    expect(await refusalOf(server, third.access_token)).toBe('invalid_token');
    expect((await refresh(third.refresh_token)).body.code).toBe('invalid_token');
    expect((await refresh(second)).body.code).toBe('invalid_token');

    await other.settle();
    expect((await elsewhere.call('GET', '/auth/me')).status).toBe(200);
  });

  test('that is missing, forged or an access token is refused, and the session goes on', async () => {
    const person = await signUp(server);
    const { sub, sid } = claimsOf(person.tokens.refresh_token);
    const rest = { sub, sid, iss: 'parley', typ: 'refresh', exp: Math.ceil(Date.now() / 1000) + 60 };
    expect((await request(server, 'POST', '/auth/refresh')).body.code).toBe('missing_token');
    for (const token of [
      person.tokens.access_token,
      '',
      'nonsense',
      forgeToken({ ...rest, gen: 1 }, { secret: 'another-secret-of-more-than-32-characters' }),
      forgeToken({ ...rest, gen: 1 }, { header: { alg: 'none' } }),
      forgeToken({ ...rest, gen: 2 }, { secret: SECRET }),
      forgeToken({ ...rest, gen: 1.5 }, { secret: SECRET }),
      forgeToken({ ...rest, gen: '1' }, { secret: SECRET }),
      forgeToken({ ...rest }, { secret: SECRET }),
      forgeToken({ ...rest, gen: 1, typ: 'access' }, { secret: SECRET }),
      forgeToken({ ...rest, gen: 1, aud: 'another' }, { secret: SECRET }),
      forgeToken({ ...rest, gen: 1, sid: crypto.randomUUID() }, { secret: SECRET }),
      forgeToken({ ...rest, gen: 1, sub: crypto.randomUUID() }, { secret: SECRET }),
    ]) {
      const { status, body } = await refresh(token);
      expect({ token, status, code: body.code }).toEqual({ token, status: 401, code: 'invalid_token' });
    }
    const old = forgeToken({ ...rest, gen: 1, exp: 1000 }, { secret: SECRET });
    expect((await refresh(old)).body.code).toBe('token_expired');
    expect((await person.call('GET', '/auth/me')).status).toBe(200);
    // Made by hand with the right secret it works: what was refused above was refused for what is wrong with it.
    expect((await refresh(forgeToken({ ...rest, gen: 1 }, { secret: SECRET }))).status).toBe(200);
  });
});

describe('a session ends at once, with its open sockets', () => {
  test('by sign-out: that session, and no other', async () => {
    const person = await signUp(server);
    const elsewhere = await signInAgain(person);
    const [socket, plain, other] = await Promise.all([person.connect(), person.connectPlain(), elsewhere.connect()]);
    const answer = await person.call('POST', '/auth/logout');
    expect([answer.status, answer.body]).toEqual([200, { success: true }]);
    expect((await socket.closed).code).toBe(4401);
    expect((await plain.closed).code).toBe(4401);
    expect(await person.refusal()).toBe('invalid_token');
    expect((await refresh(person.tokens.refresh_token)).body.code).toBe('invalid_token');
    const opened = await handshake(server, `/ws?token=${person.tokens.access_token}`);
    expect([opened.status, opened.body?.code]).toEqual([401, 'invalid_token']);
    await other.settle();
    expect((await elsewhere.call('GET', '/auth/me')).status).toBe(200);

    expect((await person.call('POST', '/auth/logout')).status).toBe(200);
    expect(await request(server, 'POST', '/auth/logout')).toMatchObject({ status: 200, body: { success: true } });
  });

  test('by another password: all but the one that asked', async () => {
    const person = await signUp(server);
    const elsewhere = await signInAgain(person);
    const [socket, other] = await Promise.all([person.connect(), elsewhere.connect()]);
    const change = (current_password: string, new_password: string) =>
      person.call('POST', '/auth/password', { current_password, new_password });
    expect((await change('not this one', 'another horse battery')).body.code).toBe('invalid_credentials');
    expect((await change(person.password, 'short')).body.code).toBe('validation_failed');
    expect((await elsewhere.call('GET', '/auth/me')).status).toBe(200);

    expect((await change(person.password, 'another horse battery')).status).toBe(200);
    expect((await other.closed).code).toBe(4401);
    expect(await elsewhere.refusal()).toBe('invalid_token');
    expect((await refresh(elsewhere.tokens.refresh_token)).status).toBe(401);
    await socket.settle();
    expect((await person.call('GET', '/auth/me')).status).toBe(200);

    const login = (password: string) =>
      request(server, 'POST', '/auth/login', { body: { email: person.user.email, password } });
    expect((await login(person.password)).status).toBe(401);
    expect((await login('another horse battery')).status).toBe(200);
  });

  test('by deleting the account: every one', async () => {
    const person = await signUp(server);
    const elsewhere = await signInAgain(person);
    const sockets = await Promise.all([person.connect(), elsewhere.connect(), elsewhere.connectPlain()]);
    expect((await person.call('DELETE', '/users/me', { password: person.password })).status).toBe(200);
    const closes = await Promise.all(sockets.map((socket) => socket.closed));
    expect(closes.map((close) => close.code)).toEqual([4401, 4401, 4401]);
    expect(await elsewhere.refusal()).toBe('invalid_token');
  });

  test('and what it sends in that moment is not answered any more', async () => {
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    const socket = await alice.connect();
    await alice.call('POST', '/auth/logout');
    if (socket.raw.readyState === WebSocket.OPEN) socket.send({ conversation_id: conversation, content: 'too late' });
    await socket.closed;
    expect(await bob.history(conversation)).toEqual([]);
  });
});

test('a socket outlives its token; the session can be signed out of with an expired one', async () => {
  const brief = await startServer({ JWT_ACCESS_EXPIRY: '1s' });
  const person = await signUp(brief);
  const socket = await person.connect();
  await eventually(
    'the token expires',
    async () => (await person.call('GET', '/auth/me')).body.code === 'token_expired',
  );
  const refused = await handshake(brief, '/ws', { Authorization: `Bearer ${person.tokens.access_token}` });
  expect([refused.status, refused.body?.code]).toEqual([401, 'token_expired']);
  await socket.settle();

  const answer = await person.call('POST', '/auth/logout');
  expect([answer.status, answer.body]).toEqual([200, { success: true }]);
  expect((await socket.closed).code).toBe(4401);
  expect((await refresh(person.tokens.refresh_token, brief)).body.code).toBe('invalid_token');
});

test('when the refresh token expires the socket closes, unless the session was refreshed meanwhile', async () => {
  const brief = await startServer({ JWT_REFRESH_EXPIRY: '2s', WS_HEARTBEAT: '500ms' });
  const [idle, busy] = await signUpAll(brief, 'idle', 'busy');
  const [forgotten, kept] = await Promise.all([idle.connect(), busy.connect()]);
  let { refresh_token } = busy.tokens;
  const over = forgotten.closed.then(() => true);
  const pause = () => Bun.sleep(500).then(() => false);
  while (!(await Promise.race([over, pause()]))) {
    const answer = await refresh(refresh_token, brief);
    expect(answer.status).toBe(200);
    refresh_token = answer.body.refresh_token;
  }
  expect((await forgotten.closed).code).toBe(4401);
  expect((await refresh(idle.tokens.refresh_token, brief)).body.code).toBe('token_expired');
  await kept.settle();
});

test('a session does not live beyond its greatest age, however often it is refreshed', async () => {
  const brief = await startServer({ SESSION_MAX_AGE: '2s', WS_HEARTBEAT: '500ms' });
  const person = await signUp(brief);
  const socket = await person.connect();
  let { refresh_token } = person.tokens;
  await eventually('the session ends', async () => {
    const answer = await refresh(refresh_token, brief);
    refresh_token = answer.body.refresh_token ?? refresh_token;
    return answer.body.code === 'token_expired';
  });
  expect((await socket.closed).code).toBe(4401);
});

test('a secret is rotated without signing anybody out, and the old one is worth nothing in the end', async () => {
  const DATA_DIR = temporaryFolder();
  const [old, next] = [SECRET, 'the-secret-that-comes-after-the-first-of-them'];
  const before = await startServer({ DATA_DIR, JWT_SECRET: old });
  const person = await signUp(before);
  await before.stop();

  const between = await startServer({ DATA_DIR, JWT_SECRET: next, JWT_SECRET_PREVIOUS: old });
  expect((await whoAmI(person.tokens.access_token, between)).body).toEqual(person.user);
  const renewed = (await refresh(person.tokens.refresh_token, between)).body;
  expect((await whoAmI(renewed.access_token, between)).status).toBe(200);
  await between.stop();

  const after = await startServer({ DATA_DIR, JWT_SECRET: next });
  expect((await whoAmI(person.tokens.access_token, after)).body.code).toBe('invalid_token');
  expect((await whoAmI(renewed.access_token, after)).body).toEqual(person.user);
  expect((await refresh(renewed.refresh_token, after)).status).toBe(200);
});

describe('no access token that', () => {
  let person: Person;
  let other: Person;
  let claims: Record<string, unknown>;

  beforeAll(async () => {
    [person, other] = await signUpAll(server, 'forged', 'other');
    claims = claimsOf(person.tokens.access_token);
  });

  const expectRefused = async (token: string, expected = 'invalid_token') => {
    const { status, body } = await whoAmI(token);
    expect({ token, status, code: body.code }).toEqual({ token, status: 401, code: expected });
    const cookie = await request(server, 'GET', '/auth/me', { headers: { Cookie: `access_token=${token}` } });
    expect([cookie.status, cookie.body.code]).toEqual([401, expected]);
    const attempts: [string, Record<string, string>][] = [
      [`/ws?token=${token}`, {}],
      ['/ws', { 'Sec-WebSocket-Protocol': `parley.v1, parley.token.${token}` }],
      ['/ws', { Authorization: `Bearer ${token}` }],
      ['/ws', { Cookie: `access_token=${token}` }],
    ];
    for (const attempt of attempts) {
      const refused = await handshake(server, ...attempt);
      expect({ attempt, status: refused.status, code: refused.body.code }).toEqual({
        attempt,
        status: 401,
        code: expected,
      });
      expect(refused.body).toMatchObject({ message: expect.any(String), request_id: expect.any(String) });
    }
  };

  test('differs in nothing from ours is refused: the others are refused for what is wrong with them', async () => {
    expect((await whoAmI(forgeToken(claims, { secret: SECRET }))).body).toEqual(person.user);
    expect(claims.aud).toBe('parley');
    // Nor one from before there was an audience.
    expect((await whoAmI(forgeToken({ ...claims, aud: undefined }, { secret: SECRET }))).body).toEqual(person.user);
  });

  test('has no signature works, whatever its algorithm says', async () => {
    for (const alg of ['none', 'None', 'nOnE', 'HS256', ''])
      await expectRefused(forgeToken(claims, { header: { alg } }));
    const [header, payload] = person.tokens.access_token.split('.');
    await expectRefused(`${header}.${payload}.`);
  });

  test('is signed with another secret, algorithm or signature works', async () => {
    await expectRefused(forgeToken(claims, { secret: `${SECRET}.` }));
    await expectRefused(forgeToken(claims, { secret: SECRET, header: { alg: 'HS512' }, hash: 'sha512' }));
    await expectRefused(forgeToken(claims, { secret: SECRET, header: { alg: 'RS256' } }));
    await expectRefused(forgeToken(claims, { secret: SECRET, header: { alg: 'none' } }));
    await expectRefused(forgeToken(claims, { secret: SECRET, header: { crit: ['x'], x: 1 } }));
    const [header, , signature] = person.tokens.access_token.split('.');
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: other.id })).toString('base64url');
    await expectRefused(`${header}.${changed}.${signature}`);
  });

  test('has expired, or never would, works', async () => {
    const past = Math.floor(Date.now() / 1000) - 5;
    await expectRefused(forgeToken({ ...claims, exp: past }, { secret: SECRET }), 'token_expired');
    await expectRefused(forgeToken({ ...claims, exp: undefined }, { secret: SECRET }));
    await expectRefused(forgeToken({ ...claims, exp: 'never' }, { secret: SECRET }));
  });

  test('is of another kind, issuer, session or user works', async () => {
    await expectRefused(person.tokens.refresh_token);
    for (const wrong of [
      { typ: undefined },
      { typ: 'refresh' },
      { iss: 'another' },
      { iss: undefined },
      { aud: 'another' },
      { aud: ['parley', 'another'] },
      { aud: 'parley-device' },
      { aud: null },
      { sid: crypto.randomUUID() },
      { sid: undefined },
      { sid: {} },
      { sid: 'not-an-id' },
      { sub: other.id },
      { sub: undefined },
      { sub: 1 },
      { sid: claimsOf(other.tokens.access_token).sid },
    ]) {
      await expectRefused(forgeToken({ ...claims, ...wrong }, { secret: SECRET }));
    }
  });

  test('is no token at all works', async () => {
    for (const token of ['a.b.c', '..', 'undefined', `${person.tokens.access_token}x`, 'x'.repeat(5000)]) {
      await expectRefused(token);
    }
  });
});
