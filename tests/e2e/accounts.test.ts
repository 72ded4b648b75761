import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type Person, refusalOf, request, signUp, signUpAll } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(60_000);

const password = 'correct horse battery';
/** What others see of somebody. */
const PUBLIC_FIELDS = ['created_at', 'display_name', 'id', 'is_active', 'username'];
/** What somebody who gave all of it sees of themselves. */
const OWN_FIELDS = [...PUBLIC_FIELDS, 'email', 'email_verified', 'has_second_factor', 'phone_number', 'role'].sort();

let server: TestServer;
let reader: Person;

beforeAll(async () => {
  server = await startServer();
  reader = await signUp(server, 'reader');
});
afterAll(endServers);

const register = (body: Record<string, unknown>) =>
  request(server, 'POST', '/auth/register', { body: { password, ...body } });
const login = (body: Record<string, unknown>) =>
  request(server, 'POST', '/auth/login', { body: { password, ...body } });
const find = async (query: string) =>
  (await reader.call('GET', `/users?query=${encodeURIComponent(query)}`)).body.users.map((user: any) => user.username);

describe('signing up', () => {
  test('makes an account and signs it in, with all that was given', async () => {
    const before = Date.now();
    const { status, body } = await register({
      email: '  Ada.Lovelace@Example.COM ',
      username: 'Ada_L',
      phone_number: '+1 415-555-2671',
      display_name: 'Ada Lovelace',
    });
    expect(status).toBe(201);
    expect(Object.keys(body).sort()).toEqual(['tokens', 'user']);
    expect(Object.keys(body.user).sort()).toEqual(OWN_FIELDS);
    expect(body.user).toMatchObject({
      email: 'ada.lovelace@example.com',
      username: 'Ada_L',
      phone_number: '+14155552671',
      display_name: 'Ada Lovelace',
      role: 'user',
      email_verified: false,
      has_second_factor: false,
      is_active: true,
    });
    expect(body.user.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(body.user.created_at).toBeWithin(before, Date.now() + 1);
    expect(body.tokens).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      expires_in: 900,
    });

    const me = await request(server, 'GET', '/auth/me', { token: body.tokens.access_token });
    expect(me.status).toBe(200);
    expect(me.body).toEqual(body.user);
  });

  test('works at the address of older web clients too', async () => {
    const { status, body } = await request(server, 'POST', '/api/signup', {
      body: { email: 'older@example.com', password },
    });
    expect(status).toBe(201);
    expect(body.user.username).toBe('older');
    expect((await login({ email: 'older@example.com' })).status).toBe(200);
  });

  test('makes a username from the address where none is given, and adds digits where that is taken', async () => {
    const username = async (email: string) => (await register({ email })).body.user.username;
    expect(await username('grace.hopper+news@example.com')).toBe('grace.hopper');
    expect(await username('grace.hopper@example.org')).toMatch(/^grace\.hopper\d{4}$/);
    expect(await username('jo@example.com')).toBe('user_jo');
    expect(await username("o'brien@example.com")).toBe('obrien');
    expect(await username(`${'m'.repeat(60)}@example.com`)).toBe('m'.repeat(50));
  });

  test('refuses a taken address, username and number, whatever the case and the spaces, and makes nothing', async () => {
    const taken = { email: 'taken@example.com', username: 'Taken_Name', phone_number: '+442079460958' };
    expect((await register(taken)).status).toBe(201);

    const email = await register({ email: 'TAKEN@Example.com' });
    expect([email.status, email.body.code]).toEqual([409, 'email_taken']);
    const username = await register({ email: 'free-1@example.com', username: 'tAKEN_nAME' });
    expect([username.status, username.body.code]).toEqual([409, 'username_taken']);
    const phone = await register({ email: 'free-1@example.com', phone_number: '+44 (20) 7946 0958' });
    expect([phone.status, phone.body.code]).toEqual([409, 'phone_taken']);

    expect((await login({ email: 'free-1@example.com' })).status).toBe(401);
    expect((await register({ email: 'free-1@example.com' })).status).toBe(201);
  });

  test('refuses what is no address, username, number or name, and says which field it was', async () => {
    const wrong: [string, unknown][] = [
      ['email', 'no-address'],
      ['email', 'two@@example.com'],
      ['email', `${'a'.repeat(250)}@example.com`],
      ['email', ''],
      ['username', 'ab'],
      ['username', 'x'.repeat(51)],
      ['username', 'with space'],
      ['username', 'näme'],
      ['username', 'an@address'],
      ['username', '0199a3f0-7c1e-7d44-8a5b-5f0c6f3b2a10'],
      ['phone_number', '12345'],
      ['phone_number', '+1415'],
      ['phone_number', 'call me'],
      ['display_name', '   '],
      ['display_name', 'x'.repeat(101)],
      ['display_name', 'nul\0'],
    ];
    for (const [field, value] of wrong) {
      const { status, body } = await register({ email: 'wrong@example.com', [field]: value });
      expect({ field, value, status, code: body.code }).toEqual({
        field,
        value,
        status: 400,
        code: 'validation_failed',
      });
      expect(body.errors.map((error: any) => error.path)).toContain(field);
    }
    expect((await login({ email: 'wrong@example.com' })).status).toBe(401);
  });

  test('fifty times at once with one address makes one account', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => register({ email: 'rush@example.com' })));
    const made = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status, body }) => status === 409 && body.code === 'email_taken');
    expect([made.length, refused.length]).toEqual([1, 49]);

    const count = (from: string) =>
      runStored(server, `select count(*) as n from ${from} where email = ?`, 'rush@example.com');
    expect(await count('users')).toEqual([{ n: 1 }]);
    expect(await count('sessions join users on users.id = user_id')).toEqual([{ n: 1 }]);
  });

  test('at once with one name but other addresses gives each account a name of its own', async () => {
    const addresses = Array.from({ length: 10 }, (_, n) => `crowd@host${n}.example.com`);
    const answers = await Promise.all(addresses.map((email) => register({ email })));
    expect(answers.map(({ status }) => status)).toEqual(addresses.map(() => 201));
    const names = answers.map(({ body }) => body.user.username);
    expect(new Set(names).size).toBe(10);
    expect(names).toContain('crowd');

    const wanting = await Promise.all(addresses.map((at) => register({ email: `w-${at}`, username: 'wanted' })));
    expect(wanting.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(wanting.filter(({ body }) => body.code === 'username_taken')).toHaveLength(9);
  });
});

