import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { enrol, show, ticketOf } from '../support/authenticator.ts';
import { eventually } from '../support/eventually.ts';
import { tokenIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { type Answer, Person, request, signUp } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer } from '../support/server.ts';
import { TestSocket } from '../support/socket.ts';

setDefaultTimeout(60_000);

const OWN = 'a horse of my own';

let box: Mailbox;
let server: TestServer;
beforeAll(async () => {
  box = await Mailbox.open();
  server = await startServer({ ...box.environment(), PASSWORD_STRENGTH: 'refuse' });
});
afterAll(async () => {
  await endServers();
  await box.close();
});

const codeOf = ({ status, body }: Answer) => [status, body.code];
const admin = (...args: string[]) => runParley(['admin', ...args], { DATA_DIR: server.dataDir, ...box.environment() });
const logIn = (email: string, password: string) =>
  request(server, 'POST', '/auth/login', { body: { email, password } });

let people = 0;

/** An account that an operator made, with the password that they were shown. */
async function made(...options: string[]): Promise<{ email: string; password: string }> {
  const email = `given-${process.pid}-${++people}@example.com`;
  const { code, stdout } = await admin('create-user', '--email', email, ...options);
  expect(code).toBe(0);
  return { email, password: /^password: (\S+)$/m.exec(stdout)?.[1] ?? options[options.indexOf('--password') + 1]! };
}

async function signedIn(email: string, password: string): Promise<Person> {
  const { status, body } = await logIn(email, password);
  expect([status, body.user?.restriction]).toEqual([200, 'password']);
  return new Person(server, body.user, body.tokens, password);
}

const change = (person: Person, new_password: string) =>
  person.call('POST', '/auth/password', { current_password: person.password, new_password });

/** What somebody with such a password may do beside changing it: look who they are, show it again, and go. */
const ALLOWED = ['changePassword', 'getMe', 'reauthenticate', 'resendVerification', 'deleteMe'];

describe.each([
  ['of an account that they made', async () => made()],
  ['that they chose for one', async () => made('--password', 'chosen horse battery')],
  [
    'that they set anew',
    async () => {
      const { user } = await signUp(server);
      const { stdout } = await admin('reset-password', user.id);
      return { email: user.email, password: /^password: (\S+)$/m.exec(stdout)![1]! };
    },
  ],
] as const)('the password of an operator, %s', (_, give) => {
  test('opens no door but the one to another password', async () => {
    const { email, password } = await give();
    const person = await signedIn(email, password);
    const { access_token: token, refresh_token } = person.tokens;
    expect((await person.call('GET', '/auth/me')).body.restriction).toBe('password');

    const { paths } = (await request(server, 'GET', '/openapi.json')).body;
    const operations = Object.entries<any>(paths).flatMap(([path, methods]) =>
      Object.entries<any>(methods).map(([method, one]) => ({ path, method, ...one })),
    );
    const signedInOnly = operations.filter(
      ({ security }) => security?.length > 0 && security.every((one: object) => Object.keys(one).length > 0),
    );
    expect(signedInOnly.length).toBeGreaterThan(30);
    for (const { path, method, operationId } of signedInOnly) {
      if (ALLOWED.includes(operationId)) continue;
      const answer = codeOf(await person.call(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, crypto.randomUUID())));
      expect({ operationId, answer }).toEqual({ operationId, answer: [403, 'password_change_required'] });
    }
    // Sockets of both kinds, and however their token comes.
    const handshake = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    for (const [path, headers] of [
      ['/ws', { ...handshake, Authorization: `Bearer ${token}` }],
      [`/ws?token=${token}`, handshake],
      ['/ws', { ...handshake, Cookie: `access_token=${token}` }],
      ['/api/v1/ws', { ...handshake, 'Sec-WebSocket-Protocol': `parley.v1, parley.token.${token}` }],
    ] as [string, Record<string, string>][]) {
      expect(codeOf(await request(server, 'GET', path, { headers }))).toEqual([403, 'password_change_required']);
    }
    const refused = TestSocket.open(server, { query: `?token=${token}` });
    expect(await refused.catch((error) => error)).toBeInstanceOf(Error);
    // A refresh goes on with the session, and with what it has to do.
    const refreshed = await request(server, 'POST', '/auth/refresh', { body: { refresh_token } });
    expect(refreshed.status).toBe(200);
    person.tokens = refreshed.body;
    expect(codeOf(await person.call('GET', '/conversations'))).toEqual([403, 'password_change_required']);
    const again = await person.call('POST', '/auth/reauthenticate', { password });
    expect(again.status).toBe(200);
    expect(codeOf(await person.call('PATCH', '/users/me', { username: 'another' }))).toEqual([
      403,
      'password_change_required',
    ]);

    expect((await change(person, OWN)).status).toBe(200);
    await eventually(
      'every node knows',
      async () => (await person.call('GET', '/auth/me')).body.restriction === undefined,
    );
    expect((await person.call('GET', '/conversations')).status).toBe(200);
    await (await person.connect()).close();
    expect(codeOf(await logIn(email, password))).toEqual([401, 'invalid_credentials']);
    expect((await logIn(email, OWN)).body.user.restriction).toBeUndefined();
  });

  test('is not to be kept, by no change and by no link, however it is written', async () => {
    const { email, password } = await give();
    const person = await signedIn(email, password);
    const refused = [400, 'password_too_weak'];
    const wide = [...password].map((one) =>
      /[!-~]/.test(one) ? String.fromCodePoint(one.codePointAt(0)! + 0xfee0) : one,
    );
    for (const same of [password, wide.join('')]) expect(codeOf(await change(person, same))).toEqual(refused);
    expect(codeOf(await change(person, 'password'))).toEqual(refused);
    expect(codeOf(await person.call('GET', '/conversations'))).toEqual([403, 'password_change_required']);

    const link = await admin('reset-link', email);
    const token = /\/reset#(\S+)$/m.exec(link.stdout)![1]!;
    const reset = (new_password: string) =>
      request(server, 'POST', '/auth/password/reset', { body: { token, new_password } });
    for (const same of [password, wide.join('')]) expect(codeOf(await reset(same))).toEqual(refused);
    const { status, body } = await reset(OWN);
    expect([status, body.user.restriction]).toEqual([200, undefined]);
  });
});

test('a second factor is asked for before, and the password has to be changed all the same', async () => {
  const person = await signUp(server);
  const { app } = await enrol(person);
  const { stdout } = await admin('reset-password', person.id);
  const password = /^password: (\S+)$/m.exec(stdout)![1]!;
  const ticket = await ticketOf(new Person(server, person.user, person.tokens, password));
  const { status, body } = await show(server, { ticket, code: await app.next() });
  expect([status, body.user.restriction]).toEqual([200, 'password']);
  const token = body.tokens.access_token;
  expect(codeOf(await request(server, 'GET', '/conversations', { token }))).toEqual([403, 'password_change_required']);
  const change = { current_password: password, new_password: OWN };
  expect((await request(server, 'POST', '/auth/password', { token, body: change })).status).toBe(200);
});

test('a letter of one’s own for a lost password ends it too', async () => {
  const { email } = await made();
  expect((await request(server, 'POST', '/auth/password/forgot', { body: { email } })).status).toBe(202);
  const token = tokenIn(await box.next(email), 'reset');
  const { body } = await request(server, 'POST', '/auth/password/reset', { body: { token, new_password: OWN } });
  expect(body.user.restriction).toBeUndefined();
});
