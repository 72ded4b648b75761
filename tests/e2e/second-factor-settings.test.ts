import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Authenticator, enrol, show, ticketOf } from '../support/authenticator.ts';
import { eventually } from '../support/eventually.ts';
import { Mailbox } from '../support/mailbox.ts';
import { Person, request, signUp } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer, temporaryFolder } from '../support/server.ts';
import { TestSocket } from '../support/socket.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(120_000);

let mailbox: Mailbox | undefined;
afterEach(async () => {
  await mailbox?.close();
  mailbox = undefined;
});
afterAll(endServers);

const failure = ({ status, body }: { status: number; body: any }) => [status, body.code];

async function logIn(server: TestServer, { user, password }: Person): Promise<Person> {
  const { body } = await request(server, 'POST', '/auth/login', { body: { email: user.email, password } });
  return new Person(server, body.user, body.tokens, password);
}

/** Whether a socket is refused before it opens. */
async function isRefused(person: Person, query: string): Promise<boolean> {
  return (await TestSocket.open(person.server, { query }).catch((error) => error)) instanceof Error;
}

describe('REQUIRE_MFA', () => {
  test('all: who has no second factor can set one up and do nothing else, in sessions from before the setting too', async () => {
    const dataDir = temporaryFolder();
    const before = await startServer({ DATA_DIR: dataDir });
    const old = await signUp(before);
    await before.stop();
    const server = await startServer({ DATA_DIR: dataDir, REQUIRE_MFA: 'all' });
    const person = await signUp(server);
    expect(person.user.restriction).toBe('factor');
    for (const one of [old.at(server), person]) {
      for (const [method, path, body] of [
        ['GET', '/conversations'],
        ['GET', '/users'],
        ['GET', '/sync'],
        ['PATCH', '/users/me', { status: 'here' }],
        ['POST', '/conversations', { name: 'A group' }],
        ['GET', '/auth/sessions'],
        ['DELETE', '/auth/totp'],
        ['POST', '/auth/recovery-codes'],
        ['GET', '/auth/recovery-codes'],
      ] as const) {
        expect(failure(await one.call(method, path, body))).toEqual([403, 'enrolment_required']);
      }
      const token = one.tokens.access_token;
      const handshake = await request(server, 'GET', '/ws', {
        token,
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        },
      });
      expect(failure(handshake)).toEqual([403, 'enrolment_required']);
      expect(await isRefused(one, `?token=${token}`)).toBe(true);
      expect((await one.call('GET', '/auth/me')).body).toMatchObject({ restriction: 'factor' });
    }
    // One from before showed long ago who uses it.
    const long = Date.now() - 11 * 60_000;
    await runStored(server, 'update sessions set proved_at = ? where user_id = ?', long, old.id);
    const late = old.at(server);
    expect(failure(await late.call('POST', '/auth/totp'))).toEqual([403, 'reauthentication_required']);
    expect((await late.call('POST', '/auth/reauthenticate', { password: old.password })).status).toBe(200);

    for (const one of [late, person]) {
      const { app } = await enrol(one);
      const me = (await one.call('GET', '/auth/me')).body;
      expect([me.restriction, me.has_second_factor]).toEqual([undefined, true]);
      expect((await one.call('GET', '/conversations')).status).toBe(200);
      await (await one.connect()).close();
      expect(failure(await one.call('DELETE', '/auth/totp'))).toEqual([403, 'forbidden']);
      // Another phone takes the place of this one.
      const other = new Authenticator((await one.call('POST', '/auth/totp')).body.secret);
      expect((await one.call('PUT', '/auth/totp', { code: await other.next() })).status).toBe(200);
      const ticket = await ticketOf(one);
      expect(failure(await show(server, { ticket, code: await app.next() }))).toEqual([401, 'mfa_failed']);
      expect((await show(server, { ticket, code: await other.next() })).status).toBe(200);
    }
    await server.stop();
  });

  test('admins: it is asked of them alone, and of who becomes one while they are connected', async () => {
    const server = await startServer({ REQUIRE_MFA: 'admins' });
    const [person, boss] = [await signUp(server), await signUp(server)];
    const sockets = [await person.connect(), await boss.connect()];
    expect((await runParley(['admin', 'set-role', boss.id, 'admin'], { DATA_DIR: server.dataDir })).code).toBe(0);
    expect((await sockets[1]!.closed).code).toBe(4401);
    expect(failure(await boss.call('GET', '/conversations'))).toEqual([403, 'enrolment_required']);
    expect((await person.call('GET', '/conversations')).status).toBe(200);
    await sockets[0]!.settle();
    await sockets[0]!.close();
    expect((await logIn(server, boss)).user.restriction).toBe('factor');
    await enrol(boss);
    await (await boss.connect()).close();
    await server.stop();
  });
});

