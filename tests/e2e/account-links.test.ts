import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { codeIn, tokenIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { Person, request } from '../support/people.ts';
import { endServers, onCluster, runParley, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(60_000);

const password = 'correct horse battery';
const next = 'quite another horse';

let box: Mailbox;
/** With mail, as most of these tests want it. */
let server: TestServer;
/** The same, where an address has to be confirmed before anything else. */
let strict: TestServer;

beforeAll(async () => {
  box = await Mailbox.open();
  [server, strict] = await Promise.all([
    startServer({ ...box.environment(), WORKER_RETRY_BASE: '50ms', WORKER_RETRY_CAP: '100ms' }),
    startServer({ ...box.environment(), REQUIRE_VERIFIED_EMAIL: 'true' }),
  ]);
});
afterAll(async () => {
  await endServers();
  await box.close();
});

const post = (path: string, body: unknown, { at = server, token }: { at?: TestServer; token?: string } = {}) =>
  request(at, 'POST', path, { body, token });
const login = (handle: object, given = password, at = server) =>
  post('/auth/login', { ...handle, password: given }, { at });
const forgot = (email: string, at = server) => post('/auth/password/forgot', { email }, { at });
const reset = (token: string, new_password = next, at = server) =>
  post('/auth/password/reset', { token, new_password }, { at });
const verify = (token: string, at = server) => post('/auth/email/verify', { token }, { at });
const codeOf = ({ status, body }: { status: number; body: any }) => [status, body.code];
const EXPIRED = [410, 'link_expired'];

let people = 0;
const newAddress = (name: string) => `${name}-${process.pid}-${++people}@example.com`;

/** Somebody who has signed up and not confirmed anything. */
async function signUpAs(email: string, at = server): Promise<Person> {
  const username = `u${process.pid}-${++people}`;
  const { status, body } = await post('/auth/register', { email, username, password }, { at });
  expect(status).toBe(201);
  return new Person(at, body.user, body.tokens, password);
}

/** Somebody with an address that is known to be theirs, and how many letters came to it before. */
async function confirmed(name: string, at = server): Promise<Person & { email: string }> {
  const email = newAddress(name);
  const person = await signUpAs(email, at);
  expect(await verify(tokenIn(await box.next(email), 'verify'), at)).toMatchObject({ status: 200 });
  return Object.assign(person, { email });
}

const me = async (person: Person) => (await person.call('GET', '/auth/me')).body;

/** The token of the next link for a new password. */
async function resetToken(email: string, at = server): Promise<string> {
  const before = box.to(email).length;
  expect(await forgot(email, at)).toMatchObject({ status: 202, body: { success: true } });
  return tokenIn(await box.next(email, before + 1), 'reset');
}

interface AuditRow {
  kind: string;
  outcome: string;
  subject_id: string | null;
  detail: string | null;
}
const auditOf = (userId: string, kind: string, at = server) =>
  runStored<AuditRow>(at, 'select * from audit where subject_id = ? and kind = ?', userId, kind);

describe('confirming an address', () => {
  test('happens by the link of a letter, in whichever browser, and once', async () => {
    const email = newAddress('link');
    const person = await signUpAs(email);
    expect(person.user).toMatchObject({ email, email_verified: false });
    const mail = await box.next(email);
    expect(mail).toMatchObject({ recipients: [email], subject: 'Confirm your address' });
    const token = tokenIn(mail, 'verify');
    expect((await verify(token)).status).toBe(200);
    expect(await me(person)).toMatchObject({ email, email_verified: true });
    expect(codeOf(await verify(token))).toEqual(EXPIRED);
    expect(await auditOf(person.id, 'email.verified')).toMatchObject([{ outcome: 'done' }]);
  });

  test('is not done by looking at the link: scanners of mail do', async () => {
    const email = newAddress('scanned');
    const person = await signUpAs(email);
    const token = tokenIn(await box.next(email), 'verify');
    for (const path of [`/auth/email/verify?token=${token}`, `/auth/email/verify#${token}`]) {
      expect((await request(server, 'GET', path)).status).toBe(405);
    }
    expect(await me(person)).toMatchObject({ email_verified: false });
    expect((await verify(token)).status).toBe(200);
  });

  test('happens by the code of the letter for who is signed in, and for nobody else', async () => {
    const [email, other] = [newAddress('code'), await confirmed('other')];
    const person = await signUpAs(email);
    const code = codeIn(await box.next(email));
    expect(codeOf(await post('/auth/email/verify', { code }))).toEqual([401, 'missing_token']);
    expect(codeOf(await other.call('POST', '/auth/email/verify', { code }))).toEqual(EXPIRED);
    const typed = `${code.slice(0, 3)} ${code.slice(3)} `;
    expect((await person.call('POST', '/auth/email/verify', { code: typed })).status).toBe(200);
    expect(await me(person)).toMatchObject({ email_verified: true });
    expect(codeOf(await person.call('POST', '/auth/email/verify', { code }))).toEqual(EXPIRED);
  });

  test('takes five codes, also where they come at once, and then not the right one either', async () => {
    const email = newAddress('guessed');
    const person = await signUpAs(email);
    const mail = await box.next(email);
    const wrong = codeIn(mail) === '000000' ? '000001' : '000000';
    const guesses = await Promise.all(
      Array.from({ length: 12 }, () => person.call('POST', '/auth/email/verify', { code: wrong })),
    );
    expect(guesses.map(({ status }) => status).sort()).toEqual([...Array(5).fill(400), ...Array(7).fill(410)]);
    const first = guesses.find(({ status }) => status === 400)!;
    expect(first.body.errors).toEqual([{ path: 'code', message: 'This is not the right code' }]);
    expect(codeOf(await person.call('POST', '/auth/email/verify', { code: codeIn(mail) }))).toEqual(EXPIRED);
    expect(await me(person)).toMatchObject({ email_verified: false });
    await eventually('twelve refusals and one', async () => {
      const rows = await auditOf(person.id, 'email.verified');
      return rows.filter(({ outcome }) => outcome === 'refused').length === 13;
    });
    // Guesses do not touch the link, which holds far more than six digits; nor a newer letter.
    expect((await person.call('POST', '/auth/email/verify/resend')).status).toBe(202);
    const code = codeIn(await box.next(email, 2));
    expect((await person.call('POST', '/auth/email/verify', { code })).status).toBe(200);
  });

  test('goes by the newest letter only, and there is none where nothing waits', async () => {
    const email = newAddress('again');
    const person = await signUpAs(email);
    const old = tokenIn(await box.next(email), 'verify');
    expect(await person.call('POST', '/auth/email/verify/resend')).toMatchObject({
      status: 202,
      body: { success: true },
    });
    const token = tokenIn(await box.next(email, 2), 'verify');
    expect(codeOf(await verify(old))).toEqual(EXPIRED);
    expect((await verify(token)).status).toBe(200);
    expect(codeOf(await person.call('POST', '/auth/email/verify/resend'))).toEqual([404, 'not_found']);
  });

  test('ends after 24 hours, and what is over is no good', async () => {
    const email = newAddress('late');
    const person = await signUpAs(email);
    const token = tokenIn(await box.next(email), 'verify');
    const [link] = await runStored<any>(server, 'select * from account_links where user_id = ?', person.id);
    expect(link.expires_at - link.created_at).toBe(24 * 3_600_000);
    await runStored(server, 'update account_links set expires_at = ? where user_id = ?', Date.now() - 1, person.id);
    expect(codeOf(await verify(token))).toEqual(EXPIRED);
  });

  test.each([['x'], ['A'.repeat(43)], [''], ['A'.repeat(200)]])('takes no made-up token: %p', async (token) => {
    expect(codeOf(await verify(token))).toEqual(EXPIRED);
    expect(codeOf(await reset(token))).toEqual(EXPIRED);
  });

  test('a link for one thing is none for another', async () => {
    const email = newAddress('kinds');
    await signUpAs(email);
    expect(codeOf(await reset(tokenIn(await box.next(email), 'verify')))).toEqual(EXPIRED);
    expect(codeOf(await verify(await resetToken(email)))).toEqual(EXPIRED);
  });

  test('no secret of a letter is stored, also not in the queue', async () => {
    const email = newAddress('stored');
    await signUpAs(email);
    const mail = await box.next(email);
    await resetToken(email);
    const tables = ['jobs', 'account_links', 'audit', 'users'];
    const all = JSON.stringify(
      await Promise.all(tables.map((name) => runStored<any>(server, `select * from ${name}`))),
    );
    const secrets = [tokenIn(mail, 'verify'), codeIn(mail), tokenIn(box.to(email)[1]!, 'reset')];
    for (const secret of secrets) expect(all).not.toContain(`"${secret}"`);
    expect(all).not.toContain(secrets[0]!);
    for (const { lines } of server.nodes)
      for (const secret of secrets) expect(JSON.stringify(lines)).not.toContain(secret);
  });
});

describe('whose an address is', () => {
  test('is nobody’s to say before it is shown: two may ask for it, neither is found by it, one gets it', async () => {
    const email = newAddress('claimed');
    const first = await signUpAs(email);
    const firstToken = tokenIn(await box.next(email), 'verify');
    expect((await login({ email })).status).toBe(200); // the only one who names it
    const second = await signUpAs(email);
    const secondToken = tokenIn(await box.next(email, 2), 'verify');
    expect(codeOf(await login({ email }))).toEqual([401, 'invalid_credentials']);

    const reader = await confirmed('reader');
    const found = async () => (await reader.call('GET', `/users?query=${encodeURIComponent(email)}`)).body.users;
    expect(await found()).toEqual([]);
    expect((await reader.call('POST', '/conversations', { participant_email: email })).status).toBe(404);

    expect((await verify(secondToken)).status).toBe(200);
    expect(await found()).toMatchObject([{ id: second.id }]);
    expect(await me(second)).toMatchObject({ email, email_verified: true });
    expect(await first.refusal()).toBe('invalid_token');
    expect(codeOf(await verify(firstToken))).toEqual(EXPIRED);
    expect((await login({ email })).body.user.id).toBe(second.id);
    // The other is still an account, by its own name; the address is not its any more.
    expect((await login({ username: first.user.username })).body.user).toMatchObject({
      email: '',
      email_verified: false,
    });
    expect(await auditOf(first.id, 'email.lost')).toHaveLength(1);
  });

  test('two who show it at once: one has it', async () => {
    for (let round = 0; round < 3; round++) {
      const email = newAddress('race');
      const persons = [await signUpAs(email), await signUpAs(email), await signUpAs(email)];
      await box.next(email, 3);
      const tokens = box.to(email).map((mail) => tokenIn(mail, 'verify'));
      const answers = await Promise.all(tokens.map((token) => verify(token)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 410, 410]);
      const rows = await runStored<any>(
        server,
        'select * from users where email = ? or unverified_email = ?',
        email,
        email,
      );
      expect(rows).toMatchObject([{ email, unverified_email: null, email_proven: 1 }]);
      expect(persons.map(({ id }) => id)).toContain(rows[0].id);
    }
  });

  test('is known for good: who asks for it later is told that it is taken', async () => {
    const { email } = await confirmed('holder');
    expect(codeOf(await post('/auth/register', { email, password }))).toEqual([409, 'email_taken']);
  });

  test('without mail it is the first one’s who gives it, until somebody shows it once there is mail', async () => {
    const email = newAddress('before-mail');
    const plain = await startServer();
    const first = await signUpAs(email, plain);
    expect(codeOf(await post('/auth/register', { email, password }, { at: plain }))).toEqual([409, 'email_taken']);
    expect((await login({ email }, password, plain)).body.user).toMatchObject({ email, email_verified: false });
    for (const path of ['/auth/email/verify/resend', '/auth/password/forgot', '/auth/email']) {
      const answer = await first.call('POST', path, { email, new_email: newAddress('unasked') });
      expect([path, ...codeOf(answer)]).toEqual([path, 503, 'mail_unavailable']);
    }
    expect(codeOf(await forgot('nobody@example.com', plain))).toEqual([503, 'mail_unavailable']);
    expect(await runStored(plain, "select * from jobs where kind = 'forgot-password'")).toEqual([]);
    await plain.stop();

    const dataDir = plain.dataDir;
    const mailed = await startServer({ DATA_DIR: dataDir, ...box.environment() });
    const second = await signUpAs(email, mailed);
    expect((await verify(tokenIn(await box.next(email), 'verify'), mailed)).status).toBe(200);
    expect((await login({ email }, password, mailed)).body.user.id).toBe(second.id);
    expect((await login({ username: first.user.username }, password, mailed)).body.user.email).toBe('');
  });

  test('a number is no log-in name where somebody could be asked whether it is theirs', async () => {
    const [email, phone_number] = [newAddress('phone'), '+442079460321'];
    expect((await post('/auth/register', { email, password, phone_number })).status).toBe(201);
    expect(codeOf(await login({ phone_number }))).toEqual([401, 'invalid_credentials']);
    expect((await login({ email })).status).toBe(200);
    // One from before is.
    await runStored(server, 'update users set phone_signs_in = 1 where phone_number = ?', phone_number);
    expect((await login({ phone_number })).status).toBe(200);
  });

  test('deleted accounts keep none, and accounts without an address are not taken for deleted ones', async () => {
    const email = newAddress('lost');
    const loser = await signUpAs(email);
    const group = await (await confirmed('founder')).group([loser]);
    await signUpAs(email);
    await box.next(email, 2);
    expect((await verify(tokenIn(box.to(email)[1]!, 'verify'))).status).toBe(200);
    const { body } = await login({ username: loser.user.username });
    const back = new Person(server, body.user, body.tokens, password);
    expect((await back.call('GET', `/conversations/${group}`)).status).toBe(200);
    expect((await back.call('DELETE', '/users/me', { password })).status).toBe(200);
  });
});

describe('where addresses have to be confirmed', () => {
  test('a new account may do nothing else, and everything after it', async () => {
    const email = newAddress('strict');
    const person = await signUpAs(email, strict);
    expect(person.user).toMatchObject({ restriction: 'email' });
    expect(codeOf(await person.call('GET', '/conversations'))).toEqual([403, 'email_unverified']);
    expect((await person.call('GET', '/auth/me')).status).toBe(200);
    expect((await person.call('POST', '/auth/email/verify', { code: codeIn(await box.next(email)) })).status).toBe(200);
    await eventually(
      'the restriction is gone',
      async () => (await person.call('GET', '/conversations')).status === 200,
    );
  });

  test('a taken address and a free one get one answer, and its owner hears of it', async () => {
    const owner = await confirmed('owned', strict);
    const free = newAddress('owned');
    const rows = async () =>
      Object.fromEntries(
        await Promise.all(
          ['users', 'sessions', 'account_links', 'audit'].map(async (table) => {
            const [row] = await runStored<{ count: number }>(strict, `select count(*) as count from ${table}`);
            return [table, Number(row!.count)] as const;
          }),
        ),
      );
    const shapes: unknown[] = [];
    for (const email of [owner.email, free]) {
      const before = await rows();
      const { status, body } = await post(
        '/auth/register',
        { email, username: `s${process.pid}-${++people}`, password },
        { at: strict },
      );
      const after = await rows();
      const { id, username, display_name, created_at, email: shown, ...user } = body.user;
      expect(shown).toBe(email);
      shapes.push({ status, user, written: Object.keys(after).map((table) => after[table]! - before[table]!) });
    }
    expect(shapes[0]).toEqual(shapes[1]);
    expect(await box.next(owner.email, 2)).toMatchObject({ subject: 'You have an account already' });
    expect(() => tokenIn(box.to(owner.email)[1]!, 'verify')).toThrow();
    expect(await box.next(free)).toMatchObject({ subject: 'Confirm your address' });
    expect((await login({ email: owner.email }, password, strict)).body.user.id).toBe(owner.id);
  });

  test('an address that was typed wrong can be put right', async () => {
    const [wrong, right] = [newAddress('wrong'), newAddress('right')];
    const person = await signUpAs(wrong, strict);
    const old = tokenIn(await box.next(wrong), 'verify');
    expect((await person.call('POST', '/auth/email', { new_email: right })).status).toBe(202);
    expect(codeOf(await verify(old, strict))).toEqual(EXPIRED);
    expect((await verify(tokenIn(await box.next(right), 'verify'), strict)).status).toBe(200);
    expect(await me(person)).toMatchObject({ email: right, email_verified: true });
  });
});

describe('changing the address', () => {
  test('asks at the new one, keeps the old one until then, and tells it after that', async () => {
    const person = await confirmed('mover');
    const fresh = newAddress('moved');
    expect((await person.call('POST', '/auth/email', { new_email: ` ${fresh.toUpperCase()} ` })).status).toBe(202);
    expect(await me(person)).toMatchObject({ email: person.email, email_verified: true, pending_email: fresh });
    expect(codeOf(await login({ email: fresh }))).toEqual([401, 'invalid_credentials']);
    const lost = await resetToken(person.email);
    expect((await person.call('POST', '/auth/email/verify', { code: codeIn(await box.next(fresh)) })).status).toBe(200);
    const now = await me(person);
    expect(now).toMatchObject({ email: fresh, email_verified: true });
    expect(now.pending_email).toBeUndefined();
    await eventually('the old address is told', async () =>
      box.to(person.email).some(({ subject }) => subject === 'Your account has another address now'),
    );
    expect(codeOf(await login({ email: person.email }))).toEqual([401, 'invalid_credentials']);
    // What was sent to the old address is no longer good.
    expect(codeOf(await reset(lost))).toEqual(EXPIRED);
    expect(await auditOf(person.id, 'email.changed')).toHaveLength(1);
  });

  test('asks that somebody showed who they are a moment ago', async () => {
    const person = await confirmed('stale');
    await runStored(server, 'update sessions set proved_at = ? where user_id = ?', Date.now() - 11 * 60_000, person.id);
    const new_email = newAddress('stale');
    expect(codeOf(await person.call('POST', '/auth/email', { new_email }))).toEqual([403, 'reauthentication_required']);
    expect((await person.call('POST', '/auth/reauthenticate', { password })).status).toBe(200);
    expect((await person.call('POST', '/auth/email', { new_email })).status).toBe(202);
  });

  test('takes no address that is somebody else’s, nor one’s own', async () => {
    const [person, other] = [await confirmed('wants'), await confirmed('has')];
    expect(codeOf(await person.call('POST', '/auth/email', { new_email: other.email }))).toEqual([409, 'email_taken']);
    expect(codeOf(await person.call('POST', '/auth/email', { new_email: person.email }))).toEqual([
      400,
      'validation_failed',
    ]);
    expect(codeOf(await post('/auth/email', { new_email: newAddress('x') }))).toEqual([401, 'missing_token']);
  });

  test.each([
    ['ada@example.com\r\nBcc: eve@example.com'],
    ['ada@example.com, eve@example.com'],
    ['Ada <eve@example.com>'],
    ['ada@example.com\n'.repeat(2)],
  ])('takes no address that is more than one: %j', async (address) => {
    const person = await confirmed('injects');
    const came = box.mails.length;
    expect(codeOf(await person.call('POST', '/auth/email', { new_email: address }))).toEqual([
      400,
      'validation_failed',
    ]);
    expect(codeOf(await forgot(address))).toEqual([400, 'validation_failed']);
    expect(codeOf(await post('/auth/register', { email: address, password }))).toEqual([400, 'validation_failed']);
    expect(box.mails.length).toBe(came);
  });

  test('a name with line breaks and markup changes no letter', async () => {
    const email = newAddress('markup');
    const display_name = 'Eve<img src=x>\r\nBcc: eve@example.com';
    const { status } = await post('/auth/register', { email, password, display_name });
    if (status === 201) {
      const mail = await box.next(email);
      expect(mail.recipients).toEqual([email]);
      expect(mail.bcc ?? []).toEqual([]);
      expect(mail.html).not.toContain('<img');
    } else expect(status).toBe(400);
  });
});

describe('a lost password', () => {
  test('is replaced by a link: signed in, all other sessions and links over, and a letter says so', async () => {
    const person = await confirmed('lost');
    const token = await resetToken(person.email);
    const change = newAddress('pending');
    await person.call('POST', '/auth/email', { new_email: change });
    const pending = tokenIn(await box.next(change), 'verify');

    const { status, body } = await reset(token);
    expect(status).toBe(200);
    expect(body.user).toMatchObject({ id: person.id, email: person.email, email_verified: true });
    expect((await request(server, 'GET', '/auth/me', { token: body.tokens.access_token })).status).toBe(200);
    expect(await person.refusal()).toBe('invalid_token');
    expect(codeOf(await login({ email: person.email }))).toEqual([401, 'invalid_credentials']);
    expect((await login({ email: person.email }, next)).status).toBe(200);
    expect(codeOf(await verify(pending))).toEqual(EXPIRED);
    expect(body.user.pending_email).toBeUndefined();
    expect(codeOf(await reset(token, 'a third one, perhaps'))).toEqual(EXPIRED);
    await eventually('the letter that says so', async () =>
      box.to(person.email).some(({ subject }) => subject === 'Your password was changed'),
    );
    await eventually('the link that was used twice is written down', async () => {
      const rows = await auditOf(person.id, 'password.reset');
      return (
        rows
          .map(({ outcome }) => outcome)
          .sort()
          .join() === 'done,refused'
      );
    });
    expect(await auditOf(person.id, 'password.forgot')).toMatchObject([{ outcome: 'done' }]);
  });

  test('does not pass the second factor, and is another all the same', async () => {
    const person = await confirmed('factor');
    await runStored(server, 'update users set has_factor = 1 where id = ?', person.id);
    const answer = await reset(await resetToken(person.email));
    expect(answer).toMatchObject({ status: 401, body: { code: 'mfa_required', ticket: expect.any(String) } });
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(codeOf(await login({ email: person.email }))).toEqual([401, 'invalid_credentials']);
    expect(codeOf(await login({ email: person.email }, next))).toEqual([401, 'mfa_required']);
    const open = await runStored(server, 'select * from sessions where user_id = ? and ended_at is null', person.id);
    expect(open).toEqual([]);
  });

  test('a link is dead after a newer one, after a change of the password, and after an hour', async () => {
    const person = await confirmed('dead');
    const old = await resetToken(person.email);
    const newer = await resetToken(person.email);
    expect(codeOf(await reset(old))).toEqual(EXPIRED);
    const change = { current_password: password, new_password: next };
    expect((await person.call('POST', '/auth/password', change)).status).toBe(200);
    expect(codeOf(await reset(newer))).toEqual(EXPIRED);
    await eventually('a letter says that the password was changed', async () =>
      box.to(person.email).some(({ subject }) => subject === 'Your password was changed'),
    );
    const late = await resetToken(person.email);
    const [link] = await runStored<any>(
      server,
      'select * from account_links where user_id = ? and used_at is null',
      person.id,
    );
    expect(link.expires_at - link.created_at).toBe(3_600_000);
    await runStored(server, 'update account_links set expires_at = ? where user_id = ?', Date.now() - 1, person.id);
    expect(codeOf(await reset(late))).toEqual(EXPIRED);
  });

  test('a link that is used many times at once is used once', async () => {
    const person = await confirmed('twice');
    const token = await resetToken(person.email);
    const passwords = Array.from({ length: 6 }, (_, index) => `${next} ${index}`);
    const answers = await Promise.all(passwords.map((one) => reset(token, one)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 410, 410, 410, 410, 410]);
    const winner = passwords[answers.findIndex(({ status }) => status === 200)]!;
    expect((await login({ email: person.email }, winner)).status).toBe(200);
    const open = await runStored(server, 'select * from sessions where user_id = ? and ended_at is null', person.id);
    expect(open).toHaveLength(2);
  });

  test('links that are asked for at once: the newest is good, and it alone', async () => {
    const person = await confirmed('many');
    await Promise.all(Array.from({ length: 4 }, () => forgot(person.email)));
    await box.next(person.email, 5);
    const live = await runStored<any>(
      server,
      "select * from account_links where user_id = ? and purpose = 'reset' and used_at is null",
      person.id,
    );
    expect(live).toHaveLength(1);
    const tokens = box
      .to(person.email)
      .slice(1)
      .map((mail) => tokenIn(mail, 'reset'));
    const statuses: number[] = [];
    for (const token of tokens) statuses.push((await reset(token)).status);
    expect(statuses.sort()).toEqual([200, 410, 410, 410]);
  });

  test('a job that comes again after a crash makes no second link and no second letter', async () => {
    const person = await confirmed('crashed');
    const token = await resetToken(person.email);
    const came = box.to(person.email).length;
    const link = "select * from account_links where user_id = ? and purpose = 'reset'";
    const [{ id }] = (await runStored<any>(server, link, person.id)) as [any];
    const payload = JSON.stringify({ email: person.email, language: 'en', whence: {} });
    const job = 'insert into jobs (id, kind, payload, priority, due_at, created_at) values (?, ?, ?, 0, 0, 0)';
    await runStored(server, job, id, 'forgot-password', payload);
    const jobs = () => runStored(server, 'select * from jobs where id = ?', id);
    await eventually('the job is done', async () => (await jobs()).length === 0);
    await resetToken((await confirmed('later')).email); // whose letter would come after a second one
    expect(box.to(person.email).length).toBe(came);
    expect(await runStored(server, link, person.id)).toHaveLength(1);
    expect((await reset(token)).status).toBe(200);
  });

  test('a weak password, or none, uses no link up', async () => {
    const person = await confirmed('short');
    const token = await resetToken(person.email);
    expect(codeOf(await reset(token, 'short'))).toEqual([400, 'validation_failed']);
    expect((await reset(token)).status).toBe(200);
  });

  test('of an unconfirmed account: whoever reads its mail has it, and who made it has nothing left', async () => {
    const email = newAddress('hijacked');
    const squatter = await signUpAs(email);
    const rival = await signUpAs(newAddress('rival'));
    await runStored(server, 'update users set has_factor = 1 where id = ?', squatter.id);
    await runStored(
      server,
      "insert into totp (user_id, secret, confirmed_at, last_step) values (?, 'x', 1, 0)",
      squatter.id,
    );
    const verifyToken = tokenIn(await box.next(email), 'verify');
    const token = await resetToken(email);
    await rival.call('POST', '/auth/email', { new_email: email });
    const { status, body } = await reset(token);
    expect(status).toBe(200);
    expect(body.user).toMatchObject({ id: squatter.id, email, email_verified: true, has_second_factor: false });
    expect(await squatter.refusal()).toBe('invalid_token');
    expect(codeOf(await verify(verifyToken))).toEqual(EXPIRED);
    expect(await runStored(server, 'select * from totp where user_id = ?', squatter.id)).toEqual([]);
    expect(codeOf(await login({ username: squatter.user.username }))).toEqual([401, 'invalid_credentials']);
    expect(await runStored(server, 'select * from users where unverified_email = ?', email)).toEqual([]);
  });

  test('closed and deleted accounts get no letter', async () => {
    const person = await confirmed('gone');
    expect((await person.call('DELETE', '/users/me', { password })).status).toBe(200);
    const came = box.to(person.email).length;
    expect((await forgot(person.email)).status).toBe(202);
    const seen = await confirmed('after');
    await resetToken(seen.email);
    expect(box.to(person.email).length).toBe(came);
  });

  test('by cookie it signs the browser in, and the tokens are in no body', async () => {
    const person = await confirmed('cookie');
    const answer = await request(server, 'POST', '/auth/password/reset', {
      body: { token: await resetToken(person.email), new_password: next },
      headers: { 'x-auth-mode': 'cookie' },
    });
    expect(Object.keys(answer.body)).toEqual(['user']);
    expect(answer.headers.get('set-cookie')).toContain('HttpOnly');
  });

  test('asking for one is the same work and the same answer for known and unknown addresses', async () => {
    // Nobody works on the queue here, so that all that a request writes is there to be looked at.
    const idle = await startServer({ ...box.environment(), ROLES: 'api,realtime' });
    const known = newAddress('known');
    await signUpAs(known, idle);
    const unknown = known.replace('known', 'other');
    const tables = ['users', 'sessions', 'account_links', 'mfa_tickets', 'audit', 'outbox', 'jobs'];
    const count = async () =>
      Promise.all(
        tables.map(async (table) => {
          const [row] = await runStored<{ count: number }>(idle, `select count(*) as count from ${table}`);
          return Number(row!.count);
        }),
      );
    const seen: unknown[] = [];
    for (const email of [known, unknown]) {
      const before = await count();
      const { status, body } = await forgot(email, idle);
      const after = await count();
      seen.push({ status, body, written: after.map((rows, index) => rows - before[index]!) });
    }
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]).toMatchObject({ status: 202, written: [0, 0, 0, 0, 0, 0, 1] });
    const jobs = await runStored<any>(idle, "select * from jobs where kind = 'forgot-password'");
    const shape = ({ id, payload, created_at, due_at, ...job }: any) => {
      const { email, whence, ...rest } = JSON.parse(payload);
      return { ...job, ...rest, whence: Object.keys(whence), length: payload.length };
    };
    expect(shape(jobs[0])).toEqual(shape(jobs[1]));
  });
});

