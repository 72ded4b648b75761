import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { connections } from '../support/metrics.ts';
import { type Answer, type Person, request, signUp, signUpAll } from '../support/people.ts';
import { handshake } from '../support/raw-peer.ts';
import { type Environment, endServers, startServer, type TestServer } from '../support/server.ts';
import type { Frame } from '../support/socket.ts';

setDefaultTimeout(60_000);

const password = 'correct horse battery';
const WIDE = '1000/1m';

/** A server with limits, all wide but those that are named. */
function startLimited(env: Environment): Promise<TestServer> {
  return startServer({ RATE_LIMITS: 'on', LIMIT_REGISTER: WIDE, LIMIT_LOGIN: WIDE, ...env });
}

/** The answer says that it was too much, of how much, and when to come back. */
function expectLimited({ status, body, headers }: Answer, limit: number): void {
  expect([status, body.code]).toEqual([429, 'rate_limited']);
  expect(body.message).toBeString();
  const seconds = Number(headers.get('retry-after'));
  expect(seconds).toBeWithin(1, 61);
  expect(headers.get('ratelimit-limit')).toBe(String(limit));
  expect(headers.get('ratelimit-remaining')).toBe('0');
  expect(headers.get('ratelimit-reset')).toBe(String(seconds));
}

/** Calls `ask` once more than `limit` allows: all but the last have `status`, the last is refused. */
async function exhaust(limit: number, status: number, ask: (n: number) => Promise<Answer>): Promise<void> {
  for (let n = 0; n < limit; n++) expect((await ask(n)).status).toBe(status);
  expectLimited(await ask(limit), limit);
}

afterAll(endServers);

describe('by address', () => {
  let server: TestServer;
  let accounts = 0;

  beforeAll(async () => {
    server = await startLimited({
      TRUST_PROXY: 'loopback',
      LIMIT_REGISTER: '3/1m',
      LIMIT_LOGIN: '3/1m',
      LIMIT_REFRESH: '3/1m',
    });
  });

  const post = (path: string, address: string, body: unknown, at = server) =>
    request(at, 'POST', path, { body, headers: { 'X-Forwarded-For': address } });
  const register = (address: string, path = '/auth/register') =>
    post(path, address, { email: `somebody-${++accounts}@example.com`, password });

  test('sign-ups are limited, at both of their addresses together, and not those from elsewhere', async () => {
    await exhaust(3, 201, (n) => register('198.51.100.1', n % 2 === 0 ? '/auth/register' : '/api/signup'));
    expectLimited(await register('198.51.100.1', '/api/signup'), 3);
    expect((await register('198.51.100.2')).status).toBe(201);
  });

  test('log-ins are limited, whatever account they try', async () => {
    const login = (address: string, n: number) =>
      post('/auth/login', address, { email: `n${n}@example.com`, password });
    await exhaust(3, 401, (n) => login('198.51.100.3', n));
    expect((await login('198.51.100.4', 0)).status).toBe(401);
  });

  test('refreshes are limited', async () => {
    const refresh = (address: string) => post('/auth/refresh', address, { refresh_token: 'no token' });
    await exhaust(3, 401, () => refresh('198.51.100.5'));
    expect((await refresh('198.51.100.6')).status).toBe(401);
  });

  test('a port behind the address does not make it another one', async () => {
    await exhaust(3, 201, (n) => register(`198.51.100.7:${40_000 + n}`));
  });

  test('of IPv6 the first 64 bits are one address', async () => {
    await exhaust(3, 201, (n) => register(`2001:db8:1:2::${n + 1}`));
    expectLimited(await register('2001:db8:1:2:ffff:ffff:ffff:ffff'), 3);
    expect((await register('2001:db8:1:3::1')).status).toBe(201);
  });

  test('what a client says itself of where it comes from does not count behind the proxy', async () => {
    await exhaust(3, 201, (n) => register(`203.0.113.${n}, 198.51.100.8`));
  });

  test('and where no proxy is trusted, no such header does', async () => {
    const open = await startLimited({ LIMIT_REGISTER: '3/1m' });
    await exhaust(3, 201, (n) =>
      post('/auth/register', `203.0.113.${n}`, { email: `hop-${n}@example.com`, password }, open),
    );
  });
});