test('codes are limited: by account and address together, and of strangers by the account alone', async () => {
  const wide = '10000/1m';
  const server = await startServer({
    RATE_LIMITS: 'on',
    TRUST_PROXY: 'loopback',
    LIMIT_REGISTER: wide,
    LIMIT_LOGIN: wide,
    LIMIT_LOGIN_ACCOUNT: wide,
    LIMIT_LOGIN_ACCOUNT_STRANGERS: wide,
    LIMIT_REFRESH: wide,
    LIMIT_MFA: '3/10m',
    LIMIT_MFA_STRANGERS: '7/10m',
  });
  const person = await signUp(server);
  const { app } = await enrol(person);
  const other = await signUp(server);
  const others = await enrol(other);
  const guess = async (address: string, who = person, code = app.wrong(), device_token?: string) => {
    const answer = await show(
      server,
      { ticket: await ticketOf(who), code, device_token },
      { 'X-Forwarded-For': address },
    );
    return answer.body.code ?? answer.status;
  };
  for (let n = 0; n < 3; n++) expect(await guess('198.51.100.1')).toBe('mfa_failed');
  // The right one, too, and a recovery code.
  const code = await app.next();
  expect(await guess('198.51.100.1', person, code)).toBe('rate_limited');
  // From there, another account; at this account, from elsewhere.
  expect(await guess('198.51.100.1', other, await others.app.next())).toBe(200);
  const device = await (async () => {
    const headers = { 'X-Forwarded-For': '198.51.100.2' };
    const body = { ticket: await ticketOf(person), code, device_token: '' };
    return (await show(server, body, headers)).body.device_token;
  })();
  expect(device).toBeString();
  for (let n = 0; n < 3; n++) expect(await guess('198.51.100.3')).toBe('mfa_failed');
  expect(await guess('198.51.100.4')).toBe('mfa_failed');
  expect(await guess('198.51.100.5')).toBe('rate_limited');
  // A device that has signed in before is not kept out by strangers.
  expect(await guess('198.51.100.5', person, await app.next(), device)).toBe(200);
  // Who is signed in is counted by their session.
  for (let n = 0; n < 3; n++) {
    const again = await person.call('POST', '/auth/reauthenticate', { code: app.wrong() });
    expect(failure(again)).toEqual([401, 'mfa_failed']);
  }
  expect((await person.call('POST', '/auth/reauthenticate', { code: app.wrong() })).status).toBe(429);
  await server.stop();
});

test('what is no ticket counts as a log-in of its address', async () => {
  const server = await startServer({ RATE_LIMITS: 'on', LIMIT_LOGIN: '3/1m' });
  for (let n = 0; n < 3; n++) {
    expect(failure(await show(server, { ticket: 'A'.repeat(43), code: '123456' }))).toEqual([410, 'link_expired']);
  }
  expect((await show(server, { ticket: 'A'.repeat(43), code: '123456' })).status).toBe(429);
  await server.stop();
});