describe('a mail server that', () => {
  const attemptsOf = (email: string) => box.to(email).filter(({ subject }) => subject === 'Choose a new password');

  test.each([
    ['is full', { code: 452, text: 'full' } as const],
    ['takes a letter and dies before it says so', 'hang up' as const],
  ])('%s gets the same letter again, and no other', async (_, verdict) => {
    const person = await confirmed('mailed');
    let failures = 2;
    box.answer = (mail) => (mail.recipients.includes(person.email) && failures-- > 0 ? verdict : undefined);
    try {
      expect((await forgot(person.email)).status).toBe(202);
      await eventually('three tries', async () => attemptsOf(person.email).length === 3);
    } finally {
      box.answer = () => undefined;
    }
    const tries = attemptsOf(person.email);
    expect(new Set(tries.map(({ messageId }) => messageId)).size).toBe(1);
    expect(new Set(tries.map((mail) => tokenIn(mail, 'reset'))).size).toBe(1);
    expect((await reset(tokenIn(tries[2]!, 'reset'))).status).toBe(200);
  });

  test('is slow holds nobody up', async () => {
    const person = await confirmed('slow');
    const taken = Promise.withResolvers<void>();
    box.answer = async () => {
      await taken.promise;
      return undefined;
    };
    try {
      expect((await forgot(person.email)).status).toBe(202);
      await eventually('the letter is under way', async () => attemptsOf(person.email).length === 1);
      expect((await login({ email: person.email })).status).toBe(200);
      expect((await reset(tokenIn(attemptsOf(person.email)[0]!, 'reset'))).status).toBe(200);
    } finally {
      taken.resolve();
      box.answer = () => undefined;
    }
  });
});

