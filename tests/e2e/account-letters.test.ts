import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { tokenIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { Person, request } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(60_000);

const password = 'correct horse battery';
const AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0';

let box: Mailbox;
let server: TestServer;
beforeAll(async () => {
  box = await Mailbox.open();
  server = await startServer(box.environment());
});
afterAll(async () => {
  await endServers();
  await box.close();
});

let people = 0;

/** Somebody new, with an address that is known to be theirs where that is asked for. */
async function newcomer({ isProven = true } = {}): Promise<Person & { email: string }> {
  const username = `reader-${process.pid}-${++people}`;
  const email = `${username}@example.com`;
  const { body } = await request(server, 'POST', '/auth/register', { body: { email, username, password } });
  const token = tokenIn(await box.next(email), 'verify');
  if (isProven) expect((await request(server, 'POST', '/auth/email/verify', { body: { token } })).status).toBe(200);
  return Object.assign(new Person(server, body.user, body.tokens, password), { email });
}

/** A call of somebody who reads German, or what is asked for, in Firefox. */
const call = (person: Person, method: string, path: string, body: unknown, language = 'de-CH,de;q=0.9,en;q=0.3') =>
  request(server, method, path, {
    body,
    token: person.tokens.access_token,
    headers: { 'Accept-Language': language, 'User-Agent': AGENT },
  });
const admin = (...args: string[]) => runParley(['admin', ...args], { DATA_DIR: server.dataDir, ...box.environment() });
const nameOf = (person: Person, other: string) => ({ username: `${person.user.username}-${other}` });

interface Row {
  kind: string;
  outcome: string;
  detail: string | null;
}
const auditOf = (person: Person, kind: string) =>
  runStored<Row>(server, 'select * from audit where subject_id = ? and kind = ? order by at, id', person.id, kind);

describe('another username', () => {
  test('is told to the owner, in their language, with the device and without the name, and written down', async () => {
    const ada = await newcomer();
    const next = nameOf(ada, 'evil.example');
    expect((await call(ada, 'PATCH', '/users/me', next)).status).toBe(200);
    const german = await box.next(ada.email, 2);
    expect(german).toMatchObject({ subject: 'Dein Benutzername wurde geändert', recipients: [ada.email] });
    expect(german.text).toContain('Gerät: Firefox on Linux\nAdresse: 127.0.0.1\nZeit: ');
    expect(german.html).toContain('<html lang="de">');
    expect((await call(ada, 'PATCH', '/users/me', nameOf(ada, 'again'), 'fr')).status).toBe(200);
    const english = await box.next(ada.email, 3);
    expect(english.subject).toBe('Your username was changed');
    expect(english.text).toContain('Device: Firefox on Linux\nAddress: 127.0.0.1\nTime: ');
    // Whoever took the account chose the new one: no program of mail is to make a link of it.
    for (const { text, html } of [german, english]) expect(`${text}${html}`).not.toContain('evil.example');
    const rows = await auditOf(ada, 'username.changed');
    expect(rows.map(({ outcome }) => outcome)).toEqual(['done', 'done']);
  });

  test('that is refused, or only spelt otherwise, is told to nobody; what was refused is written down', async () => {
    const [ada, bea] = [await newcomer(), await newcomer()];
    expect((await call(ada, 'PATCH', '/users/me', { username: bea.user.username })).body.code).toBe('username_taken');
    await runStored(server, 'update sessions set proved_at = 0 where user_id = ?', ada.id);
    const refused = await call(ada, 'PATCH', '/users/me', nameOf(ada, 'late'));
    expect(refused.body.code).toBe('reauthentication_required');
    const upper = { username: ada.user.username.toUpperCase() };
    expect((await call(ada, 'PATCH', '/users/me', upper)).status).toBe(200);
    expect((await call(ada, 'PATCH', '/users/me', { status: 'here', display_name: 'Ada' })).status).toBe(200);
    // A letter that comes after those that would have come.
    const change = { current_password: password, new_password: 'quite another horse' };
    expect((await call(ada, 'POST', '/auth/password', change)).status).toBe(200);
    expect((await box.next(ada.email, 2)).subject).toBe('Dein Passwort wurde geändert');
    const rows = await eventually('both refusals are written', async () => {
      const found = await auditOf(ada, 'username.changed');
      return found.length === 2 && found;
    });
    expect(rows.map(({ outcome, detail }) => [outcome, JSON.parse(detail!).code])).toEqual([
      ['refused', 'username_taken'],
      ['refused', 'reauthentication_required'],
    ]);
  });

  test('is told to nobody where the address is not known to be theirs', async () => {
    const [stranger, ada] = [await newcomer({ isProven: false }), await newcomer()];
    for (const person of [stranger, ada]) {
      expect((await call(person, 'PATCH', '/users/me', nameOf(person, 'new'))).status).toBe(200);
    }
    await box.next(ada.email, 2);
    expect(box.to(stranger.email)).toHaveLength(1);
  });
});

/** A number that nobody else has in this run: those of the series are real ones, of a plan that has no holes. */
const newNumber = () => `+4930${1_000_000 + (process.pid % 10_000) * 100 + ++people}`;

describe('another phone number', () => {
  const login = (phone_number: string, at = server) =>
    request(at, 'POST', '/auth/login', { body: { phone_number, password } });

  test('is taken however it is spaced, and taken away by an empty one; it is told to the owner, and written down', async () => {
    const ada = await newcomer();
    const number = newNumber();
    const spaced = ` ${number.replace('+4930', '+49 (30) ')} `;
    expect((await call(ada, 'PATCH', '/users/me', { phone_number: spaced })).body.phone_number).toBe(number);
    expect((await box.next(ada.email, 2)).subject).toBe('Deine Telefonnummer wurde geändert');
    // The same again is no other one.
    expect((await call(ada, 'PATCH', '/users/me', { phone_number: number, status: 'here' })).status).toBe(200);
    expect((await ada.call('GET', '/auth/me')).body).toMatchObject({ phone_number: number, status: 'here' });
    const none = await call(ada, 'PATCH', '/users/me', { phone_number: '' }, 'en');
    expect([none.status, none.body.phone_number]).toEqual([200, undefined]);
    expect((await box.next(ada.email, 3)).subject).toBe('Your phone number was changed');
    // It is anybody's again.
    const bea = await newcomer();
    expect((await call(bea, 'PATCH', '/users/me', { phone_number: number })).status).toBe(200);
    const outcomes = (await auditOf(ada, 'phone.changed')).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(['done', 'done']);
    // Nobody was asked whether it is theirs, where somebody could have been.
    expect((await login(number)).body.code).toBe('invalid_credentials');
  });

  test('asks for a proof, is no one else’s, and is a number', async () => {
    const [ada, bea] = [await newcomer(), await newcomer()];
    const number = newNumber();
    expect((await call(bea, 'PATCH', '/users/me', { phone_number: number })).status).toBe(200);
    const refused = async (body: object) => {
      const answer = await call(ada, 'PATCH', '/users/me', { status: 'changed', ...body });
      return [answer.status, answer.body.code, answer.body.errors?.[0]?.path];
    };
    expect(await refused({ phone_number: number })).toEqual([409, 'phone_taken', undefined]);
    for (const phone_number of ['12345', '+49', 'tel:+4930123456', `${number}\0`, 'call me']) {
      const answer = await refused({ phone_number });
      expect({ phone_number, answer }).toEqual({ phone_number, answer: [400, 'validation_failed', 'phone_number'] });
    }
    for (const phone_number of [7, null, true, ['+4930123456'], '+'.repeat(33)]) {
      expect((await refused({ phone_number }))[1]).toBe('validation_failed');
    }
    await runStored(server, 'update sessions set proved_at = 0 where user_id = ?', ada.id);
    expect((await refused({ phone_number: newNumber() }))[1]).toBe('reauthentication_required');
    const me = (await ada.call('GET', '/auth/me')).body;
    expect([me.phone_number, me.status]).toEqual([undefined, undefined]);
    expect(box.to(ada.email)).toHaveLength(1);
  });

  test('without mail it signs in, as one that was given at the sign-up does; one from before goes on with mail, too', async () => {
    const plain = await startServer();
    const username = `caller-${process.pid}-${++people}`;
    const [first, second] = [newNumber(), newNumber()];
    const signUp = { email: `${username}@example.com`, username, password, phone_number: first };
    const { body } = await request(plain, 'POST', '/auth/register', { body: signUp });
    const ada = new Person(plain, body.user, body.tokens, password);
    expect((await ada.call('PATCH', '/users/me', { phone_number: second })).status).toBe(200);
    expect((await login(first, plain)).status).toBe(401);
    expect((await login(second, plain)).body.user.id).toBe(ada.id);
    await plain.stop();
    const later = await startServer({ DATA_DIR: plain.dataDir, ...box.environment() });
    expect((await login(second, later)).body.user.id).toBe(ada.id);
    // What is said again is not changed.
    expect((await ada.at(later).call('PATCH', '/users/me', { phone_number: second })).status).toBe(200);
    expect((await login(second, later)).status).toBe(200);
  });
});

test('another password is told in the language of whoever changes it', async () => {
  const ada = await newcomer();
  const change = (current_password: string, new_password: string, language: string) =>
    call(ada, 'POST', '/auth/password', { current_password, new_password }, language);
  expect((await change(password, 'quite another horse', 'de')).status).toBe(200);
  expect((await box.next(ada.email, 2)).subject).toBe('Dein Passwort wurde geändert');
  expect((await change('quite another horse', password, 'en-GB')).status).toBe(200);
  const english = await box.next(ada.email, 3);
  expect(english.subject).toBe('Your password was changed');
  for (const one of [password, 'quite another horse']) expect(`${english.text}${english.html}`).not.toContain(one);
});

describe('what an operator does from the machine itself', () => {
  test('a password that they give is told without it', async () => {
    const [ada, stranger] = [await newcomer(), await newcomer({ isProven: false })];
    const made = await admin('reset-password', ada.id);
    expect(made.code).toBe(0);
    const mail = await box.next(ada.email, 2);
    expect(mail.subject).toBe('Your account was given another password');
    const given = /^password: (\S+)$/m.exec(made.stdout)![1]!;
    expect(`${mail.text}${mail.html}`).not.toContain(given);
    expect((await admin('reset-password', stranger.id)).code).toBe(0);
    expect((await admin('reset-password', ada.id)).code).toBe(0);
    await box.next(ada.email, 3);
    expect(box.to(stranger.email)).toHaveLength(1);
  });

  test('an address that they take away is told there, and not where somebody merely asked for it', async () => {
    const [ada, bea] = [await newcomer(), await newcomer()];
    const asked = `asked-${bea.email}`;
    expect((await call(bea, 'POST', '/auth/email', { new_email: asked })).status).toBe(202);
    await box.next(asked);
    expect((await admin('release-address', asked)).code).toBe(0);
    expect((await admin('release-address', ada.email)).code).toBe(0);
    expect((await box.next(ada.email, 2)).subject).toBe('Your account no longer has this address');
    expect(box.to(asked)).toHaveLength(1);
    expect(box.to(bea.email)).toHaveLength(1);
  });
});
