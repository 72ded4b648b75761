import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { Person, request, signUp, signUpAll } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);

/** What another process changed is noticed within this, in milliseconds (PROTOCOL.md §7.5). */
const NOTICED_MS = 5000;

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(endServers);

const admin = (...args: string[]) => runParley(['admin', ...args], { DATA_DIR: server.dataDir });
const login = (body: Record<string, unknown>) => request(server, 'POST', '/auth/login', { body });

/** Resolves with how long `happens` took from now on, in milliseconds. */
async function timeUntil(happens: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await happens;
  return performance.now() - started;
}

async function signInAgain({ user, password }: Person): Promise<Person> {
  const { body } = await login({ email: user.email, password });
  return new Person(server, user, body.tokens, password);
}

describe('create-user', () => {
  test('makes an account that can sign in at once, with the role it is given', async () => {
    const made = await admin('create-user', '--email', 'Root@Example.com', '--username', 'root-1', '--role', 'admin');
    expect([made.code, made.stderr]).toEqual([0, '']);
    const password = /^password: ([\w-]{24})$/m.exec(made.stdout)?.[1];
    expect(password?.length).toBeGreaterThanOrEqual(16);
    const { status, body } = await login({ email: 'root@example.com', password });
    expect(status).toBe(200);
    expect(body.user).toMatchObject({ username: 'root-1', role: 'admin' });
  });

  test('takes a password, and does not repeat it', async () => {
    const password = 'chosen horse battery';
    const made = await admin('create-user', '--email', 'chosen@example.com', '--password', password);
    expect(made.code).toBe(0);
    expect(made.stdout + made.stderr).not.toContain(password);
    expect((await login({ username: 'chosen', password })).body.user).toMatchObject({ role: 'user' });
  });

  test('refuses what is taken or not valid, in one line, and makes nothing', async () => {
    const person = await signUp(server);
    const taken = await admin('create-user', '--email', person.user.email.toUpperCase());
    expect([taken.code, taken.stdout]).toEqual([1, '']);
    expect(taken.stderr.trimEnd().split('\n')).toHaveLength(1);
    for (const args of [
      ['--email', 'no-address'],
      ['--email', 'x1@example.com', '--password', 'short'],
      ['--email', 'x1@example.com', '--username', 'a b'],
      ['--email', 'x1@example.com', '--role', 'root'],
      ['--email', 'x1@example.com', '--is-admin'],
      ['--email', 'x1@example.com', 'surplus'],
      [],
    ]) {
      const { code, stdout, stderr } = await admin('create-user', ...args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).not.toMatch(/^\s+at /m);
    }
    const { body } = await person.call('GET', '/users?query=x1@example.com');
    expect(body.users).toEqual([]);
  });
});

test('set-role changes a role, by any name of the account, and its open session knows', async () => {
  const person = await signUp(server);
  for (const [who, role] of [
    [person.user.email, 'admin'],
    [person.user.username.toUpperCase(), 'user'],
    [person.id, 'admin'],
  ] as const) {
    expect(await admin('set-role', who, role)).toMatchObject({ code: 0, stderr: '' });
    expect((await person.call('GET', '/auth/me')).body).toEqual({ ...person.user, role });
  }
  for (const args of [
    ['nobody@example.com', 'admin'],
    [crypto.randomUUID(), 'admin'],
  ]) {
    const { code, stderr } = await admin('set-role', ...args);
    expect(code).toBe(1);
    expect(stderr).toContain('no');
  }
  expect((await admin('set-role', person.id, 'root')).code).toBe(2);
  expect((await admin('set-role', person.id)).code).toBe(2);
});

