import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Authenticator, enrol, show, ticketOf } from '../support/authenticator.ts';
import { eventually } from '../support/eventually.ts';
import { Person, request, signUp } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer } from '../support/server.ts';
import { TestSocket } from '../support/socket.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(120_000);

const NOTICED_MS = 5000;

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(endServers);

const login = ({ user, password }: Person, headers?: Record<string, string>) =>
  request(server, 'POST', '/auth/login', { body: { email: user.email, password }, headers });
const refresh = (refresh_token: string) => request(server, 'POST', '/auth/refresh', { body: { refresh_token } });
const failure = ({ status, body }: { status: number; body: any }) => [status, body.code];

/** Another session of somebody who has no second factor yet. */
async function again(person: Person): Promise<Person> {
  const { body } = await login(person);
  return new Person(server, person.user, body.tokens, person.password);
}

interface Row {
  kind: string;
  outcome: string;
  detail: string | null;
}

/** What the audit trail has of an account, once what is asked for is there. */
function audited(person: Person, kind: string, outcome: string): Promise<Row> {
  return eventually(`${kind} ${outcome} in the audit trail`, async () => {
    const rows = await runStored<Row>(server, 'select * from audit where subject_id = ? order by at', person.id);
    return rows.findLast((row) => row.kind === kind && row.outcome === outcome);
  });
}