describe('by account', () => {
  let server: TestServer;
  let alice: Person;
  let bob: Person;

  beforeAll(async () => {
    server = await startLimited({
      LIMIT_LOGIN_ACCOUNT: '3/1m',
      LIMIT_EMAIL_LOOKUP: '3/1m',
      LIMIT_MESSAGES: '4/1m',
      LIMIT_CONVERSATIONS: '2/1m',
    });
    [alice, bob] = await signUpAll(server, 'alice', 'bob');
  });

  const login = (body: Record<string, unknown>) => request(server, 'POST', '/auth/login', { body });
  const lookUp = (person: Person) =>
    person.call('GET', `/users?query=${encodeURIComponent(`nobody-${crypto.randomUUID()}@example.com`)}`);

  test('passwords tried are limited, by whichever of its names the account is called, also the right one', async () => {
    const person = await signUp(server);
    const { email, username } = person.user;
    const handles = [{ email }, { username }, { username: username.toUpperCase() }];
    await exhaust(3, 401, (n) => login({ ...handles[n % 3], password: 'wrong horse battery' }));
    expectLimited(await login({ email, password }), 3);
    expect((await person.call('GET', '/auth/me')).status).toBe(200);
    expect((await login({ email: alice.user.email, password })).status).toBe(200);
  });

  test('passwords tried by somebody signed in are limited, at a change of it and at a deletion together', async () => {
    const person = await signUp(server);
    const change = { current_password: 'wrong', new_password: 'another horse' };
    await exhaust(3, 401, (n) =>
      n % 2 === 0
        ? person.call('POST', '/auth/password', change)
        : person.call('DELETE', '/users/me', { password: 'x' }),
    );
    expectLimited(await person.call('DELETE', '/users/me', { password }), 3);
    expect((await login({ email: person.user.email, password })).status).toBe(200);
  });

  test('a name without an account is limited like one', async () => {
    await exhaust(3, 401, (n) =>
      login({ email: n % 2 === 0 ? 'ghost@example.com' : 'GHOST@example.com', password: 'wrong horse' }),
    );
  });

  test('how a number, an address or a username is spelt tells nobody whether there is an account', async () => {
    const somebody = { email: 'spelt@example.com', username: 'spelt', phone_number: '+442079460958' };
    expect((await request(server, 'POST', '/auth/register', { body: { ...somebody, password } })).status).toBe(201);
    const spellings = [
      ['+44 20 7946 0958', '+442079460958', '+44 (20) 7946-0958', '+44.20.7946.0958'],
      ['+44 20 7946 0018', '+442079460018', '+44 (20) 7946-0018', '+44.20.7946.0018'],
    ].map((numbers) => numbers.map((phone_number) => ({ phone_number })));
    for (const tried of [
      ...spellings,
      ['unspelt@example.com', ' UNSPELT@example.com ', 'Unspelt@Example.com', 'unspelt@example.com'].map((email) => ({
        email,
      })),
      ['unspelt', ' UNSPELT', 'Unspelt ', 'unspelt'].map((username) => ({ username })),
    ]) {
      const statuses: number[] = [];
      for (const handle of tried) statuses.push((await login({ ...handle, password: 'wrong horse' })).status);
      expect({ tried, statuses }).toEqual({ tried, statuses: [401, 401, 401, 429] });
    }
    // Which is no name of an account counts by itself.
    expect((await login({ username: 'no name', password: 'wrong horse' })).status).toBe(401);
  });

  test('a right password forgets the wrong ones before it', async () => {
    const { email } = (await signUp(server)).user;
    for (let round = 0; round < 3; round++) {
      expect((await login({ email, password: 'wrong horse battery' })).status).toBe(401);
      expect((await login({ email, password: 'wrong horse battery' })).status).toBe(401);
      expect((await login({ email, password })).status).toBe(200);
    }
  });

  test('look-ups by e-mail are limited, in searches and in new conversations together', async () => {
    const person = await signUp(server);
    const open = (body: unknown) => person.call('POST', '/conversations', body);
    expect((await lookUp(person)).status).toBe(200);
    expect((await open({ participant_email: 'nobody@example.com' })).status).toBe(404);
    expect((await open({ name: 'Group', participant_emails: ['nobody@example.com'] })).status).toBe(404);
    expectLimited(await lookUp(person), 3);
    expectLimited(await open({ participant_email: bob.user.email }), 3);
    expectLimited(await open({ name: 'Group', participant_emails: [bob.user.email] }), 3);
    expect((await person.call('GET', '/users?query=bob')).status).toBe(200);
    expect((await lookUp(await signUp(server))).status).toBe(200);
  });

  test('messages are limited, over REST and WebSocket together, and not those of others', async () => {
    const conversation = await alice.direct(bob);
    const send = (person: Person, content: string) =>
      person.call('POST', `/conversations/${conversation}/messages`, { content });
    const [socket, plain] = await Promise.all([alice.connect(), alice.connectPlain()]);
    expect((await send(alice, 'one')).status).toBe(201);
    await socket.say(conversation, 'two');
    plain.send({ conversation_id: conversation, content: 'three' });
    await socket.find((frame) => frame.content === 'three');
    expect((await send(alice, 'four')).status).toBe(201);

    expectLimited(await send(alice, 'five'), 4);
    const refused = await socket.ask({ event: 'message.send', conversation_id: conversation, content: 'five' });
    expect(refused).toMatchObject({ event: 'error', error: true, code: 'rate_limited', retryable: true });
    plain.send({ conversation_id: conversation, content: 'five' });
    const error = await plain.find((frame: Frame) => frame.error === true);
    expect(error).toEqual({ error: true, code: 'rate_limited', message: expect.any(String) });

    expect((await send(bob, 'his own')).status).toBe(201);
    const texts = (await bob.history(conversation)).map((message) => message.content);
    expect(texts).toEqual(['one', 'two', 'three', 'four', 'his own']);
  });

  test('new conversations are limited, also those that a message to a recipient opens, and not those that stand', async () => {
    const [carol, ...others] = await signUpAll(server, 'carol', 'dan', 'eve', 'fay', 'gil');
    const [dan, eve, fay, gil] = others;
    const socket = await carol.connect();
    const open = (body: unknown) => carol.call('POST', '/conversations', body);
    expect((await open({ participant_id: dan.id })).status).toBe(201);
    const sent = await socket.ask({ event: 'message.send', recipient: eve.id, content: 'hello' });
    expect(sent.event).toBe('ack');

    expectLimited(await open({ participant_id: fay.id }), 2);
    expectLimited(await open({ name: 'A group' }), 2);
    const refused = await socket.ask({ event: 'message.send', recipient: gil.id, content: 'hello' });
    expect(refused).toMatchObject({ event: 'error', code: 'rate_limited', retryable: true });
    expect((await gil.call('GET', '/conversations')).body.conversations).toEqual([]);

    expect((await open({ participant_id: dan.id })).status).toBe(200);
    expect((await socket.ask({ event: 'message.send', recipient: eve.id, content: 'again' })).event).toBe('ack');
  });
});