describe('signing in', () => {
  test('takes the address, the username or the number, in any case and spacing', async () => {
    const { user } = (
      await register({ email: 'three.ways@example.com', username: 'Three-Ways', phone_number: '+33142685300' })
    ).body;
    for (const handle of [
      { email: 'three.ways@example.com' },
      { email: ' THREE.ways@EXAMPLE.com ' },
      { username: 'three-ways' },
      { username: 'THREE-WAYS' },
      { phone_number: '+33142685300' },
      { phone_number: '+33 1 42 68 53 00' },
    ]) {
      const { status, body } = await login(handle);
      expect({ handle, status }).toEqual({ handle, status: 200 });
      expect(body.user).toEqual(user);
      expect((await request(server, 'GET', '/auth/me', { token: body.tokens.access_token })).body).toEqual(user);
    }
  });

  test('refuses a wrong password, an unknown account and one name in the place of another', async () => {
    const { email, username } = reader.user;
    for (const attempt of [
      { email, password: 'incorrect horse' },
      { email, password: '' },
      { email, password: `${password} ` },
      { email, password: password.toUpperCase() },
      { email: 'nobody@example.com' },
      { email: username },
      { username: email },
      { username: '' },
      { phone_number: '+14155550000' },
    ]) {
      const { status, body } = await login(attempt);
      expect({ attempt, status, code: body.code }).toEqual({ attempt, status: 401, code: 'invalid_credentials' });
    }
    expect((await login({})).status).toBe(400);
  });
});

