import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { burst, numbered, range } from '../support/burst.ts';
import { eventually } from '../support/eventually.ts';
import { type Person, request, signUp, signUpAll } from '../support/people.ts';
import { handshake } from '../support/raw-peer.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import type { Frame, TestSocket } from '../support/socket.ts';

let server: TestServer;
let alice: Person;
let bob: Person;
let carol: Person;

beforeAll(async () => {
  server = await startServer();
  [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
});
afterAll(endServers);

const closeAll = (...sockets: TestSocket[]) => Promise.all(sockets.map((socket) => socket.close()));

describe('plain mode', () => {
  let conversation: string;

  beforeAll(async () => {
    conversation = await alice.direct(bob);
  });

  test('says nothing when it opens', async () => {
    const socket = await alice.connectPlain();
    await socket.settle();
    expect(socket.frames).toEqual([]);
    expect(socket.raw.protocol).toBe('');
    await socket.close();
  });

  test('takes a conversation_id and content, and gives a flat message of exactly these fields', async () => {
    const [hers, his] = await Promise.all([alice.connectPlain(), bob.connectPlain()]);
    hers.send({ conversation_id: conversation, content: 'hello' });
    const heard = await his.next(() => true);
    expect(heard).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/),
      conversation_id: conversation,
      sender_id: alice.id,
      sender_username: alice.user.username,
      content: 'hello',
      type: 'text',
      sent_at: expect.any(Number),
      seq: 1,
      rev: 2,
    });
    expect(Object.keys(heard)).toEqual([
      'id',
      'conversation_id',
      'sender_id',
      'sender_username',
      'content',
      'type',
      'sent_at',
      'seq',
      'rev',
    ]);
    expect(await bob.history(conversation)).toEqual([heard as any]);
    await closeAll(hers, his);
  });

  test('takes a recipient, and opens the direct conversation with them', async () => {
    const dan = await signUp(server, 'dan');
    const [hers, his] = await Promise.all([alice.connectPlain(), dan.connectPlain()]);
    hers.send({ recipient: dan.id, content: 'we have not met' });
    const heard = await his.next(() => true);
    expect(heard).toMatchObject({ sender_id: alice.id, content: 'we have not met', seq: 1 });
    expect(await dan.direct(alice)).toBe(heard.conversation_id);
    hers.send({ recipient: dan.id, content: 'now we have' });
    expect(await his.next(() => true)).toMatchObject({ conversation_id: heard.conversation_id, seq: 2 });
    await closeAll(hers, his);
  });

  test('does not hear itself; its sender’s other sockets do, and with ?echo=true it does', async () => {
    const [sending, other, echoing, v1, his] = await Promise.all([
      alice.connectPlain(),
      alice.connectPlain(),
      alice.connectPlain('&echo=true'),
      alice.connect(),
      bob.connectPlain(),
    ]);
    sending.send({ conversation_id: conversation, content: 'from the first' });
    echoing.send({ conversation_id: conversation, content: 'from the echoing' });
    await v1.say(conversation, 'from v1');
    await alice.send(conversation, 'over REST');
    await eventually('all four were heard', async () => his.frames.length === 4);
    for (const socket of [sending, other, echoing, his]) await socket.settle();

    const contents = (socket: TestSocket) => socket.frames.map(({ content }) => content).sort();
    const all = ['from the echoing', 'from the first', 'from v1', 'over REST'];
    expect(contents(his)).toEqual(all);
    expect(contents(other)).toEqual(all);
    expect(contents(echoing)).toEqual(all);
    expect(contents(sending)).toEqual(all.filter((content) => content !== 'from the first'));
    await closeAll(sending, other, echoing, v1, his);
  });

  test('hears people’s messages and nothing else: no ack, no system message, no change of a group', async () => {
    const his = await bob.connectPlain();
    const hers = await alice.connectPlain();
    const group = await alice.group([bob], 'noise');
    await alice.call('PATCH', `/conversations/${group}`, { name: 'more noise' });
    await alice.call('POST', `/conversations/${group}/participants`, { user_ids: [carol.id] });
    await alice.call('PATCH', `/conversations/${group}/participants/${bob.id}`, { participant_role: 'admin' });
    await alice.call('DELETE', `/conversations/${group}/participants/${carol.id}`);
    hers.send({ conversation_id: group, content: 'signal' });
    await his.next(() => true);
    await Promise.all([his.settle(), hers.settle()]);
    expect(his.frames).toMatchObject([{ content: 'signal', type: 'text' }]);
    expect(hers.frames).toEqual([]);
    await closeAll(his, hers);
  });

  test('says what was wrong in three fields, and stays open', async () => {
    const socket = await alice.connectPlain('&echo=true');
    for (const [frame, code] of [
      ['not JSON', 'invalid_json'],
      ['[]', 'invalid_json'],
      [{}, 'validation_failed'],
      [{ content: 'to nobody' }, 'validation_failed'],
      [{ conversation_id: conversation }, 'validation_failed'],
      [{ conversation_id: carol.id, content: 'x' }, 'conversation_not_found'],
      [{ recipient: conversation, content: 'x' }, 'user_not_found'],
    ] as const) {
      socket.send(frame as Frame);
      expect(await socket.next(() => true)).toEqual({ error: true, code, message: expect.any(String) });
    }
    socket.send({ conversation_id: conversation, content: 'still here' });
    expect(await socket.next(() => true)).toMatchObject({ content: 'still here' });
    await socket.close();
  });

  test('takes a client_id, and is silent when it repeats itself', async () => {
    const [hers, his] = await Promise.all([alice.connectPlain('&echo=true'), bob.connectPlain()]);
    const frame = { conversation_id: conversation, content: 'once', client_id: crypto.randomUUID() };
    for (let count = 0; count < 3; count++) hers.send(frame);
    hers.send({ conversation_id: conversation, content: 'end' });
    await his.next((one) => one.content === 'end');
    await hers.next((one) => one.content === 'end');
    for (const socket of [hers, his]) {
      expect(socket.frames.map(({ content }) => content)).toEqual(['once', 'end']);
      expect(socket.frames[0]!.client_id).toBe(frame.client_id);
    }
    await closeAll(hers, his);
  });

  test('knows no events: a frame with one is read as a message', async () => {
    const socket = await alice.connectPlain('&echo=true');
    socket.send({ event: 'ping' });
    expect(await socket.next(() => true)).toMatchObject({ error: true, code: 'validation_failed' });
    socket.send({ event: 'whatever', conversation_id: conversation, content: 'with an event' });
    expect(await socket.next(() => true)).toMatchObject({ content: 'with an event' });
    await socket.close();
  });
});

