import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type ClientOptions, MemoryStorage, type ParleyClient, ParleyError } from '../../sdk/index.ts';
import { CookieJar, client, endClients, online, until, Wire } from '../../sdk/test-support.ts';
import { Authenticator, type Enrolled, enrol } from '../support/authenticator.ts';
import { passBetweenNodes } from '../support/between-nodes.ts';
import { eventually } from '../support/eventually.ts';
import { codeIn, tokenIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { type Person, signUp } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

/** `client.account`: all that somebody does with an account, by the SDK, against a real server. */

setDefaultTimeout(120_000);

let box: Mailbox;
let server: TestServer;

beforeAll(async () => {
  box = await Mailbox.open();
  server = await startServer(box.environment());
});
afterEach(endClients);
afterAll(async () => {
  await endServers();
  await box.close();
});

const credentialsOf = ({ user, password }: Person) => ({ username: user.username, password });

/** A client that keeps tokens, or one like a browser's, that keeps cookies; each `again` is as after a reload. */
function device(kind: 'token' | 'cookie', of: TestServer = server) {
  const storage = new MemoryStorage();
  const jar = new CookieJar();
  const wire = new Wire(kind === 'cookie' ? () => ({ cookie: jar.header }) : undefined);
  const requests: string[] = [];
  const go = kind === 'cookie' ? jar.fetch : (url: string, init: RequestInit) => fetch(url, init);
  const options: ClientOptions = {
    auth: kind,
    storage,
    WebSocket: wire.WebSocket,
    fetch: (url, init) => {
      requests.push(`${init.method} ${new URL(url).pathname.replace('/api/v1', '')}`);
      return go(url, init);
    },
  };
  return { storage, wire, requests, again: () => client(of, options) };
}

/** Why a client's session is over. */
function ending(one: ParleyClient): Promise<string> {
  return new Promise((resolve) => void one.on('signed_out', ({ reason }) => resolve(reason)));
}

/** The error that something fails with. */
async function failureOf(work: Promise<unknown>): Promise<ParleyError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (failure) => failure,
  );
  expect(error).toBeInstanceOf(ParleyError);
  return error as ParleyError;
}

/** As if it were long ago that it was shown who uses the person's sessions. */
async function forgetProofs({ id }: { id: string }): Promise<void> {
  await runStored(server, 'update sessions set proved_at = 0 where user_id = ?', id);
}

/** The newest letter to an address that has a code in it, and a link. */
async function letterTo(email: string, count = 1): Promise<{ code: string; token: string }> {
  const mail = await box.next(email, count);
  return { code: codeIn(mail), token: tokenIn(mail, 'verify') };
}