describe('what others hear of an account', () => {
  let alice: Person;
  let bob: Person;
  let server: TestServer;
  const rest = (group: string, path = '') => `/conversations/${group}${path}`;

  beforeAll(async () => {
    server = await startLimited({ LIMIT_MESSAGES: '6/1m', LIMIT_PROFILE: '3/1m', LIMIT_PRESENCE: '3/1m' });
  });
  beforeEach(async () => {
    [alice, bob] = await signUpAll(server, 'alice', 'bob');
  });

  test('changes of a group are limited with the messages, and nobody hears more', async () => {
    const group = await alice.group([bob]);
    const his = await bob.connect();
    const rename = (n: number) => alice.call('PATCH', rest(group), { name: `name ${n}` });
    expect((await rename(1)).status).toBe(200);
    const member = rest(group, `/participants/${bob.id}`);
    expect((await alice.call('PATCH', member, { participant_role: 'admin' })).status).toBe(200);
    expect((await alice.call('DELETE', member)).status).toBe(200);
    expect((await alice.call('POST', rest(group, '/participants'), { user_ids: [bob.id] })).status).toBe(200);
    expect((await rename(2)).status).toBe(200);
    await alice.send(group, 'and a message');

    expectLimited(await rename(3), 6);
    expectLimited(await alice.call('POST', rest(group, '/participants'), { user_ids: [bob.id] }), 6);
    expectLimited(await alice.call('PATCH', member, { participant_role: 'admin' }), 6);
    expectLimited(await alice.call('DELETE', member), 6);
    await his.find('message');
    await his.settle();
    const heard = his.all((frame) => frame.conversation_id === group && frame.rev !== undefined);
    expect(heard.map(({ rev }) => rev)).toEqual([2, 3, 4, 5, 6, 7]);
    expect((await bob.call('DELETE', member)).status).toBe(200);
  });

  test('changes of one’s profile are limited, and those that change nothing do not count', async () => {
    const change = (body: unknown) => alice.call('PATCH', '/users/me', body);
    for (let n = 0; n < 5; n++) expect((await change({})).status).toBe(200);
    await exhaust(3, 200, (n) => change({ status: `status ${n}` }));
    expectLimited(await change({ username: `alice-${Date.now()}` }), 3);
    expect((await alice.call('GET', '/auth/me')).body).toMatchObject({ status: 'status 2' });
    expect((await bob.call('PATCH', '/users/me', { status: 'his own' })).status).toBe(200);
  });

  test('what all sockets of an account say of presence is limited', async () => {
    const [laptop, phone] = await Promise.all([alice.connect(), alice.connect()]);
    await alice.direct(bob);
    laptop.send({ event: 'presence.watch', user_ids: [bob.id] });
    await laptop.find((frame) => frame.event === 'presence' && frame.user_id === bob.id);
    phone.send({ event: 'presence.set', status: 'away' });
    phone.send({ event: 'presence.set', status: 'dnd' });
    await phone.settle();
    expect(phone.all('error')).toEqual([]);
    for (const socket of [laptop, phone]) {
      socket.send({ event: 'presence.watch', user_ids: [] });
      expect(await socket.find('error')).toMatchObject({ code: 'rate_limited', retryable: true });
    }
    // Whom it watched before it still watches.
    await bob.connect();
    await laptop.find((frame) => frame.event === 'presence' && frame.status === 'online');
  });
});

