import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { Mailbox } from '../support/mailbox.ts';
import { type Answer, Person, request, signUp } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
let mailbox: Mailbox | undefined;
afterEach(async () => {
  await mailbox?.close();
  mailbox = undefined;
});
afterAll(endServers);

/** The same person on another device. */
async function onDevice(person: Person, headers: Record<string, string> = {}): Promise<Person> {
  const body = { email: person.user.email, password: person.password };
  const answer = await request(person.server, 'POST', '/auth/login', { body, headers });
  expect(answer.status).toBe(200);
  return new Person(person.server, answer.body.user, answer.body.tokens, person.password);
}

const codeOf = ({ status, body }: Answer) => [status, body.code];
const sessionsOf = async (person: Person) => (await person.call('GET', '/auth/sessions')).body.sessions;

/** As if it were long ago that it was shown who uses the person's sessions. */
async function forgetProofs(person: Person): Promise<void> {
  await runStored(person.server, 'update sessions set proved_at = 0 where user_id = ?', person.id);
}

describe('where somebody is signed in', () => {
  test('is listed with device, address and times, the one used last first, and nobody else’s', async () => {
    const before = Date.now();
    const [alice, bob] = [await signUp(server, 'alice'), await signUp(server, 'bob')];
    const phone = await onDevice(alice, { 'User-Agent': FIREFOX });
    const sessions = await sessionsOf(phone);
    expect(sessions).toHaveLength(2);
    expect(sessions[0]).toEqual({
      id: expect.any(String),
      device: 'Firefox on Linux',
      address: '127.0.0.1',
      created_at: sessions[0].last_used_at,
      last_used_at: expect.any(Number),
      is_current: true,
    });
    expect(sessions[0].created_at).toBeWithin(before, Date.now() + 1);
    expect(sessions.map((one: { is_current: boolean }) => one.is_current)).toEqual([true, false]);
    expect((await sessionsOf(bob)).map((one: { id: string }) => one.id)).not.toContain(sessions[0].id);
  });

  test.each([
    [' ', 'unknown device'],
    ['<script>alert(1)', 'scriptalert'],
    ['Mozilla<b>5', 'Mozillab5'],
    [`curl/8.5.0 ${'x'.repeat(5000)}`, 'curl'],
    [`${'A'.repeat(400)}`, 'A'.repeat(60)],
  ])('names a device by what it calls itself, as text that does nothing: %j', async (agent, device) => {
    const person = await signUp(server);
    const other = await onDevice(person, {
      'User-Agent': encodeURI(agent) === agent ? agent : agent.replace('\u202e', ''),
    });
    expect((await sessionsOf(other))[0].device).toBe(device);
  });

  test('ends for one device, which hears why at once and later, and for nobody else', async () => {
    const [alice, bob] = [await signUp(server, 'alice'), await signUp(server, 'bob')];
    const phone = await onDevice(alice);
    const socket = await phone.connect();
    const { id } = (await sessionsOf(phone)).find((one: { is_current: boolean }) => one.is_current);
    expect(codeOf(await bob.call('DELETE', `/auth/sessions/${id}`))).toEqual([404, 'not_found']);
    expect((await alice.call('DELETE', `/auth/sessions/${id}`)).status).toBe(200);
    expect((await socket.closed).code).toBe(4401);
    expect(await phone.refusal()).toBe('session_revoked');
    const refresh = await request(server, 'POST', '/auth/refresh', {
      body: { refresh_token: phone.tokens.refresh_token },
    });
    expect(codeOf(refresh)).toEqual([401, 'session_revoked']);
    expect((await alice.call('GET', '/auth/me')).status).toBe(200);
    expect(codeOf(await alice.call('DELETE', `/auth/sessions/${id}`))).toEqual([404, 'not_found']);
  });

  test('ends everywhere else at once', async () => {
    const alice = await signUp(server, 'alice');
    const others = [await onDevice(alice), await onDevice(alice)];
    expect((await alice.call('DELETE', '/auth/sessions')).body).toEqual({ ended: 2 });
    for (const other of others) {
      await other.refusal();
    }
    expect(await sessionsOf(alice)).toHaveLength(1);
    expect((await alice.call('DELETE', '/auth/sessions')).body).toEqual({ ended: 0 });
  });
});