describe('parley.v1', () => {
  test('says ready first, and who is there', async () => {
    const socket = await alice.connect();
    expect(socket.raw.protocol).toBe('parley.v1');
    const [ready] = socket.frames;
    expect(ready).toEqual({
      event: 'ready',
      user_id: alice.id,
      session_id: expect.any(String),
      server_time: expect.any(Number),
      heartbeat_ms: 25_000,
      max_message_length: 4000,
      epoch: expect.any(String),
    });
    const other = await bob.connect();
    expect(other.frames[0]!.epoch).toBe(ready!.epoch);
    expect(other.frames[0]!.session_id).not.toBe(ready!.session_id);
    await closeAll(socket, other);
  });

  test('acknowledges a message with its client_id, and gives it to all sockets of both', async () => {
    const conversation = await alice.direct(carol);
    const sockets = await Promise.all([alice.connect(), alice.connect(), carol.connect(), carol.connect()]);
    const ack = await sockets[0]!.ask({
      event: 'message.send',
      conversation_id: conversation,
      content: 'hi',
      client_id: 'k',
    });
    expect(ack).toEqual({
      event: 'ack',
      client_id: 'k',
      id: expect.any(String),
      conversation_id: conversation,
      seq: 1,
      rev: 2,
      sent_at: expect.any(Number),
    });
    for (const socket of sockets) {
      expect(await socket.next('message')).toEqual({
        event: 'message',
        id: ack.id,
        conversation_id: conversation,
        sender_id: alice.id,
        sender_username: alice.user.username,
        content: 'hi',
        type: 'text',
        sent_at: ack.sent_at,
        seq: 1,
        rev: 2,
        client_id: 'k',
      });
      await socket.settle();
      expect(socket.all('message')).toHaveLength(1);
    }
    await closeAll(...sockets);
  });

  test('repeats the ack, and not the message, for a client_id that it knows', async () => {
    const conversation = await alice.direct(carol);
    const [hers, carols] = await Promise.all([alice.connect(), carol.connect()]);
    const frame = { event: 'message.send', conversation_id: conversation, content: 'once', client_id: 'again' };
    for (let count = 0; count < 5; count++) hers.send(frame);
    await hers.settle();
    await eventually('five acks', async () => hers.all('ack').length === 5);
    expect(new Set(hers.all('ack').map((ack) => JSON.stringify(ack))).size).toBe(1);
    await Promise.all([hers.settle(), carols.settle()]);
    for (const socket of [hers, carols]) expect(socket.all('message')).toHaveLength(1);
    await closeAll(hers, carols);
  });

  test('takes a frame without an event as a message, and makes a key for one without', async () => {
    const conversation = await alice.direct(carol);
    const socket = await alice.connect();
    socket.send({ conversation_id: conversation, content: 'short' });
    const ack = await socket.next('ack');
    expect(ack.client_id).toBeString();
    expect(await socket.find((frame) => frame.event === 'message' && frame.id === ack.id)).toMatchObject({
      content: 'short',
    });
    await socket.close();
  });

  test('answers an error with the client_id, and says whether to try again', async () => {
    const socket = await alice.connect();
    expect(
      await socket.ask({ event: 'message.send', conversation_id: bob.id, content: 'x', client_id: 'wrong place' }),
    ).toEqual({
      event: 'error',
      error: true,
      code: 'conversation_not_found',
      message: expect.any(String),
      retryable: false,
      client_id: 'wrong place',
    });
    expect(
      await socket.ask({ event: 'message.send', recipient: bob.id, content: '', client_id: 'empty' }),
    ).toMatchObject({
      code: 'validation_failed',
      client_id: 'empty',
    });
    await socket.close();
  });

  test('answers ping with pong, and an event that it does not know with an error', async () => {
    const socket = await alice.connect();
    socket.send({ event: 'ping' });
    expect(await socket.next('pong')).toEqual({ event: 'pong' });
    socket.send({ event: 'no.such.event', client_id: 'e' });
    expect(await socket.next('error')).toEqual({
      event: 'error',
      error: true,
      code: 'unknown_event',
      message: expect.any(String),
      retryable: false,
      client_id: 'e',
    });
    await socket.close();
  });

  test('tells of a new conversation before its first message, with the entry that REST shows', async () => {
    const [dan, eve] = await signUpAll(server, 'dan', 'eve');
    const hers = await eve.connect();
    const direct = await dan.direct(eve);
    const created = await hers.next('conversation.created');
    expect(created).toMatchObject({ conversation_id: direct, rev: 1 });
    expect(created.message).toBeUndefined();
    expect(created.entry).toEqual((await eve.call('GET', `/conversations/${direct}`)).body);

    const group = await dan.group([eve], 'ours');
    const second = await hers.next('conversation.created');
    expect(second).toMatchObject({ conversation_id: group, rev: 1, message: { seq: 1, type: 'system' } });
    expect(second.entry).toEqual((await eve.call('GET', `/conversations/${group}`)).body);
    await dan.send(group, 'hello');
    expect(await hers.next('message')).toMatchObject({ conversation_id: group, seq: 2, rev: 2 });
    expect(hers.frames.map(({ event }) => event)).toEqual([
      'ready',
      'conversation.created',
      'conversation.created',
      'message',
    ]);
    await hers.close();
  });

  test('hears from its ready on all conversations that there were before', async () => {
    const conversations = await Promise.all(Array.from({ length: 30 }, (_, index) => alice.group([bob], `g ${index}`)));
    const his = await bob.connect();
    await Promise.all(conversations.map((id) => alice.send(id, 'now')));
    const heard = await Promise.all(conversations.map((id) => his.find((frame) => frame.conversation_id === id)));
    expect(heard.map(({ seq }) => seq)).toEqual(conversations.map(() => 2));
    await his.close();
  });
});