describe('limits', () => {
  test('asking for letters is limited, by account and by address', async () => {
    const limited = await startServer({
      ...box.environment(),
      RATE_LIMITS: 'on',
      LIMIT_FORGOT_ACCOUNT: '2/1h',
      LIMIT_FORGOT: '5/1h',
      LIMIT_EMAIL_LETTERS: '2/1h',
      LIMIT_LINKS: '3/1h',
    });
    const email = newAddress('limited');
    const person = await signUpAs(email, limited);
    const statuses = async (call: () => Promise<{ status: number }>, times: number) => {
      const found: number[] = [];
      for (let time = 0; time < times; time++) found.push((await call()).status);
      return found;
    };
    for (const one of [email, newAddress('nobody')])
      expect(await statuses(() => forgot(one, limited), 3)).toEqual([202, 202, 429].slice(0, 3));
    expect((await forgot(newAddress('third'), limited)).status).toBe(429);
    expect(await statuses(() => person.call('POST', '/auth/email/verify/resend'), 3)).toEqual([202, 202, 429]);
    expect(await statuses(() => verify('x', limited), 4)).toEqual([410, 410, 410, 429]);
  });
});

describe('by hand', () => {
  const admin = (at: TestServer, ...args: string[]) =>
    runParley(['admin', ...args], { DATA_DIR: at.dataDir, PUBLIC_URL: 'https://chat.example.com' });
  const linkIn = (stdout: string, page: string) =>
    new RegExp(`https://chat\\.example\\.com/${page}#(\\S{43})`).exec(stdout)![1]!;

  test('an operator makes links, and takes addresses away', async () => {
    const plain = await startServer();
    const email = newAddress('by-hand');
    const person = await signUpAs(email, plain);
    const { username } = person.user;
    const made = await admin(plain, 'verify-link', username);
    expect([made.code, made.stdout.split('\n')[0]]).toEqual([
      0,
      `${username} confirms ${email} here, once, within 24 hours:`,
    ]);
    expect((await verify(linkIn(made.stdout, 'verify'), plain)).status).toBe(200);
    expect(await me(person)).toMatchObject({ email_verified: true });
    expect(await admin(plain, 'verify-link', username)).toMatchObject({ code: 1 });

    const link = linkIn((await admin(plain, 'reset-link', email)).stdout, 'reset');
    expect((await reset(link, next, plain)).status).toBe(200);
    expect(codeOf(await reset(link, next, plain))).toEqual(EXPIRED);
    expect((await login({ username }, next, plain)).status).toBe(200);

    expect(await admin(plain, 'release-address', email.toUpperCase())).toMatchObject({
      code: 0,
      stdout: `${username} no longer has ${email}\n`,
    });
    expect((await login({ email }, next, plain)).status).toBe(401);
    expect((await login({ username }, next, plain)).body.user).toMatchObject({ email: '', email_verified: false });
    expect((await signUpAs(email, plain)).user.email).toBe(email);
    expect(await admin(plain, 'release-address', newAddress('nobody'))).toMatchObject({ code: 1 });
    expect(await admin(plain, 'release-address', 'nothing')).toMatchObject({ code: 2 });
    expect(await admin(plain, 'reset-link', 'nobody')).toMatchObject({ code: 1 });
    expect(await auditOf(person.id, 'link.made', plain)).toHaveLength(2);
  });

  test('a link for a password that an operator made confirms no address', async () => {
    const plain = await startServer();
    const person = await signUpAs(newAddress('unproven'), plain);
    const token = linkIn((await admin(plain, 'reset-link', person.id)).stdout, 'reset');
    expect((await reset(token, next, plain)).body.user).toMatchObject({ email_verified: false });
  });
});

if (!onCluster) {
  // Three nodes have three terminals.
  test('on one’s own machine, without mail, links are shown beside the log of who started it', async () => {
    const local = await startServer({ ENV: 'local' });
    const email = newAddress('local');
    await signUpAs(email, local);
    expect(codeOf(await forgot(email, local))).toEqual([503, 'mail_unavailable']);
    const token = await eventually('the link', async () => /\/reset#(\S{43})/.exec(local.errors)?.[1]);
    expect((await reset(token, next, local)).status).toBe(200);
    expect(JSON.stringify(local.lines)).not.toContain(token);
  });
}