test('people added are limited by their number: a thousand at once, in a group that stands or a new one', async () => {
  const server = await startLimited({ LIMIT_INVITATIONS: '1000/1m' });
  const [alice, carol, bob] = await signUpAll(server, 'alice', 'carol', 'bob');
  const strangers = Array.from({ length: 1000 }, () => crypto.randomUUID());
  // Nobody of that name: they are counted before they are looked for.
  const make = (person: Person, participant_ids: string[]) =>
    person.call('POST', '/conversations', { name: 'Many', participant_ids });
  expect((await make(alice, strangers)).body.code).toBe('user_not_found');
  expectLimited(await make(alice, [bob.id]), 1000);
  const group = await alice.group([]);
  const add = (person: Person, id: string, user_ids: string[]) =>
    person.call('POST', `/conversations/${id}/participants`, { user_ids });
  expectLimited(await add(alice, group, [bob.id]), 1000);

  const hers = await carol.group([]);
  expect((await add(carol, hers, strangers)).body.code).toBe('user_not_found');
  expectLimited(await add(carol, hers, [bob.id]), 1000);
});

test('after the time that Retry-After names it goes on', async () => {
  const server = await startLimited({ LIMIT_MESSAGES: '2/1s' });
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const conversation = await alice.direct(bob);
  const send = () => alice.call('POST', `/conversations/${conversation}/messages`, { content: 'hello' });
  await exhaust(2, 201, send);
  const { headers } = await send();
  expect(headers.get('retry-after')).toBe('1');
  await eventually('sending goes on', async () => (await send()).status === 201);
});

test('a hundred sockets of one account are enough', async () => {
  // At one node, whose memory they take.
  const server = (await startServer()).nodes[0]!;
  const person = await signUp(server);
  await Promise.all(Array.from({ length: 100 }, () => person.connectPlain()));
  const answer = await request(server, 'GET', '/ws', {
    token: person.tokens.access_token,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': btoa('sixteen bytes ok'),
    },
  });
  expect([answer.status, answer.body.code]).toEqual([429, 'rate_limited']);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
});

