import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { type Answer, Person, request, signUp, signUpAll } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

describe('sessions', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer({ MAX_SESSIONS: '3' });
  });

  async function signIn(person: Person): Promise<Person> {
    const body = { email: person.user.email, password: person.password };
    const answer = await request(server, 'POST', '/auth/login', { body });
    expect(answer.status).toBe(200);
    return new Person(server, person.user, answer.body.tokens, person.password);
  }

  const isOver = (person: Person) =>
    eventually('a session is over', async () => (await person.call('GET', '/auth/me')).body.code === 'invalid_token');
  const holds = async (person: Person) => expect((await person.call('GET', '/auth/me')).status).toBe(200);

  test('beyond the greatest number the one that was used longest ago ends, and its sockets with it', async () => {
    const phone = await signUp(server);
    const laptop = await signIn(phone);
    const tablet = await signIn(phone);
    const socket = await laptop.connect();
    // Used after the others, though it is the oldest.
    const refreshed = await request(server, 'POST', '/auth/refresh', {
      body: { refresh_token: phone.tokens.refresh_token },
    });
    phone.tokens = refreshed.body;

    const desk = await signIn(phone);
    expect((await socket.closed).code).toBe(4401);
    await isOver(laptop);
    for (const person of [phone, tablet, desk]) await holds(person);
    const { refresh_token } = laptop.tokens;
    const refused = await request(server, 'POST', '/auth/refresh', { body: { refresh_token } });
    expect(refused.body.code).toBe('invalid_token');

    await signIn(phone);
    await isOver(tablet);
    for (const person of [phone, desk]) await holds(person);
  });

  test('of many log-ins at once as many hold as may, and nobody else’s end', async () => {
    const [person, other] = await signUpAll(server, 'many', 'other');
    const all = [person, ...(await Promise.all(Array.from({ length: 8 }, () => signIn(person))))];
    const open = async () => {
      const answers = await Promise.all(all.map((one) => one.call('GET', '/auth/me')));
      return answers.filter(({ status }) => status === 200).length;
    };
    await eventually('three are left', async () => (await open()) === 3);
    await holds(other);
  });
});

describe('conversations', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer({ MAX_CONVERSATIONS: '3' });
  });

  const create = (person: Person, body: unknown) => person.call('POST', '/conversations', body);
  const expectFull = ({ status, body }: Answer, named: Person[] = []) => {
    expect([status, body.code]).toEqual([409, 'conversations_full']);
    const messages = (body.errors ?? []).map((error: { message: string }) => error.message);
    expect(messages.length).toBe(named.length);
    for (const { user } of named) {
      expect(messages).toContainEqual(expect.stringContaining(`${user.username} (${user.id})`));
    }
  };

  test('beyond the greatest number none is made, and those that stand go on', async () => {
    const [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
    const direct = await alice.direct(bob);
    const group = await alice.group([bob]);
    await alice.group([]);
    expectFull(await create(alice, { name: 'one more' }));
    expectFull(await create(alice, { participant_id: carol.id }));
    const socket = await alice.connect();
    const refused = await socket.ask({ event: 'message.send', recipient: carol.id, content: 'hello' });
    expect(refused).toMatchObject({ event: 'error', code: 'conversations_full', retryable: false });
    expect((await carol.call('GET', '/conversations')).body.conversations).toEqual([]);

    expect((await create(alice, { participant_id: bob.id })).status).toBe(200);
    await alice.send(direct, 'still here');
    expect((await alice.call('GET', '/conversations')).body.count).toBe(3);
    // One that is left makes room for another.
    expect((await alice.call('DELETE', `/conversations/${group}/participants/${alice.id}`)).status).toBe(200);
    expect((await create(alice, { participant_id: carol.id })).status).toBe(201);
    expectFull(await create(alice, { name: 'one more' }));
  });

  test('whoever adds somebody who is in as many as one may be is told whom, and nobody is added', async () => {
    const [alice, bob, carol, dan] = await signUpAll(server, 'alice', 'bob', 'carol', 'dan');
    for (const busy of [bob, dan]) for (let n = 0; n < 3; n++) await busy.group([]);
    const group = await alice.group([]);
    const add = (...people: Person[]) =>
      alice.call('POST', `/conversations/${group}/participants`, { user_ids: people.map(({ id }) => id) });
    expectFull(await add(carol, bob, dan), [bob, dan]);
    expectFull(await create(alice, { name: 'many', participant_ids: [carol.id, bob.id] }), [bob]);
    expectFull(await create(alice, { participant_id: bob.id }), [bob]);
    const entry = (await alice.call('GET', `/conversations/${group}`)).body;
    expect([entry.participant_count, entry.conversation.rev]).toEqual([1, 1]);
    expect((await carol.call('GET', '/conversations')).body.conversations).toEqual([]);
    expect((await add(carol)).body.participant_count).toBe(2);
  });

  test('of many made at once as many stand as may', async () => {
    const alice = await signUp(server);
    const made = await Promise.all(Array.from({ length: 12 }, (_, n) => create(alice, { name: `group ${n}` })));
    expect(made.filter(({ status }) => status === 201).length).toBe(3);
    for (const answer of made) if (answer.status !== 201) expectFull(answer);
    expect((await alice.call('GET', '/conversations')).body.count).toBe(3);
  });
});