describe('setting up an authenticator app', () => {
  test('a secret and its picture are shown, it counts once a code of it is shown, and ten recovery codes come back', async () => {
    const person = await signUp(server);
    const begun = await person.call('POST', '/auth/totp');
    expect(begun.status).toBe(200);
    const { secret, uri, qr } = begun.body;
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(uri).toStartWith(`otpauth://totp/Parley:${person.user.username}?`);
    expect(new URL(uri).searchParams.get('secret')).toBe(secret);
    expect(qr).toStartWith('<svg');
    expect((await person.call('GET', '/auth/me')).body.has_second_factor).toBe(false);

    const app = new Authenticator(secret);
    expect(failure(await person.call('PUT', '/auth/totp', { code: app.wrong() }))).toEqual([401, 'mfa_failed']);
    expect((await login(person)).status).toBe(200);
    const confirmed = await person.call('PUT', '/auth/totp', { code: await app.next() });
    expect(confirmed.status).toBe(200);
    expect(new Set(confirmed.body.codes).size).toBe(10);
    for (const code of confirmed.body.codes) expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}$/);
    expect((await person.call('GET', '/auth/me')).body.has_second_factor).toBe(true);
    expect((await person.call('GET', '/auth/recovery-codes')).body).toEqual({ left: 10 });
    await audited(person, 'factor.begun', 'done');
    await audited(person, 'factor.added', 'refused');
    await audited(person, 'factor.added', 'done');
  });

  test('nothing that opens an account is stored as it is', async () => {
    const person = await signUp(server);
    const { app, codes } = await enrol(person);
    const [totp] = await runStored<{ secret: string }>(server, 'select * from totp where user_id = ?', person.id);
    expect(totp!.secret).toMatch(/^v1\.[0-9a-f]{12}\./);
    expect(JSON.stringify(totp)).not.toContain(app.secret);
    const rows = await runStored<Record<string, string>>(
      server,
      'select * from recovery_codes where user_id = ?',
      person.id,
    );
    const kept = JSON.stringify(rows);
    for (const code of codes) expect(kept).not.toContain(code.replaceAll('-', '').slice(4));
    for (const { code_hash } of rows) expect(code_hash).toStartWith('$argon2id$');
  });

  test('a newer set-up takes the place of one that waits, and one of half an hour ago is over', async () => {
    const person = await signUp(server);
    const first = new Authenticator((await person.call('POST', '/auth/totp')).body.secret);
    const second = new Authenticator((await person.call('POST', '/auth/totp')).body.secret);
    expect(failure(await person.call('PUT', '/auth/totp', { code: await first.next() }))).toEqual([401, 'mfa_failed']);
    const past = Date.now() - 31 * 60_000;
    await runStored(server, 'update totp set pending_at = ? where user_id = ?', past, person.id);
    const late = await person.call('PUT', '/auth/totp', { code: await second.next() });
    expect(failure(late)).toEqual([410, 'link_expired']);
    expect(failure(await (await signUp(server)).call('PUT', '/auth/totp', { code: '123456' }))).toEqual([
      410,
      'link_expired',
    ]);
  });

  test('of two confirmations at once one is answered with codes, and those are the ones that count', async () => {
    const person = await signUp(server);
    const app = new Authenticator((await person.call('POST', '/auth/totp')).body.secret);
    const code = await app.next();
    const answers = await Promise.all(Array.from({ length: 4 }, () => person.call('PUT', '/auth/totp', { code })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 410, 410, 410]);
    const { codes } = answers.find(({ status }) => status === 200)!.body;
    expect((await show(server, { ticket: await ticketOf(person), method: 'recovery', code: codes[0] })).status).toBe(
      200,
    );
  });

  test('another app takes the place of the one in use only once a code of it is shown', async () => {
    const person = await signUp(server);
    const { app, codes } = await enrol(person);
    const other = new Authenticator((await person.call('POST', '/auth/totp')).body.secret);
    const withOld = await show(server, { ticket: await ticketOf(person), code: await app.next() });
    expect(withOld.status).toBe(200);
    expect((await person.call('PUT', '/auth/totp', { code: await other.next() })).status).toBe(200);
    const ticket = await ticketOf(person);
    expect(failure(await show(server, { ticket, code: await app.next() }))).toEqual([401, 'mfa_failed']);
    const old = await show(server, { ticket, method: 'recovery', code: codes[0]! });
    expect(failure(old)).toEqual([401, 'mfa_failed']);
    expect((await show(server, { ticket, code: await other.next() })).status).toBe(200);
  });

  test('it asks for a proof of the last ten minutes', async () => {
    const person = await signUp(server);
    const { app } = await enrol(person);
    const long = Date.now() - 11 * 60_000;
    await runStored(server, 'update sessions set proved_at = ? where user_id = ?', long, person.id);
    for (const [method, path] of [
      ['POST', '/auth/totp'],
      ['DELETE', '/auth/totp'],
      ['POST', '/auth/recovery-codes'],
    ] as const) {
      expect(failure(await person.call(method, path))).toEqual([403, 'reauthentication_required']);
    }
    const wrong = await person.call('POST', '/auth/reauthenticate', { code: app.wrong() });
    expect(failure(wrong)).toEqual([401, 'mfa_failed']);
    const both = await person.call('POST', '/auth/reauthenticate', { code: await app.next(), password: 'wrong horse' });
    expect(failure(both)).toEqual([401, 'invalid_credentials']);
    expect(failure(await person.call('POST', '/auth/totp'))).toEqual([403, 'reauthentication_required']);
    const code = await app.next();
    expect((await person.call('POST', '/auth/reauthenticate', { code })).status).toBe(200);
    expect((await person.call('POST', '/auth/totp')).status).toBe(200);
    // Once is once.
    expect(failure(await person.call('POST', '/auth/reauthenticate', { code }))).toEqual([401, 'mfa_failed']);
    await audited(person, 'factor.shown', 'done');
  });

  test('who has no app can show no code', async () => {
    const person = await signUp(server);
    const answer = await person.call('POST', '/auth/reauthenticate', { code: '123456' });
    expect(failure(answer)).toEqual([401, 'mfa_failed']);
    expect(failure(await person.call('POST', '/auth/recovery-codes'))).toEqual([403, 'enrolment_required']);
    expect(failure(await person.call('DELETE', '/auth/totp'))).toEqual([404, 'not_found']);
    expect((await person.call('GET', '/auth/recovery-codes')).body).toEqual({ left: 0 });
  });
});