describe.each(['token', 'cookie'] as const)('the second factor, with the %s', (kind) => {
  let person: Person;
  let enrolled: Enrolled;
  beforeAll(async () => {
    person = await signUp(server);
    enrolled = await enrol(person);
  });

  test('is asked for at the log-in, and a code of the app goes on to all that there is', async () => {
    const id = await person.group([], 'Household');
    const { again, requests, storage } = device(kind);
    const one = again();
    const failure = await failureOf(one.account.login(credentialsOf(person)));
    expect(failure).toMatchObject({ code: 'mfa_required', action: 'prove', status: 401 });
    expect(failure.challenge!.methods).toEqual(['totp', 'recovery']);
    expect(failure.challenge!.expires_at).toBeWithin(Date.now() + 9 * 60_000, Date.now() + 10 * 60_000 + 1);
    expect(one.account.challenge.get()).toEqual(failure.challenge);
    expect([one.user, one.state.get()]).toEqual([undefined, 'signed_out']);
    expect(await storage.get('session')).toBeUndefined();

    const wrong = await failureOf(one.account.enterCode({ method: 'totp', code: enrolled.app.wrong() }));
    expect(wrong).toMatchObject({ code: 'mfa_failed', action: 'fix' });
    expect(one.account.challenge.get()).toEqual(failure.challenge);
    const user = await one.account.enterCode({ method: 'totp', code: await enrolled.app.next() });
    expect(user).toMatchObject({ id: person.id, has_second_factor: true });
    expect(one.account.challenge.get()).toBeUndefined();
    // A wrong code says nothing of a session: nothing was refreshed for it.
    expect(requests).toEqual(['POST /auth/login', 'POST /auth/mfa', 'POST /auth/mfa']);
    await one.connect();
    expect(one.store.conversation(id).get()?.title).toBe('Household');
    await one.disconnect();
    expect(await again().account.resume()).toMatchObject({ id: person.id });
  });

  test('is shown by a recovery code, too, which is good once', async () => {
    const one = device(kind).again();
    const code = enrolled.codes.pop()!.toLowerCase().replaceAll('-', ' ');
    await failureOf(one.account.login(credentialsOf(person)));
    await one.account.enterCode({ method: 'recovery', code });
    expect(await one.account.recoveryCodesLeft()).toBe(enrolled.codes.length);
    const other = device(kind).again();
    await failureOf(other.account.login(credentialsOf(person)));
    expect(await failureOf(other.account.enterCode({ method: 'recovery', code }))).toMatchObject({
      code: 'mfa_failed',
    });
  });

  test('is asked for by a log-in anew once five codes were wrong, and not where one has gone back', async () => {
    const one = device(kind).again();
    await failureOf(one.account.login(credentialsOf(person)));
    const wrong = () => failureOf(one.account.enterCode({ method: 'totp', code: enrolled.app.wrong() }));
    for (let count = 0; count < 5; count++) expect((await wrong()).code).toBe('mfa_failed');
    expect(one.account.challenge.get()).toBeDefined();
    expect(await wrong()).toMatchObject({ code: 'link_expired', action: 'give_up' });
    expect(one.account.challenge.get()).toBeUndefined();
    expect((await wrong()).code).toBe('link_expired');
    await failureOf(one.account.login(credentialsOf(person)));
    one.account.dropChallenge();
    expect(one.account.challenge.get()).toBeUndefined();
  });

  test('is asked for in sessions that began before there was one; the same session goes on', async () => {
    const owner = await signUp(server);
    const id = await owner.group([], 'Household');
    const { again, storage, wire } = device(kind);
    const phone = again();
    await phone.account.login(credentialsOf(owner));
    await phone.connect();
    const [{ id: session } = { id: '' }] = (await phone.account.sessions()).filter((one) => one.is_current);
    wire.down();
    await phone.messages.send(id, 'written under way').saved;
    const over = ending(phone);
    const { app } = await enrol(owner);
    wire.up();
    expect(await over).toBe('mfa_required');
    expect(phone.state.get()).toBe('signed_out');
    // Whoever has the device shows the factor first: what came from the server is gone, what waits is not.
    const left = async () => (await storage.list('user/')).map(([key]) => key.split('/')[2]);
    await eventually('it is wiped', async () => (await left()).join() === 'outbox');

    let asked = phone;
    if (kind === 'cookie') {
      // As after a reload: the cookies are all that there is.
      await phone.disconnect();
      asked = again();
      expect(await asked.account.resume()).toBeUndefined();
    }
    expect(asked.account.challenge.get()?.methods).toEqual(['totp', 'recovery']);
    await asked.account.enterCode({ method: 'totp', code: await app.next() });
    await asked.connect();
    expect((await asked.account.sessions()).find((one) => one.is_current)?.id).toBe(session);
    await eventually('the message', async () => (await owner.history(id)).at(-1)?.content === 'written under way');
  });

  test('of somebody else leaves whoever is signed in where they are, until it is shown', async () => {
    const other = await signUp(server);
    const one = device(kind).again();
    await one.account.login(credentialsOf(other));
    await one.connect();
    expect((await failureOf(one.account.login({ ...credentialsOf(person), password: 'wrong horse' }))).code).toBe(
      'invalid_credentials',
    );
    expect((await failureOf(one.account.login(credentialsOf(person)))).code).toBe('mfa_required');
    expect(one.user?.id).toBe(other.id);
    await until('they go on', one.state, (state) => state === 'online');
    await one.account.enterCode({ method: 'recovery', code: enrolled.codes.pop()! });
    expect(one.user?.id).toBe(person.id);
    await eventually('the session of before has ended', async () => {
      const sessions = (await other.call('GET', '/auth/sessions')).body.sessions;
      return sessions.length === 1;
    });
  });

  test('is asked for after a reset of the password, which is changed all the same', async () => {
    const owner = await signUp(server);
    const { email } = owner.user;
    await client(server).account.verifyEmail({ token: (await letterTo(email)).token });
    const { app } = await enrol(owner);
    const one = device(kind).again();
    const letters = box.to(email).length;
    await one.account.forgotPassword(email);
    const reset = () =>
      box
        .to(email)
        .slice(letters)
        .find(({ text }) => text?.includes('/reset#'));
    const token = tokenIn(await eventually('the letter', async () => reset()), 'reset');
    const new_password = 'quite another horse';
    expect(await failureOf(one.account.resetPassword({ token, new_password }))).toMatchObject({ code: 'mfa_required' });
    await one.account.enterCode({ method: 'totp', code: await app.next() });
    expect(one.user?.id).toBe(owner.id);
    const other = device(kind).again();
    const again = await failureOf(other.account.login({ username: owner.user.username, password: new_password }));
    expect(again.code).toBe('mfa_required');
  });
});