describe('stored bytes', () => {
  const LONG = 'é'.repeat(3000); // 6,000 bytes, and what its row takes

  test('beyond the greatest number nothing more is stored, until something is deleted', async () => {
    const server = await startServer({ MAX_STORED_BYTES: '20000' });
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    const group = await alice.group([]);
    const at = `/conversations/${conversation}/messages`;
    const sent: string[] = [];
    const send = async (key: string) => {
      const answer = await alice.call('POST', at, { content: LONG, client_id: key });
      if (answer.status === 201) sent.push(answer.body.id);
      return answer;
    };
    /** What is the same as before is stored nowhere, and refused all the same. */
    const isRefused = async () => {
      const { status, body } = await alice.call('PATCH', `/conversations/${group}`, {});
      return status === 409 && body.code === 'quota_exceeded';
    };
    const refusals = async () => {
      const answers: boolean[] = [];
      for (let n = 0; n < server.nodes.length; n++) answers.push(await isRefused());
      return answers.filter(Boolean).length;
    };
    for (let n = 0; n < 6; n++) expect((await send(`key ${n}`)).status).toBe(201);
    await eventually('a node refuses more', async () => (await refusals()) > 0);
    // A node that wrote before the others hears of it when it writes again.
    for (let n = 0; n < server.nodes.length; n++) await send(`late key ${n}`);
    await eventually('every node refuses more', async () => (await refusals()) === server.nodes.length);

    // A retry of what was stored gets its answer, and others are none the wiser.
    expect(await send('key 0')).toMatchObject({ status: 200, body: { id: sent[0] } });
    const socket = await alice.connect();
    expect(
      await socket.ask({ event: 'message.send', recipient: bob.id, content: LONG, client_id: 'key 1' }),
    ).toMatchObject({
      event: 'ack',
      id: sent[1],
    });
    const refused = await socket.ask({ event: 'message.send', conversation_id: conversation, content: 'short' });
    expect(refused).toMatchObject({ event: 'error', code: 'quota_exceeded', retryable: false });
    const edit = await alice.call('PATCH', `${at}/${sent[0]}`, { content: `${LONG}!` });
    expect(edit.body.code).toBe('quota_exceeded');
    expect((await alice.call('POST', '/conversations', { name: 'a group' })).body.code).toBe('quota_exceeded');
    expect((await bob.call('POST', at, { content: 'his own' })).status).toBe(201);
    expect((await alice.call('POST', `/conversations/${conversation}/read`, { seq: 1 })).status).toBe(200);

    for (const id of sent) expect((await alice.call('DELETE', `${at}/${id}`)).status).toBe(200);
    await eventually('a node has room again', async () => (await refusals()) < server.nodes.length);
    await eventually('every node has room again', async () => (await refusals()) === 0);
    expect((await send('a new key')).status).toBe(201);
  });
});

describe('the directory', () => {
  test('shows one account so many people, and others theirs', async () => {
    const server = await startServer({ RATE_LIMITS: 'on', LIMIT_REGISTER: '1000/1m', LIMIT_DIRECTORY: '10/1m' });
    const [alice, bob] = await signUpAll(server, 'alice', 'bob', 'carol', 'dan', 'eve', 'fay');
    const list = (person: Person, query: string) => person.call('GET', `/users?${query}`);
    const first = await list(alice, 'limit=4');
    expect(first.body.users.length).toBe(4);
    expect((await list(alice, `limit=4&cursor=${first.body.next_cursor}`)).body.users.length).toBe(2);
    // A search that finds nobody counts as one.
    for (let n = 0; n < 3; n++) expect((await list(alice, 'query=nobody')).body).toEqual({ users: [] });
    const refused = await list(alice, 'limit=4');
    expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited']);
    expect(refused.headers.get('ratelimit-limit')).toBe('10');
    expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 61);
    expect((await list(alice, `query=${encodeURIComponent(bob.user.email)}`)).body.users.length).toBe(1);
    expect((await list(bob, 'limit=4')).body.users.length).toBe(4);
  });
});