describe('signing in', () => {
  test('with the password it is asked for a code, and with the code it is a log-in', async () => {
    const person = await signUp(server);
    const { app } = await enrol(person);
    const asked = await login(person);
    expect(failure(asked)).toEqual([401, 'mfa_required']);
    expect(asked.body).toMatchObject({ methods: ['totp', 'recovery'], expires_in: 600 });
    expect(asked.headers.getSetCookie()).toEqual([]);
    expect(asked.body.tokens).toBeUndefined();
    const entered = await show(server, { ticket: asked.body.ticket, code: await app.next() });
    expect(entered.status).toBe(200);
    expect(entered.body.user).toMatchObject({ id: person.id, has_second_factor: true });
    const inside = new Person(server, entered.body.user, entered.body.tokens, person.password);
    expect((await inside.call('GET', '/auth/me')).status).toBe(200);
    expect((await refresh(entered.body.tokens.refresh_token)).status).toBe(200);
    await (await inside.connect()).close();
    await audited(person, 'login', 'done');
  });

  test('a browser that keeps its tokens in cookies gets cookies, and no token in a body', async () => {
    const person = await signUp(server);
    const { app } = await enrol(person);
    const headers = { 'X-Auth-Mode': 'cookie', Origin: server.nodes[0]!.url };
    const { body } = await login(person, headers);
    const entered = await show(server, { ticket: body.ticket, code: await app.next() }, headers);
    expect(entered.status).toBe(200);
    expect(Object.keys(entered.body)).toEqual(['user']);
    const names = entered.headers.getSetCookie().map((cookie) => cookie.split('=')[0]);
    expect(names.sort()).toEqual(['access_token', 'device', 'refresh_token']);
    const cookie = entered.headers.getSetCookie().map((one) => one.split(';')[0]);
    expect((await request(server, 'GET', '/auth/me', { headers: { cookie: cookie.join('; ') } })).status).toBe(200);
  });

  test('a code is taken once, of the last step too, and at three nodes at once', async () => {
    const person = await signUp(server);
    const { app } = await enrol(person);
    const code = await app.next();
    const tickets = await Promise.all(Array.from({ length: 6 }, () => ticketOf(person)));
    const answers = await Promise.all(tickets.map((ticket) => show(server, { ticket, code })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401, 401]);
    for (const answer of answers) if (answer.status !== 200) expect(answer.body.code).toBe('mfa_failed');
    // One that is older than what was taken is as good as none.
    const later = await app.next();
    expect((await show(server, { ticket: await ticketOf(person), code: later })).status).toBe(200);
    expect(failure(await show(server, { ticket: await ticketOf(person), code }))).toEqual([401, 'mfa_failed']);
  });

  test.each([
    [-90_000, 401],
    [90_000, 401],
    [0, 200],
  ])('a clock that is %d ms off: %d', async (off, status) => {
    const person = await signUp(server);
    const { app } = await enrol(person);
    // As if no code had been taken: what refuses is the clock.
    await runStored(server, 'update totp set last_step = 0 where user_id = ?', person.id);
    const answer = await show(server, { ticket: await ticketOf(person), code: app.at(Date.now() + off) });
    expect(answer.status).toBe(status);
  });

  test('a ticket is good once, also at three nodes at once', async () => {
    const person = await signUp(server);
    const { app, codes } = await enrol(person);
    const ticket = await ticketOf(person);
    const tries = codes.slice(0, 4).map((code) => show(server, { ticket, method: 'recovery', code }));
    const answers = await Promise.all(tries);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 410, 410, 410]);
    // The codes that lost are not used up by it.
    expect((await person.call('GET', '/auth/recovery-codes')).body).toEqual({ left: 9 });
    expect(failure(await show(server, { ticket, code: await app.next() }))).toEqual([410, 'link_expired']);
  });

  test('a ticket dies after five codes, right ones too', async () => {
    const person = await signUp(server);
    const { app } = await enrol(person);
    const ticket = await ticketOf(person);
    const guesses = Array.from({ length: 8 }, (_, index) =>
      show(server, {
        ticket,
        method: index % 2 ? 'recovery' : 'totp',
        code: index % 2 ? 'AAAA-AAAA-AAAA' : app.wrong(),
      }),
    );
    const codes = (await Promise.all(guesses)).map(({ body }) => body.code);
    expect(codes.filter((code) => code === 'mfa_failed')).toHaveLength(5);
    expect(codes.filter((code) => code === 'link_expired')).toHaveLength(3);
    expect(failure(await show(server, { ticket, code: await app.next() }))).toEqual([410, 'link_expired']);
    expect(JSON.parse((await audited(person, 'factor.shown', 'refused')).detail!)).toEqual({ code: 'mfa_failed' });
  });

  test('a ticket dies with the password that it was made for', async () => {
    const person = await signUp(server);
    const { app } = await enrol(person);
    const ticket = await ticketOf(person);
    const body = { current_password: person.password, new_password: 'another horse battery' };
    expect((await person.call('POST', '/auth/password', body)).status).toBe(200);
    const code = await app.next();
    expect(failure(await show(server, { ticket, code }))).toEqual([410, 'link_expired']);
    // The code is not used up by it.
    const changed = new Person(server, person.user, person.tokens, body.new_password);
    expect((await show(server, { ticket: await ticketOf(changed), code })).status).toBe(200);
  });

  test('a ticket that is over, or none of ours, or of a closed account opens nothing', async () => {
    const person = await signUp(server);
    const { app, codes } = await enrol(person);
    const over = await ticketOf(person);
    await runStored(server, 'update mfa_tickets set expires_at = ? where user_id = ?', Date.now() - 1, person.id);
    const code = codes[0]!;
    for (const ticket of [over, '', 'A'.repeat(43), crypto.randomUUID(), person.tokens.access_token.slice(0, 200)]) {
      expect(failure(await show(server, { ticket, method: 'recovery', code }))).toEqual([410, 'link_expired']);
    }
    const ticket = await ticketOf(person);
    expect((await runParley(['admin', 'deactivate', person.id], { DATA_DIR: server.dataDir })).code).toBe(0);
    expect(failure(await show(server, { ticket, code: await app.next() }))).toEqual([410, 'link_expired']);
  });

  test('what is no code is a wrong one', async () => {
    const person = await signUp(server);
    await enrol(person);
    for (const code of ['12345', '1234567', 'abcdef', '', '１２３４５６', '000000\u0000', '-12345']) {
      const ticket = await ticketOf(person);
      expect(failure(await show(server, { ticket, code }))).toEqual([401, 'mfa_failed']);
      expect(failure(await show(server, { ticket, method: 'recovery', code }))).toEqual([401, 'mfa_failed']);
    }
  });
});