describe('people', () => {
  test('are seen by others without address, number and role, and by themselves with all of it', async () => {
    const sam = (await register({ email: 'sam@example.com', phone_number: '+4930901820' })).body;
    const seen = await reader.call('GET', `/users/${sam.user.id}`);
    expect(seen.status).toBe(200);
    expect(Object.keys(seen.body).sort()).toEqual(PUBLIC_FIELDS);
    const own = await request(server, 'GET', `/users/${sam.user.id}`, { token: sam.tokens.access_token });
    expect(own.body).toEqual(sam.user);
    expect(Object.keys(own.body).sort()).toEqual(OWN_FIELDS);

    const found = await reader.call('GET', '/users?query=sam');
    expect(Object.keys(found.body.users[0]).sort()).toEqual(PUBLIC_FIELDS);
    expect((await reader.call('GET', `/users/${crypto.randomUUID()}`)).body.code).toBe('user_not_found');
  });

  test('are found by the beginning of a name and by a whole address only', async () => {
    await register({ email: 'private-box@example.com', username: 'zoe_1', display_name: 'Quentin Quill' });
    await register({ email: 'other-box@example.com', username: 'zoe_2', display_name: 'Zoe' });
    expect(await find('ZOE')).toEqual(['zoe_1', 'zoe_2']);
    expect(await find('quentin q')).toEqual(['zoe_1']);
    expect(await find('private-box@example.com')).toEqual(['zoe_1']);
    expect(await find('PRIVATE-box@example.com')).toEqual(['zoe_1']);
    for (const nothing of [
      'private-box',
      'private-box@',
      'private-box@example.co',
      'oe_1',
      'quill',
      '%',
      'z%',
      '%zoe',
    ]) {
      expect({ nothing, found: await find(nothing) }).toEqual({ nothing, found: [] });
    }
    expect(await find('zo_')).toEqual([]);
  });

  test('are listed page by page, each once', async () => {
    for (let n = 0; n < 5; n++) await register({ email: `paged-${n}@example.com`, display_name: 'Paged again' });
    for (let n = 0; n < 3; n++) await register({ email: `display-${n}@example.com`, display_name: `Paged too ${n}` });
    const found: string[] = [];
    let cursor = '';
    let pages = 0;
    do {
      const { status, body } = await reader.call('GET', `/users?query=paged&limit=2${cursor}`);
      expect(status).toBe(200);
      expect(body.users.length).toBeLessThanOrEqual(2);
      found.push(...body.users.map((user: any) => user.username));
      cursor = body.next_cursor === undefined ? '' : `&cursor=${body.next_cursor}`;
      pages++;
    } while (cursor !== '' && pages < 10);
    const byUsername = ['paged-0', 'paged-1', 'paged-2', 'paged-3', 'paged-4'];
    expect(found).toEqual([...byUsername, 'display-0', 'display-1', 'display-2']);
    expect(pages).toBe(4);
  });

  test('are listed page by page also where their names are as long as names can be', async () => {
    // One letter that is eighteen where names are compared, and emoji, which are two units each.
    for (const [n, letters] of ['\uFDFA'.repeat(99), '😀'.repeat(99), `${'\u0001'.repeat(98)}x`].entries()) {
      for (let person = 0; person < 2; person++) {
        const email = `long-${n}-${person}@example.com`;
        expect((await register({ email, username: `n${n}-${person}-long`, display_name: `¢${letters}` })).status).toBe(
          201,
        );
      }
    }
    const found: string[] = [];
    let cursor = '';
    do {
      const { status, body } = await reader.call('GET', `/users?query=${encodeURIComponent('¢')}&limit=1${cursor}`);
      expect({ status, code: body.code }).toEqual({ status: 200, code: undefined });
      found.push(...body.users.map((user: any) => user.username));
      cursor = body.next_cursor === undefined ? '' : `&cursor=${body.next_cursor}`;
    } while (cursor !== '' && found.length < 10);
    const names = [0, 1, 2].flatMap((n) => [`n${n}-0-long`, `n${n}-1-long`]);
    expect(found.toSorted()).toEqual(names);
  });

  test('change their name and status, and everybody sees it', async () => {
    const [nora, otto] = await signUpAll(server, 'nora', 'otto');
    const conversation = await nora.direct(otto);
    const socket = await otto.connect();
    await nora.send(conversation, 'as I was');

    const renamed = await nora.call('PATCH', '/users/me', {
      username: 'nora-new',
      display_name: 'Nora N.',
      status: 'out to lunch 🍜',
    });
    expect(renamed.status).toBe(200);
    expect(renamed.body).toMatchObject({ username: 'nora-new', display_name: 'Nora N.', status: 'out to lunch 🍜' });
    expect((await otto.call('GET', `/users/${nora.id}`)).body).toMatchObject({ status: 'out to lunch 🍜' });
    await nora.send(conversation, 'as I am');
    expect(await socket.find((frame) => frame.content === 'as I am')).toMatchObject({ sender_username: 'nora-new' });
    const names = (await otto.history(conversation)).map((message) => message.sender_username);
    expect(names).toEqual(['nora-new', 'nora-new']);

    const quiet = await nora.call('PATCH', '/users/me', { status: '' });
    expect(quiet.body).not.toHaveProperty('status');
    expect(quiet.body).toMatchObject({ username: 'nora-new', display_name: 'Nora N.' });
    expect((await nora.call('PATCH', '/users/me', {})).body).toEqual(quiet.body);
    const taken = await nora.call('PATCH', '/users/me', { username: otto.user.username.toUpperCase() });
    expect([taken.status, taken.body.code]).toEqual([409, 'username_taken']);
    const oneself = await nora.call('PATCH', '/users/me', { username: 'NORA-new' });
    expect([oneself.status, oneself.body.username]).toEqual([200, 'NORA-new']);
  });
});