describe('what is dangerous', () => {
  test('asks for a proof of the last ten minutes, and is done once it was shown', async () => {
    const alice = await signUp(server, 'alice');
    const phone = await onDevice(alice);
    const { id } = (await sessionsOf(phone)).find((one: { is_current: boolean }) => one.is_current);
    await forgetProofs(alice);
    const attempts: [string, string, object?][] = [
      ['DELETE', `/auth/sessions/${id}`],
      ['DELETE', '/auth/sessions'],
      ['PATCH', '/users/me', { username: `renamed-${alice.user.username}` }],
      ['POST', '/auth/totp'],
      ['POST', '/auth/email', { new_email: 'another@example.com' }],
    ];
    for (const [method, path, body] of attempts) {
      const answer = codeOf(await alice.call(method, path, body));
      expect({ path, answer }).toEqual({ path, answer: [403, 'reauthentication_required'] });
    }
    // What is not dangerous goes on.
    expect((await alice.call('PATCH', '/users/me', { status: 'here' })).status).toBe(200);

    const show = (password: string) => alice.call('POST', '/auth/reauthenticate', { password });
    expect(codeOf(await show('wrong horse battery'))).toEqual([401, 'invalid_credentials']);
    expect((await show(alice.password)).status).toBe(200);
    expect((await alice.call('PATCH', '/users/me', { username: `renamed-${alice.user.username}` })).status).toBe(200);
    expect((await alice.call('DELETE', `/auth/sessions/${id}`)).status).toBe(200);
  });
});

describe('the audit trail', () => {
  test('has what was done and what was refused, with who, from where and the request’s id, and no secret', async () => {
    const alice = await signUp(server, 'alice');
    const wrong = { email: alice.user.email, password: 'wrong horse battery' };
    const refused = await request(server, 'POST', '/auth/login', { body: wrong });
    const phone = await onDevice(alice);
    await alice.call('DELETE', '/auth/sessions');
    await alice.call('POST', '/auth/logout');
    type Row = Record<'kind' | 'outcome' | 'actor_id' | 'address' | 'request_id' | 'detail', string | null>;
    const rows = await eventually('all of it is written', async () => {
      const found = await runStored<Row>(server, 'select * from audit where subject_id = ? order by at, id', alice.id);
      return found.length === 5 && found;
    });
    const kinds = rows.map(({ kind, outcome }) => `${kind} ${outcome}`).sort();
    expect(kinds).toEqual(['account.created done', 'login done', 'login refused', 'logout done', 'session.ended done']);
    for (const { address } of rows) expect(address).toBe('127.0.0.1');
    const failure = rows.find(({ outcome }) => outcome === 'refused')!;
    expect(failure).toMatchObject({ actor_id: null, request_id: refused.headers.get('x-request-id') });
    expect(JSON.parse(failure.detail!)).toMatchObject({ code: 'invalid_credentials', known_device: false });
    const all = JSON.stringify(rows);
    for (const secret of [wrong.password, alice.password, alice.tokens.access_token, phone.tokens.refresh_token]) {
      expect(all).not.toContain(secret);
    }
    // Each is a line of the log, too.
    const lines = server.lines.filter(({ user_id, audit }) => user_id === alice.id && audit !== undefined);
    expect(lines.map(({ audit }) => audit).sort()).toEqual(rows.map(({ kind }) => kind!).sort());
  });
});

test('a sign-in from a device that was not seen before is told to the owner by letter, one that was is not', async () => {
  mailbox = await Mailbox.open();
  const own = await startServer(mailbox.environment());
  const alice = await signUp(own, 'alice');
  await mailbox.next(alice.user.email);
  const prove = 'update users set email = unverified_email, unverified_email = null, email_proven = 1 where id = ?';
  await runStored(own, prove, alice.id);
  mailbox.mails.length = 0;
  await onDevice(alice, { 'User-Agent': FIREFOX, 'Accept-Language': 'de-DE,de;q=0.9,en;q=0.5' });
  const mail = await mailbox.next(alice.user.email);
  expect(mail.subject).toBe('Ein neues Gerät hat sich bei deinem Konto angemeldet');
  expect(mail.text).toContain('Gerät: Firefox on Linux\nAdresse: 127.0.0.1');
  // The same device again, and one that shows its token.
  await onDevice(alice, { 'User-Agent': FIREFOX });
  const body = { email: alice.user.email, password: alice.password, device_token: '' };
  const headers = { 'User-Agent': 'other/1' };
  const { device_token } = (await request(own, 'POST', '/auth/login', { body, headers })).body;
  await mailbox.next(alice.user.email, 2);
  const again = { body: { ...body, device_token }, headers: { 'User-Agent': 'third/1' } };
  expect((await request(own, 'POST', '/auth/login', again)).status).toBe(200);
  await onDevice(alice, { 'User-Agent': 'fourth/1' });
  const last = await mailbox.next(alice.user.email, 3);
  expect(last.text).toContain('Device: fourth');
});