describe('order', () => {
  test('of 500 messages that one socket sends without waiting is kept, with no seq left out', async () => {
    const conversation = await alice.group([bob], 'in order');
    const [hers, his, plain] = await Promise.all([alice.connect(), bob.connect(), bob.connectPlain()]);
    const contents = numbered('number', 500);
    const acks = await burst(hers, conversation, contents);
    expect(acks.map(({ seq }) => seq)).toEqual(range(2, 501));
    await Promise.all([his.settle(), plain.settle()]);
    for (const heard of [
      his.all('message'),
      plain.frames,
      hers.all('message'),
      (await bob.history(conversation)).slice(1),
    ]) {
      expect(heard.map(({ content }) => content)).toEqual(contents);
      expect(heard.map(({ seq }) => seq)).toEqual(range(2, 501));
      expect(heard.map(({ rev }) => rev)).toEqual(range(2, 501));
    }
    await closeAll(hers, his, plain);
  });

  test('is kept also where some of them wait for a conversation to be opened', async () => {
    const dan = await signUp(server, 'dan');
    const [hers, his] = await Promise.all([alice.connect(), dan.connect()]);
    const contents = numbered('first', 60);
    for (const content of contents)
      hers.send({ event: 'message.send', recipient: dan.id, content, client_id: content });
    await his.find((frame) => frame.content === contents.at(-1));
    expect(his.all('message').map(({ content }) => content)).toEqual(contents);
    await closeAll(hers, his);
  });

  test('is the same for everybody, however many write at once', async () => {
    const people = await signUpAll(server, 'w1', 'w2', 'w3', 'w4', 'w5');
    const conversation = await people[0].group(people.slice(1), 'crowd');
    const sockets = await Promise.all(people.map((person) => person.connect()));
    const plain = await people[4].connectPlain();
    await Promise.all([
      ...sockets.map((socket, index) => burst(socket, conversation, numbered(`w${index}`, 80))),
      ...numbered('rest', 20).map((content) => people[0].send(conversation, content)),
    ]);
    const expected = await people[2].history(conversation);
    expect(expected.map(({ seq }) => seq)).toEqual(range(1, 421));
    for (const socket of [...sockets, plain]) {
      await socket.settle();
      const heard = socket.frames.filter((frame) => frame.content !== undefined);
      expect(heard.map(({ id }) => id)).toEqual(expected.slice(1).map(({ id }) => id));
    }
    for (const index of sockets.keys()) {
      const own = expected.filter(({ content }) => content.startsWith(`w${index} `));
      expect(own.map(({ content }) => content)).toEqual(numbered(`w${index}`, 80));
    }
    await closeAll(...sockets, plain);
  });
});