describe('handshakes', () => {
  const open = (server: TestServer, person: Person, address: string, token = person.tokens.access_token) =>
    handshake(server, `/ws?token=${token}`, { 'X-Forwarded-For': address });

  test('of an account are limited, from wherever it comes, and not those of others', async () => {
    const server = await startLimited({ TRUST_PROXY: 'loopback', LIMIT_HANDSHAKES_ACCOUNT: '3/1m' });
    const [node] = server.nodes; // each counts by itself
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    await exhaust(3, 101, (n) => open(node!, alice, `198.51.100.${n}`));
    expectLimited(await open(node!, alice, '198.51.100.9'), 3);
    expect((await open(node!, bob, '198.51.100.9')).status).toBe(101);
    // What it asks over HTTP is another matter.
    expect((await alice.call('GET', '/auth/me')).status).toBe(200);
  });

  test('of an address are limited, whoever says to be there, before their token is looked at', async () => {
    const server = await startLimited({ TRUST_PROXY: 'loopback', LIMIT_HANDSHAKES: '4/1m' });
    const [node] = server.nodes;
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    expect((await open(node!, alice, '198.51.100.1', 'none')).status).toBe(401);
    expect((await open(node!, bob, '198.51.100.1')).status).toBe(101);
    for (let n = 0; n < 2; n++) expect((await open(node!, alice, '198.51.100.1')).status).toBe(101);
    expectLimited(await open(node!, alice, '198.51.100.1', 'none'), 4);
    expect((await open(node!, alice, '198.51.100.2')).status).toBe(101);
  });

  test('are enough for all sockets that an account may have, as often as they come back after restarts', async () => {
    const server = await startServer({ RATE_LIMITS: 'on' });
    const alice = (await signUp(server, 'alice')).at(server.nodes[0]!);
    for (let restart = 0; restart < 3; restart++) {
      const sockets = await Promise.all(Array.from({ length: 100 }, () => alice.connectPlain()));
      await Promise.all(sockets.map((socket) => socket.close()));
      // It may still hold one that its client has closed.
      await eventually('they are gone', async () => (await connections(server)) === 0);
    }
  });
});

describe('what sockets say again and again', () => {
  let server: TestServer;
  let alice: Person;
  let bob: Person;

  beforeAll(async () => {
    server = await startLimited({ LIMIT_TYPING: '4/1m', LIMIT_LOOKUPS: '5/1m' });
  });
  beforeEach(async () => {
    [alice, bob] = await signUpAll(server, 'alice', 'bob');
  });
  /** Each node counts by itself. */
  const connect = (person: Person) => person.at(server.nodes[0]!).connect();

  test('of typing is limited, over all of an account’s sockets and conversations', async () => {
    const groups = await Promise.all([alice.group([bob]), alice.group([bob])]);
    const his = await connect(bob);
    const hers = await Promise.all([connect(alice), connect(alice)]);
    for (let n = 0; n < 4; n++) {
      const frame = { event: 'typing', conversation_id: groups[n % 2]! };
      const socket = hers[n >> 1]!;
      socket.send({ ...frame, active: true });
      socket.send({ ...frame, active: false });
      await socket.settle();
    }
    hers[0]!.send({ event: 'typing', conversation_id: groups[0]!, active: true });
    expect(await hers[0]!.find('error')).toMatchObject({ code: 'rate_limited', retryable: true });
    await his.settle();
    expect(his.all('typing').map(({ active }) => active)).toEqual([true, false, true, false, true, false, true, false]);
  });

  test('of typing counts once while it is only said on', async () => {
    const group = await alice.group([bob]);
    const socket = await connect(alice);
    for (let n = 0; n < 50; n++) socket.send({ event: 'typing', conversation_id: group, active: true });
    await socket.settle();
    expect(socket.all('error')).toEqual([]);
  });

  test('of conversations that they do not hear is limited, for each had to be looked up', async () => {
    const theirs = await alice.group([alice]);
    const mallory = await signUp(server, 'mallory');
    const own = await mallory.group([]);
    const sockets = await Promise.all([connect(mallory), connect(mallory)]);
    const tries = [
      { event: 'typing', active: true },
      { event: 'read', seq: 1 },
      { event: 'delivered', seq: 1 },
      { event: 'typing', active: false },
      { event: 'read', seq: 2 },
    ];
    for (const [n, frame] of tries.entries()) {
      const socket = sockets[n % 2]!;
      socket.send({ ...frame, conversation_id: n % 3 ? theirs : crypto.randomUUID() });
      expect(await socket.next('error')).toMatchObject({ code: 'conversation_not_found' });
    }
    for (const socket of sockets) {
      socket.send({ event: 'read', conversation_id: theirs, seq: 1 });
      expect(await socket.next('error')).toMatchObject({ code: 'rate_limited', retryable: true });
      socket.send({ event: 'read', conversation_id: own, seq: 1 });
      await socket.settle();
      expect(socket.all('error').at(-1)).toMatchObject({ code: 'rate_limited' });
    }
  });
});