describe('deleting an account', () => {
  test('takes the password, and nothing without it', async () => {
    const person = await signUp(server, 'stays');
    for (const [body, status] of [
      [{ password: 'not it' }, 401],
      [{}, 400],
      [undefined, 400],
    ] as const) {
      expect((await person.call('DELETE', '/users/me', body)).status).toBe(status);
    }
    expect((await person.call('GET', '/auth/me')).status).toBe(200);
  });

  test('signs out everywhere, frees the names, leaves the groups, and keeps the messages as a deleted user’s', async () => {
    const [friend, heir] = await signUpAll(server, 'friend', 'heir');
    const given = { email: 'leaver@example.com', username: 'leaver', phone_number: '+390669812345' };
    const { user, tokens } = (await register(given)).body;
    const leaver = (method: string, path: string, body?: unknown) =>
      request(server, method, path, { body, token: tokens.access_token });

    const direct = (await leaver('POST', '/conversations', { participant_id: friend.id })).body.conversation.id;
    await leaver('POST', `/conversations/${direct}/messages`, { content: 'remember me' });
    const group = (await leaver('POST', '/conversations', { name: 'Ours', participant_ids: [heir.id, friend.id] })).body
      .conversation.id;
    await leaver('POST', `/conversations/${group}/messages`, { content: 'in the group' });
    const socket = await friend.connect();

    const deleted = await leaver('DELETE', '/users/me', { password });
    expect([deleted.status, deleted.body]).toEqual([200, { success: true }]);

    const left = await socket.next('participant.left');
    expect(left).toMatchObject({
      conversation_id: group,
      message: { type: 'system', system: { kind: 'participant_left' } },
    });
    expect(left.participants.find((one: any) => one.id === user.id)).toMatchObject({ left: true });
    const members = (await friend.call('GET', `/conversations/${group}/participants`)).body.participants;
    expect(members.map((one: any) => one.id).sort()).toEqual([friend.id, heir.id].sort());
    expect(members.filter((one: any) => one.participant_role === 'admin')).toHaveLength(1);

    expect(await refusalOf(server, tokens.access_token)).toBe('invalid_token');
    const refreshed = await request(server, 'POST', '/auth/refresh', { body: { refresh_token: tokens.refresh_token } });
    expect(refreshed.status).toBe(401);
    for (const handle of [{ email: given.email }, { username: given.username }, { phone_number: given.phone_number }]) {
      expect((await login(handle)).body.code).toBe('invalid_credentials');
    }

    const history = await friend.history(direct);
    expect(history).toMatchObject([{ content: 'remember me', sender_id: user.id, sender_username: 'deleted user' }]);
    const inGroup = (await friend.history(group)).find((message) => message.content === 'in the group');
    expect(inGroup).toMatchObject({ sender_username: 'deleted user' });
    const entry = (await friend.call('GET', `/conversations/${direct}`)).body;
    expect(entry.participants.map((one: any) => one.username).sort()).toEqual(['deleted user', friend.user.username]);

    const seen = (await friend.call('GET', `/users/${user.id}`)).body;
    expect(seen).toMatchObject({ username: 'deleted user', display_name: 'deleted user', is_active: false });
    expect(await find('leaver')).toEqual([]);
    expect(await find('deleted')).toEqual([]);
    expect(await find(given.email)).toEqual([]);
    const other = await signUp(server, 'late');
    for (const body of [{ participant_id: user.id }, { participant_email: given.email }]) {
      expect((await other.call('POST', '/conversations', body)).body.code).toBe('user_not_found');
    }

    // The username is held back for a while; address and number are free.
    expect((await register(given)).body.code).toBe('username_taken');
    const again = await register({ ...given, username: 'follower' });
    expect(again.status).toBe(201);
    expect(again.body.user.id).not.toBe(user.id);
    const { conversations } = (
      await request(server, 'GET', '/conversations', { token: again.body.tokens.access_token })
    ).body;
    expect(conversations).toEqual([]);
  });
});