describe('a socket opens', () => {
  const ways: [name: string, open: (person: Person) => Promise<TestSocket>][] = [
    ['with ?token=', (person) => person.connectPlain()],
    [
      'with ?token= and parley.v1',
      (person) => person.open({ protocols: ['parley.v1'], query: `?token=${person.tokens.access_token}` }),
    ],
    [
      'with Authorization',
      (person) => person.open({ headers: { authorization: `Bearer ${person.tokens.access_token}` } }),
    ],
    [
      'with the cookie',
      (person) => person.open({ headers: { cookie: `other=1; access_token=${person.tokens.access_token}` } }),
    ],
    ['with the subprotocol', (person) => person.connect()],
  ];
  const paths = [undefined, '/api/v1/ws'];

  for (const [name, open] of ways) {
    test(`${name}, as the one whose token it is`, async () => {
      const conversation = await alice.direct(bob);
      const socket = await open(alice);
      const his = await bob.connect();
      socket.send({ conversation_id: conversation, content: name });
      expect(await his.next('message')).toMatchObject({ sender_id: alice.id, content: name });
      await closeAll(socket, his);
    });
  }

  test('at /ws and at /api/v1/ws, in either mode', async () => {
    const conversation = await alice.direct(bob);
    for (const path of paths) {
      const query = `?token=${alice.tokens.access_token}`;
      const [plain, v1] = await Promise.all([
        alice.open({ path, query }),
        alice.open({ path, query, protocols: ['parley.v1'] }),
      ]);
      await v1.next('ready');
      await bob.send(conversation, `to ${path}`);
      for (const socket of [plain, v1])
        expect(await socket.next((frame) => frame.content)).toMatchObject({ content: `to ${path}` });
      await closeAll(plain, v1);
    }
  });

  test('with a cookie only from the server’s own pages', async () => {
    const cookie = `access_token=${alice.tokens.access_token}`;
    const node = server.nodes[0]!;
    const own = node.url;
    for (const [headers, status] of [
      [{}, 101],
      [{ Origin: own }, 101],
      [{ Origin: 'https://evil.example', 'Sec-Fetch-Site': 'same-origin' }, 101],
      [{ Origin: 'https://evil.example' }, 403],
      [{ Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' }, 403],
      [{ Origin: 'null' }, 403],
      [{ Origin: `${own}.evil.example` }, 403],
    ] as const) {
      const answer = await handshake(node, '/ws', { Cookie: cookie, ...headers });
      expect([headers, answer.status]).toEqual([headers, status]);
      if (status === 403) expect(answer.body.code).toBe('origin_not_allowed');
    }
    // Who hands over a token on purpose may come from anywhere.
    const answer = await handshake(server, `/ws?token=${alice.tokens.access_token}`, {
      Origin: 'https://evil.example',
    });
    expect(answer.status).toBe(101);
  });

  test('not without a token, nor with a bad one: 401 and the error body, before the upgrade', async () => {
    const { access_token, refresh_token } = alice.tokens;
    const [head, claims] = access_token.split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`;
    const tries: [path: string, headers: Record<string, string>, code: string][] = [['/ws', {}, 'missing_token']];
    for (const bad of ['x', 'a.b.c', `${access_token}x`, `${head}.${claims}.`, none, refresh_token]) {
      tries.push([`/ws?token=${bad}`, {}, 'invalid_token']);
      tries.push(['/ws', { Authorization: `Bearer ${bad}` }, 'invalid_token']);
      tries.push(['/ws', { Cookie: `access_token=${bad}` }, 'invalid_token']);
      tries.push(['/api/v1/ws', { 'Sec-WebSocket-Protocol': `parley.v1, parley.token.${bad}` }, 'invalid_token']);
    }
    for (const [path, headers, code] of tries) {
      const answer = await handshake(server, path, headers);
      expect([path, headers, answer.status]).toEqual([path, headers, 401]);
      expect(answer.headers.get('content-type')).toContain('application/json');
      expect(answer.headers.get('x-request-id')).toBe(answer.body.request_id);
      expect(answer.body).toEqual({ code, message: expect.any(String), request_id: expect.any(String) });
    }
  });

  test('not where no WebSocket was asked for: 426', async () => {
    for (const path of ['/ws', '/api/v1/ws']) {
      const answer = await request(server, 'GET', path, { token: alice.tokens.access_token });
      expect(answer).toMatchObject({ status: 426, body: { code: 'upgrade_required' } });
    }
  });

  test('by ?token= only where WS_QUERY_TOKEN allows it; with a token that has expired never', async () => {
    const strict = await startServer({ WS_QUERY_TOKEN: 'false', JWT_ACCESS_EXPIRY: '1s' });
    const dan = await signUp(strict, 'dan');
    const { access_token } = dan.tokens;
    expect(await handshake(strict, `/ws?token=${access_token}`)).toMatchObject({
      status: 401,
      body: { code: 'missing_token' },
    });
    const socket = await dan.connect();

    await eventually('the token has expired', async () => {
      const { status, body } = await handshake(strict, '/ws', { Authorization: `Bearer ${access_token}` });
      return status === 401 && body.code === 'token_expired';
    });
    // A socket belongs to a session, not to a token.
    await socket.settle();
    await socket.close();
  });

  test('and closes with 4401 when its session ends, in either mode, and only that one', async () => {
    const dan = await signUp(server, 'dan');
    const { body } = await request(server, 'POST', '/auth/login', {
      body: { email: dan.user.email, password: dan.password },
    });
    const [v1, plain, other] = await Promise.all([
      dan.connect(),
      dan.connectPlain(),
      dan.open({ query: `?token=${body.tokens.access_token}` }),
    ]);
    expect((await dan.call('POST', '/auth/logout')).status).toBe(200);
    expect((await v1.closed).code).toBe(4401);
    expect((await plain.closed).code).toBe(4401);
    await other.settle();
    expect((await handshake(server, `/ws?token=${dan.tokens.access_token}`)).status).toBe(401);
    await other.close();
  });

  test('and its token is in no log', async () => {
    const { access_token } = alice.tokens;
    await handshake(server, `/ws?token=${access_token}x`);
    await request(server, 'GET', `/ws?token=${access_token}`);
    const log = JSON.stringify(server.lines) + server.errors;
    expect(log).toContain('/ws');
    expect(log).not.toContain(access_token.slice(0, 40));
    expect(log).not.toContain('from the echoing');
  });
});