test('reset-password signs out everywhere, on the running server too, and gives a password that works', async () => {
  const [person, bystander] = await signUpAll(server, 'forgetful', 'bystander');
  const elsewhere = await signInAgain(person);
  const sockets = await Promise.all([person.connect(), elsewhere.connect(), elsewhere.connectPlain()]);
  const other = await bystander.connect();
  expect((await person.call('GET', '/auth/me')).status).toBe(200);

  const reset = await admin('reset-password', person.user.email);
  expect([reset.code, reset.stderr]).toEqual([0, '']);
  const closes = Promise.all(sockets.map((socket) => socket.closed));
  expect(await timeUntil(closes)).toBeLessThan(NOTICED_MS);
  expect((await closes).map(({ code }) => code)).toEqual([4401, 4401, 4401]);
  for (const one of [person, elsewhere]) expect(await one.refusal()).toBe('invalid_token');
  const refreshed = await request(server, 'POST', '/auth/refresh', {
    body: { refresh_token: person.tokens.refresh_token },
  });
  expect(refreshed.status).toBe(401);
  await other.settle();

  const password = /^password: ([\w-]{24})$/m.exec(reset.stdout)?.[1];
  expect((await login({ email: person.user.email, password: person.password })).status).toBe(401);
  expect((await login({ email: person.user.email, password })).status).toBe(200);

  const chosen = await admin('reset-password', person.id, '--password', 'chosen horse battery');
  expect(chosen.stdout).not.toContain('chosen horse');
  expect((await login({ email: person.user.email, password: 'chosen horse battery' })).status).toBe(200);
  expect((await admin('reset-password', 'nobody@example.com')).code).toBe(1);
  expect((await admin('reset-password', person.id, '--password', 'short')).code).toBe(2);
});

test('deactivate lets nobody in, closes what is open, and others see that the account is not active', async () => {
  const [person, friend] = await signUpAll(server, 'closed', 'friend');
  const conversation = await friend.direct(person);
  await person.send(conversation, 'still here');
  const socket = await person.connect();
  // Both are remembered by the running server from here on.
  expect((await person.call('GET', '/auth/me')).status).toBe(200);
  expect((await friend.call('GET', `/users/${person.id}`)).body.is_active).toBe(true);

  expect(await admin('deactivate', person.user.username)).toMatchObject({ code: 0, stderr: '' });
  expect(await timeUntil(socket.closed)).toBeLessThan(NOTICED_MS);
  expect((await socket.closed).code).toBe(4401);
  expect(await person.refusal()).toBe('invalid_token');
  const { email } = person.user;
  const refused = await login({ email, password: person.password });
  expect([refused.status, refused.body.code]).toEqual([401, 'invalid_credentials']);

  expect((await friend.call('GET', `/users/${person.id}`)).body).toMatchObject({ is_active: false });
  await eventually('the entry says so', async () => {
    const { body } = await friend.call('GET', `/conversations/${conversation}`);
    return body.participants.some((one: any) => one.id === person.id && one.is_active === false);
  });
  expect((await friend.history(conversation))[0]).toMatchObject({
    content: 'still here',
    sender_username: person.user.username,
  });
  const found = await friend.call('GET', `/users?query=${person.user.username}`);
  expect(found.body.users).toEqual([]);
  expect((await admin('create-user', '--email', email)).code).toBe(1);
});

test('a session that was never asked for again is over too when its account is deactivated', async () => {
  const person = await signUp(server);
  expect((await person.call('GET', '/auth/me')).status).toBe(200);
  expect((await admin('deactivate', person.id)).code).toBe(0);
  const over = eventually('the session ends', async () => (await person.call('GET', '/auth/me')).status === 401);
  expect(await timeUntil(over)).toBeLessThan(NOTICED_MS);
});

test('what is no command is explained, and does nothing', async () => {
  expect(await admin('help')).toMatchObject({ code: 0, stdout: expect.stringContaining('create-user') });
  for (const args of [[], ['constructor'], ['delete-everything'], ['set-role']]) {
    const { code, stdout, stderr } = await admin(...args);
    expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
    expect(stderr).toContain('create-user');
    expect(stderr).not.toMatch(/^\s+at /m);
  }
});