describe('setting up an authenticator app', () => {
  test('shows a secret, takes a code of it, gives recovery codes, makes new ones, and removes all of it', async () => {
    const person = await signUp(server);
    const one = await online(person);
    const hers = await online(person);
    const { secret, uri, qr } = await one.account.beginTotp();
    expect([uri, qr]).toEqual([expect.stringContaining(secret), expect.stringContaining('<svg')]);
    const app = new Authenticator(secret);
    expect(await failureOf(one.account.confirmTotp(app.wrong()))).toMatchObject({ code: 'mfa_failed', action: 'fix' });
    expect(one.account.user.get()?.has_second_factor).toBe(false);
    const over = ending(hers);
    const codes = await one.account.confirmTotp(await app.next());
    expect(new Set(codes).size).toBe(10);
    expect(one.account.user.get()?.has_second_factor).toBe(true);
    expect(await over).toBe('mfa_required');
    expect(await one.account.recoveryCodesLeft()).toBe(10);
    const next = await one.account.renewRecoveryCodes();
    expect(next.filter((code) => codes.includes(code))).toEqual([]);
    await one.account.removeTotp();
    expect(one.account.user.get()?.has_second_factor).toBe(false);
    expect(await failureOf(one.account.removeTotp())).toMatchObject({ code: 'not_found' });
    expect(one.state.get()).toBe('online');
  });
});

describe('sessions', () => {
  test('are listed; a device that is signed out from another one keeps nothing of its user, in no tab', async () => {
    const [person, friend] = [await signUp(server), await signUp(server)];
    const id = await friend.group([person], 'Household');
    await friend.send(id, 'the key is under the mat');
    const one = await online(person);
    const { storage, wire, again } = device('token');
    const phone = again();
    await phone.account.login(credentialsOf(person));
    await phone.connect();
    const tab = again();
    await tab.account.resume();
    await tab.connect();
    const sessions = await one.account.sessions();
    // The one of the sign-up, too.
    expect(sessions.map(({ is_current }) => is_current).sort()).toEqual([false, false, true]);
    const [theirs] = (await phone.account.sessions()).filter(({ is_current }) => is_current);
    expect(sessions.map((session) => session.id)).toContain(theirs!.id);

    wire.down();
    await phone.messages.send(id, 'half a thought').saved;
    expect(JSON.stringify(await storage.list('user/'))).toContain('half a thought');
    const over = [ending(phone), ending(tab)];
    await one.account.endSession(theirs!.id);
    await passBetweenNodes(server);
    wire.up();
    expect(await Promise.all(over)).toEqual(['session_revoked', 'session_revoked']);
    for (const each of [phone, tab]) {
      expect([each.user, each.state.get(), each.store.conversations.get()]).toEqual([undefined, 'signed_out', []]);
    }
    // What was to be sent is gone, too: whoever has the device now is to find nothing.
    await eventually('all of it is gone', async () => {
      return (await storage.list('')).map(([key]) => key).join() === 'device';
    });
    expect(await failureOf(one.account.endSession(theirs!.id))).toMatchObject({ code: 'not_found' });
    expect(one.state.get()).toBe('online');
  });

  test('end all at once, but for one’s own', async () => {
    const person = await signUp(server);
    const [one, two] = [await online(person), await online(person)];
    const over = ending(two);
    expect(await one.account.endOtherSessions()).toBe(2);
    expect(await over).toBe('session_revoked');
    expect((await one.account.sessions()).length).toBe(1);
    expect(one.state.get()).toBe('online');
  });
});