test('a rotated JWT_SECRET loses nobody their second factor', async () => {
  const dataDir = temporaryFolder();
  const [first, second, third] = Array.from({ length: 3 }, () => crypto.randomUUID() + crypto.randomUUID());
  const start = (env: Record<string, string>) => startServer({ DATA_DIR: dataDir, ...env });
  let server = await start({ JWT_SECRET: first! });
  const [used, unused, waiting] = [await signUp(server), await signUp(server), await signUp(server)];
  const apps = [(await enrol(used)).app, (await enrol(unused)).app] as const;
  const pending = new Authenticator((await waiting.call('POST', '/auth/totp')).body.secret);
  const seals = async () => {
    const rows = await runStored<{ secret: string | null; pending_secret: string | null }>(
      server,
      'select * from totp',
    );
    return new Set(rows.map(({ secret, pending_secret }) => (secret ?? pending_secret)!.split('.')[1]));
  };
  const enter = async (person: Person, code: string) =>
    show(server, { ticket: await ticketOf(person.at(server)), code });
  await server.stop();

  // A code that is shown makes it a secret of the new key.
  server = await start({ JWT_SECRET: second!, JWT_SECRET_PREVIOUS: first! });
  expect((await enter(used, await apps[0].next())).status).toBe(200);
  expect((await seals()).size).toBe(2);
  await server.stop();

  // The rest is done by the clock.
  await runStored(server, 'update duties set next_at = 0');
  server = await start({ JWT_SECRET: second!, JWT_SECRET_PREVIOUS: first! });
  await eventually('all secrets are sealed anew', async () => (await seals()).size === 1);
  await eventually('it is said how many', async () => server.lines.some(({ secrets }) => secrets === 2));
  await server.stop();

  server = await start({ JWT_SECRET: second! });
  expect((await enter(unused, await apps[1].next())).status).toBe(200);
  const again = await logIn(server, waiting);
  expect((await again.call('PUT', '/auth/totp', { code: await pending.next() })).status).toBe(200);
  await server.stop();

  // Taken away at once, it takes apps with it: that is said in the log, and recovery codes go on.
  await runStored(server, 'update duties set next_at = 0');
  server = await start({ JWT_SECRET: third! });
  await eventually('it is said', async () => server.lines.some(({ level, secrets }) => level === 50 && secrets === 3));
  expect(failure(await enter(used, await apps[0].next()))).toEqual([401, 'mfa_failed']);
  await server.stop();
});

test('letters tell of each change, in the reader’s language, and only where the address is known to be theirs', async () => {
  mailbox = await Mailbox.open();
  const server = await startServer(mailbox.environment());
  const person = await signUp(server);
  const stranger = await signUp(server);
  // Both are asked whether their address is theirs; one of them says so.
  await Promise.all([person, stranger].map(({ user }) => mailbox!.next(user.email)));
  mailbox.mails.length = 0;
  const prove = 'update users set email = unverified_email, unverified_email = null, email_proven = 1 where id = ?';
  await runStored(server, prove, person.id);
  const { codes } = await enrol(person);
  await enrol(stranger);
  expect((await mailbox.next(person.user.email)).subject).toBe('Your account has a second factor now');
  const german = { 'Accept-Language': 'de-AT,de;q=0.9', 'User-Agent': 'parley-test/1' };
  const body = { ticket: await ticketOf(person), method: 'recovery' as const, code: codes[0]! };
  expect((await show(server, body, german)).status).toBe(200);
  // That, and of a new device.
  await mailbox.next(person.user.email, 3);
  const used = mailbox.to(person.user.email).find(({ subject }) => subject?.includes('Wiederherstellungscode'));
  expect(used!.text).toContain('Codes, die noch gelten: 9.');
  expect(used!.text).toContain('Gerät: parley-test');
  await person.call('POST', '/auth/recovery-codes');
  expect((await mailbox.next(person.user.email, 4)).subject).toBe('Your account has new recovery codes');
  await person.call('DELETE', '/auth/totp');
  expect((await mailbox.next(person.user.email, 5)).subject).toBe('Your account has no second factor any more');
  await enrol(person);
  await mailbox.next(person.user.email, 6);
  const settings = { DATA_DIR: server.dataDir, ...mailbox.environment() };
  expect((await runParley(['admin', 'reset-mfa', person.id], settings)).code).toBe(0);
  expect((await mailbox.next(person.user.email, 7)).text).toContain('signed you out everywhere');
  expect(mailbox.to(stranger.user.email)).toEqual([]);
  // No letter holds a code.
  for (const { source } of mailbox.mails) for (const code of codes) expect(source).not.toContain(code);
  await server.stop();
});