test('where people cannot be found by their address, nobody is, in a search or a new conversation', async () => {
  const discreet = await startServer({ DISCOVER_BY_EMAIL: 'false' });
  const [one, two] = await signUpAll(discreet, 'one', 'two');
  const search = await one.call('GET', `/users?query=${encodeURIComponent(two.user.email)}`);
  expect([search.status, search.body.users]).toEqual([200, []]);
  for (const body of [
    { participant_email: two.user.email },
    { participant_email: one.user.email },
    { name: 'Group', participant_emails: [two.user.email] },
  ]) {
    const answer = await one.call('POST', '/conversations', body);
    expect([answer.status, answer.body.code]).toEqual([404, 'user_not_found']);
  }
  expect((await one.call('POST', '/conversations', { participant_id: two.id })).status).toBe(201);
});

test('no answer ever holds a password or its hash', async () => {
  const secret = 'Zq7-unlikely-in-any-text';
  const heard: string[] = [];
  const ask = async (method: string, path: string, body?: unknown, token?: string) => {
    const answer = await request(server, method, path, { body, token });
    heard.push(JSON.stringify(answer.body));
    return answer;
  };
  const account = { email: 'secretive@example.com', username: 'secretive', password: secret };
  const { user, tokens } = (await ask('POST', '/auth/register', account)).body;
  const token = tokens.access_token;
  await ask('POST', '/auth/register', account);
  await ask('POST', '/auth/register', { ...account, email: secret });
  await ask('POST', '/auth/login', account);
  await ask('POST', '/auth/login', { ...account, password: `${secret}!` });
  await ask('GET', '/auth/me', undefined, token);
  await ask('PATCH', '/users/me', { status: 'here', password: secret, password_hash: secret }, token);
  await ask('GET', `/users/${user.id}`, undefined, token);
  await ask('GET', `/users/${user.id}`, undefined, reader.tokens.access_token);
  await ask('GET', '/users?query=secretive', undefined, token);
  const { conversation } = (await ask('POST', '/conversations', { participant_id: reader.id }, token)).body;
  await ask('POST', `/conversations/${conversation.id}/messages`, { content: 'hello' }, token);
  await ask('GET', `/conversations/${conversation.id}`, undefined, token);
  await ask('GET', '/conversations', undefined, token);
  await ask('GET', `/conversations/${conversation.id}/participants`, undefined, token);
  await ask('GET', `/conversations/${conversation.id}/messages`, undefined, token);
  await ask('POST', '/auth/password', { current_password: secret, new_password: secret }, token);
  await ask('DELETE', '/users/me', { password: secret }, token);
  expect(heard).toHaveLength(18);
  for (const text of heard) {
    expect(text).not.toContain(secret);
    expect(text).not.toMatch(/\$argon2|\$2[aby]\$|"password/);
  }
});