describe('what is dangerous', () => {
  test('is refused until it is shown once more who this is, by the password or a code; a wrong one costs one try', async () => {
    const person = await signUp(server);
    const { again, requests } = device('token');
    const one = again();
    await one.account.login(credentialsOf(person));
    await one.connect();
    const username = `renamed-${person.user.username}`;
    await forgetProofs(person);
    for (const refused of [
      () => one.account.endOtherSessions(),
      () => one.account.updateProfile({ username }),
      () => one.account.changeEmail(`${username}@example.com`),
      () => one.account.beginTotp(),
    ]) {
      expect(await failureOf(refused())).toMatchObject({ code: 'reauthentication_required', action: 'prove' });
    }
    requests.length = 0;
    const wrong = await failureOf(one.account.reauthenticate({ password: 'wrong horse battery' }));
    expect(wrong).toMatchObject({ code: 'invalid_credentials', action: 'fix' });
    expect(requests).toEqual(['POST /auth/reauthenticate']);
    await one.account.reauthenticate({ password: person.password });
    await one.account.updateProfile({ username });
    expect([one.user?.username, one.account.user.get()?.username]).toEqual([username, username]);

    const app = new Authenticator((await one.account.beginTotp()).secret);
    await one.account.confirmTotp(await app.next());
    await forgetProofs(person);
    requests.length = 0;
    expect(await failureOf(one.account.reauthenticate({ code: app.wrong() }))).toMatchObject({ code: 'mfa_failed' });
    expect(requests).toEqual(['POST /auth/reauthenticate']);
    expect((await failureOf(one.account.removeTotp())).code).toBe('reauthentication_required');
    await one.account.reauthenticate({ code: await app.next() });
    await one.account.removeTotp();
  });
});

describe('the address', () => {
  test('is confirmed by a code, resent, and changed; other tabs hear of it', async () => {
    const person = await signUp(server);
    const { email } = person.user;
    const { again } = device('token');
    const one = again();
    await one.account.login(credentialsOf(person));
    await one.connect();
    const tab = again();
    await tab.account.resume();
    expect(one.account.user.get()).toMatchObject({ email, email_verified: false });
    const first = await letterTo(email);
    await one.account.resendVerification();
    const { code } = await letterTo(email, 2);
    // A letter that was followed by a newer one, and a code that nobody wrote.
    expect(await failureOf(one.account.verifyEmail({ token: first.token }))).toMatchObject({ code: 'link_expired' });
    const wrong = await failureOf(one.account.verifyEmail({ code: code === '000000' ? '000001' : '000000' }));
    expect([wrong.code, wrong.errors[0]?.path]).toEqual(['validation_failed', 'code']);
    await one.account.verifyEmail({ code });
    expect(one.account.user.get()).toMatchObject({ email, email_verified: true });
    await until('the other tab knows', tab.account.user, (user) => user?.email_verified === true);
    expect(await failureOf(one.account.resendVerification())).toMatchObject({ code: 'not_found' });

    const next = `next-${email}`;
    await one.account.changeEmail(next);
    expect(one.account.user.get()).toMatchObject({ email, pending_email: next });
    // By the link, wherever it is opened: this client asks, and knows.
    await client(server).account.verifyEmail({ token: (await letterTo(next)).token });
    await passBetweenNodes(server);
    expect(await one.account.refresh()).toMatchObject({ email: next, email_verified: true });
    await until('the other tab knows', tab.account.user, (user) => user?.email === next);
    expect(await again().account.resume()).toMatchObject({ email: next });
  });
});

describe('the password', () => {
  test('is changed with the one before; every other session ends', async () => {
    const person = await signUp(server);
    const [one, two] = [await online(person), await online(person)];
    const over = ending(two);
    const next = { current_password: person.password, new_password: 'quite another horse' };
    const wrong = await failureOf(one.account.changePassword({ ...next, current_password: 'wrong horse battery' }));
    expect(wrong).toMatchObject({ code: 'invalid_credentials', action: 'fix' });
    await one.account.changePassword(next);
    expect(await over).toBe('invalid_token');
    expect(one.state.get()).toBe('online');
    const { username } = person.user;
    await device('token').again().account.login({ username, password: next.new_password });
  });
});