describe('recovery codes', () => {
  test('each is good once, however it is typed, also at three nodes at once', async () => {
    const person = await signUp(server);
    const { codes } = await enrol(person);
    const tickets = await Promise.all(Array.from({ length: 5 }, () => ticketOf(person)));
    const typed = codes[3]!.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
    const answers = await Promise.all(
      tickets.map((ticket) => show(server, { ticket, method: 'recovery', code: typed })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
    expect((await person.call('GET', '/auth/recovery-codes')).body).toEqual({ left: 9 });
    expect(JSON.parse((await audited(person, 'recovery.used', 'done')).detail!)).toEqual({ left: 9 });
    const { tokens } = answers.find(({ status }) => status === 200)!.body;
    expect((await refresh(tokens.refresh_token)).status).toBe(200);
  });

  test('a code is no other method’s, and no other account’s', async () => {
    const [person, other] = [await signUp(server), await signUp(server)];
    const { codes, app } = await enrol(person);
    const others = await enrol(other);
    const ticket = await ticketOf(person);
    expect(failure(await show(server, { ticket, code: codes[0]! }))).toEqual([401, 'mfa_failed']);
    const digits = await app.next();
    expect(failure(await show(server, { ticket, method: 'recovery', code: digits }))).toEqual([401, 'mfa_failed']);
    const foreign = await show(server, { ticket, method: 'recovery', code: others.codes[0]! });
    expect(failure(foreign)).toEqual([401, 'mfa_failed']);
    expect((await show(server, { ticket, code: digits })).status).toBe(200);
  });

  test('new ones take the place of those of before', async () => {
    const person = await signUp(server);
    const { codes } = await enrol(person);
    const renewed = await person.call('POST', '/auth/recovery-codes');
    expect(renewed.body.codes).toHaveLength(10);
    const ticket = await ticketOf(person);
    const old = await show(server, { ticket, method: 'recovery', code: codes[0]! });
    expect(failure(old)).toEqual([401, 'mfa_failed']);
    expect((await show(server, { ticket, method: 'recovery', code: renewed.body.codes[9] })).status).toBe(200);
    await audited(person, 'recovery.renewed', 'done');
  });
});

describe('sessions from before the second factor', () => {
  test('may do nothing until they have shown it: calls, sockets of each kind, and refreshes', async () => {
    const person = await signUp(server);
    const [old, plain] = [await again(person), await again(person)];
    const sockets = [await old.connect(), await plain.connectPlain()];
    const own = await person.connect();
    const { app } = await enrol(person);

    for (const socket of sockets) expect((await socket.closed).code).toBe(4401);
    await own.settle();
    await old.refusal();
    expect(failure(await old.call('GET', '/conversations'))).toEqual([401, 'token_expired']);
    const opening = TestSocket.open(server, { query: `?token=${plain.tokens.access_token}` });
    expect(await opening.catch((error) => error)).toBeInstanceOf(Error);

    const asked = await refresh(old.tokens.refresh_token);
    expect(failure(asked)).toEqual([401, 'mfa_required']);
    const wrong = await show(server, { ticket: asked.body.ticket, code: app.wrong() });
    expect(failure(wrong)).toEqual([401, 'mfa_failed']);
    const entered = await show(server, { ticket: asked.body.ticket, code: await app.next() });
    expect(entered.status).toBe(200);
    const proved = new Person(server, person.user, entered.body.tokens, person.password);
    const { sessions } = (await proved.call('GET', '/auth/sessions')).body;
    expect(sessions).toHaveLength(3);
    const { sid } = JSON.parse(Buffer.from(old.tokens.access_token.split('.')[1]!, 'base64url').toString());
    expect(sessions.find((session: any) => session.is_current).id).toBe(sid);
    // What was known of the session before is exchanged.
    expect(entered.body.tokens.refresh_token).not.toBe(old.tokens.refresh_token);
    expect((await refresh(entered.body.tokens.refresh_token)).status).toBe(200);
    await (await proved.connect()).close();
    await own.close();
  });

  test('a ticket of a session that has ended since opens nothing', async () => {
    const person = await signUp(server);
    const old = await again(person);
    const { app } = await enrol(person);
    const { body } = await refresh(old.tokens.refresh_token);
    expect((await old.call('POST', '/auth/logout')).status).toBe(200);
    const code = await app.next();
    expect(failure(await show(server, { ticket: body.ticket, code }))).toEqual([410, 'link_expired']);
    expect((await show(server, { ticket: await ticketOf(person), code })).status).toBe(200);
  });

  test('a browser is asked by its cookie, and goes on by cookies', async () => {
    const person = await signUp(server);
    const headers = { 'X-Auth-Mode': 'cookie', Origin: server.nodes[0]!.url };
    const cookies = (await login(person, headers)).headers.getSetCookie().map((one) => one.split(';')[0]);
    const { app } = await enrol(person);
    const sent = { ...headers, Host: new URL(server.nodes[0]!.url).host, cookie: cookies.join('; ') };
    const asked = await request(server, 'POST', '/auth/refresh', { headers: sent });
    expect(failure(asked)).toEqual([401, 'mfa_required']);
    const entered = await show(server, { ticket: asked.body.ticket, code: await app.next() }, sent);
    expect([entered.status, Object.keys(entered.body)]).toEqual([200, ['user']]);
    const fresh = entered.headers.getSetCookie().map((one) => one.split(';')[0]);
    const me = await request(server, 'GET', '/auth/me', { headers: { cookie: fresh.join('; ') } });
    expect(me.body.id).toBe(person.id);
  });
});

describe('taking it away', () => {
  test('the owner removes it, and the password alone signs in again', async () => {
    const person = await signUp(server);
    await enrol(person);
    expect((await person.call('DELETE', '/auth/totp')).status).toBe(200);
    expect((await person.call('GET', '/auth/me')).body.has_second_factor).toBe(false);
    expect((await person.call('GET', '/auth/recovery-codes')).body).toEqual({ left: 0 });
    expect((await login(person)).status).toBe(200);
    await audited(person, 'factor.removed', 'done');
  });

  test('parley admin reset-mfa takes it off an account, and ends all of its sessions', async () => {
    const person = await signUp(server);
    const { app } = await enrol(person);
    const socket = await person.connect();
    const ticket = await ticketOf(person);
    const reset = await runParley(['admin', 'reset-mfa', person.user.email], { DATA_DIR: server.dataDir });
    expect(reset).toMatchObject({ code: 0, stderr: '' });
    expect(reset.stdout).toBe(`${person.user.username} has no second factor, and is signed out everywhere\n`);
    const started = performance.now();
    expect((await socket.closed).code).toBe(4401);
    expect(performance.now() - started).toBeLessThan(NOTICED_MS);
    expect((await refresh(person.tokens.refresh_token)).status).toBe(401);
    expect((await show(server, { ticket, code: await app.next() })).status).toBe(401);
    expect((await login(person)).status).toBe(200);
    await audited(person, 'factor.removed', 'done');
    expect((await runParley(['admin', 'reset-mfa', 'nobody@example.com'], { DATA_DIR: server.dataDir })).code).toBe(1);
  });

  test('with the account goes its second factor', async () => {
    const person = await signUp(server);
    await enrol(person);
    expect((await person.call('DELETE', '/users/me', { password: person.password })).status).toBe(200);
    await eventually('nothing is left of it', async () => {
      const kept = await Promise.all(
        ['totp', 'recovery_codes'].map((table) =>
          runStored(server, `select * from ${table} where user_id = ?`, person.id),
        ),
      );
      return kept.flat().length === 0;
    });
  });
});