describe('what has to be done first', () => {
  /** A client that has connected as far as it may, and what its connection failed with. */
  async function held(of: TestServer, person: Person) {
    const { again, requests } = device('token', of);
    const one = again();
    await one.account.login(credentialsOf(person));
    const refused = await failureOf(one.connect());
    expect(one.state.get()).toBe('restricted');
    return { one, refused, requests };
  }

  test('a second factor: nothing else is tried until there is one, and then all of it comes', async () => {
    const own = await startServer({ REQUIRE_MFA: 'all' });
    const person = await signUp(own);
    const { one, refused, requests } = await held(own, person);
    expect(refused).toMatchObject({ code: 'enrolment_required', action: 'complete' });
    expect(one.account.user.get()?.restriction).toBe('factor');
    expect(await failureOf(one.api.conversations())).toMatchObject({ code: 'enrolment_required', action: 'complete' });
    expect(requests).toEqual(['POST /auth/login', 'GET /conversations']);
    const app = new Authenticator((await one.account.beginTotp()).secret);
    expect(await one.account.confirmTotp(await app.next())).toHaveLength(10);
    expect(one.account.user.get()?.restriction).toBeUndefined();
    await until('it connects', one.state, (state) => state === 'online');
    await own.stop();
  });

  test('the address: by its code or the link', async () => {
    const own = await startServer({ ...box.environment(), REQUIRE_VERIFIED_EMAIL: 'true' });
    const person = await signUp(own);
    const { one, refused } = await held(own, person);
    expect(refused.code).toBe('email_unverified');
    await one.account.verifyEmail({ code: (await letterTo(person.user.email)).code });
    await until('it connects', one.state, (state) => state === 'online');
    await own.stop();
  });

  test('a password that somebody else made is changed', async () => {
    const person = await signUp(server);
    const password = 'chosen horse battery';
    const reset = ['admin', 'reset-password', person.id, '--password', password];
    expect((await runParley(reset, { DATA_DIR: server.dataDir })).code).toBe(0);
    await person.refusal();
    const { user } = person;
    const { one, refused } = await held(server, { user, password } as Person);
    expect(refused.code).toBe('password_change_required');
    await one.account.changePassword({ current_password: password, new_password: 'quite another horse' });
    await until('it connects', one.state, (state) => state === 'online');
  });

  test('who has to do something from now on is told so while connected, and not signed out', async () => {
    const own = await startServer({ REQUIRE_MFA: 'admins' });
    const person = await signUp(own);
    const id = await person.group([], 'Household');
    const one = await online(person);
    expect((await runParley(['admin', 'set-role', person.id, 'admin'], { DATA_DIR: own.dataDir })).code).toBe(0);
    await until('it is held up', one.state, (state) => state === 'restricted');
    expect(one.account.user.get()).toMatchObject({ restriction: 'factor', role: 'admin' });
    // What is on the device is theirs; what they write waits.
    expect(one.store.conversation(id).get()?.title).toBe('Household');
    const { acked } = one.messages.send(id, 'in a moment');
    const app = new Authenticator((await one.account.beginTotp()).secret);
    await one.account.confirmTotp(await app.next());
    await acked;
    await own.stop();
  });

  test('and who disconnects meanwhile is left in peace', async () => {
    const own = await startServer({ REQUIRE_MFA: 'all' });
    const { one } = await held(own, await signUp(own));
    await one.disconnect();
    const app = new Authenticator((await one.account.beginTotp()).secret);
    await one.account.confirmTotp(await app.next());
    await one.account.refresh();
    expect(one.state.get()).not.toBeOneOf(['connecting', 'syncing', 'online']);
    await own.stop();
  });
});

describe('deleting the account', () => {
  test('asks for the password, and leaves nothing of the user, in no tab', async () => {
    const person = await signUp(server);
    const id = await person.group([], 'Household');
    const { storage, again } = device('token');
    const one = again();
    await one.account.login(credentialsOf(person));
    await one.connect();
    await one.conversations.open(id);
    const tab = again();
    await tab.account.resume();
    await tab.connect();
    expect(await failureOf(one.account.delete('wrong horse battery'))).toMatchObject({ code: 'invalid_credentials' });
    expect(one.state.get()).toBe('online');
    const over = [ending(one), ending(tab)];
    await one.account.delete(person.password);
    expect((await Promise.all(over))[0]).toBe('logout');
    await eventually('all of it is gone', async () => {
      return (await storage.list('')).map(([key]) => key).join() === 'device';
    });
    expect(await failureOf(device('token').again().account.login(credentialsOf(person)))).toMatchObject({
      code: 'invalid_credentials',
    });
  });
});
