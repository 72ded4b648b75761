import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { tokenIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { type Answer, Person, request } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer, temporaryFolder } from '../support/server.ts';

setDefaultTimeout(60_000);

const BREACHED = ['stolen horse battery', 'another stolen horse'];
const password = 'correct horse battery';

/** A list as "Pwned Passwords" has it: these, among many. */
function writeList(passwords: string[]): string {
  const path = join(temporaryFolder(), 'pwned.txt');
  const others = Array.from({ length: 3000 }, (_, n) => `other ${n}`);
  const hashes = [...passwords, ...others].map((one) => createHash('sha1').update(one).digest('hex').toUpperCase());
  writeFileSync(
    path,
    hashes
      .sort()
      .map((hash, n) => `${hash}:${n}\r\n`)
      .join(''),
  );
  return path;
}

let box: Mailbox;
let server: TestServer;
beforeAll(async () => {
  box = await Mailbox.open();
  // Where weak ones are only warned of: the list is for whoever names it.
  const settings = { PASSWORD_STRENGTH: 'warn', PASSWORD_BLOCKLIST: writeList(BREACHED) };
  server = await startServer({ ...box.environment(), ...settings });
});
afterAll(async () => {
  await endServers();
  await box.close();
});

const register = (email: string, given: string, at = server) =>
  request(at, 'POST', '/auth/register', { body: { email, password: given } });
const refused = ({ status, body }: Answer) => [status, body.code, body.errors?.[0]?.path];

describe('a password that is known from a breach', () => {
  test('is refused at the sign-up, at a change and at a reset, which uses no link up', async () => {
    const email = 'ada@example.com';
    for (const one of BREACHED)
      expect(refused(await register(email, one))).toEqual([400, 'password_too_weak', 'password']);
    const made = await register(email, password);
    expect(made.status).toBe(201);
    const ada = new Person(server, made.body.user, made.body.tokens, password);
    const verify = { token: tokenIn(await box.next(email), 'verify') };
    expect((await request(server, 'POST', '/auth/email/verify', { body: verify })).status).toBe(200);

    for (const new_password of BREACHED) {
      const change = await ada.call('POST', '/auth/password', { current_password: password, new_password });
      expect(refused(change)).toEqual([400, 'password_too_weak', 'new_password']);
    }
    await request(server, 'POST', '/auth/password/forgot', { body: { email } });
    const token = tokenIn(await box.next(email, 2), 'reset');
    const reset = (new_password: string) =>
      request(server, 'POST', '/auth/password/reset', { body: { token, new_password } });
    expect(refused(await reset(BREACHED[0]!))).toEqual([400, 'password_too_weak', 'new_password']);
    expect((await reset('yet another horse')).status).toBe(200);
  });

  test('signs in all the same who has it already: at their next change they choose another', async () => {
    const DATA_DIR = temporaryFolder();
    const before = await startServer({ DATA_DIR });
    const email = 'early@example.com';
    expect((await register(email, BREACHED[0]!, before)).status).toBe(201);
    await before.stop();
    const after = await startServer({ DATA_DIR, PASSWORD_BLOCKLIST: writeList(BREACHED) });
    const body = { email, password: BREACHED[0] };
    expect((await request(after, 'POST', '/auth/login', { body })).status).toBe(200);
  });
});

test('where the list cannot be read any more, no password is taken for good, and everything else goes on', async () => {
  const list = writeList(BREACHED);
  const own = await startServer({ PASSWORD_BLOCKLIST: list });
  expect((await register('first@example.com', password, own)).status).toBe(201);
  truncateSync(list, 100);
  const { status, body, headers } = await register('second@example.com', password, own);
  expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '1']);
  await eventually('its cause is logged', async () =>
    own.lines.some(({ msg, err }) => msg === 'request failed' && JSON.stringify(err).includes('PASSWORD_BLOCKLIST')),
  );
  expect(JSON.stringify(own.lines)).not.toContain(password);
  const login = await request(own, 'POST', '/auth/login', { body: { email: 'first@example.com', password } });
  expect(login.status).toBe(200);
});

describe('the start fails with one line that says what is wrong with the list:', () => {
  const folder = temporaryFolder();
  const write = (text: string) => {
    const path = join(folder, crypto.randomUUID());
    writeFileSync(path, text);
    return path;
  };
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);

  test.each([
    ['that is not there', join(folder, 'nothing'), 'cannot be read: ENOENT'],
    ['that is a folder', folder, 'is no file'],
    ['that is a pipe', pipe, 'is no file'],
    ['that is empty', write(''), 'is empty'],
    ['of passwords themselves', write('123456\npassword\n'), 'holds no SHA-1 in hexadecimal in each line'],
    ['in another order', write(`${'F'.repeat(40)}:1\n${'0'.repeat(40)}:2\n`), 'is not in the order of its hashes'],
  ])('%s', async (_, path, complaint) => {
    const env = { DATA_DIR: temporaryFolder(), PASSWORD_BLOCKLIST: path };
    const { code, stdout, stderr } = await runParley(['serve'], env);
    expect({ code, listens: stdout.includes('listening') }).toEqual({ code: 2, listens: false });
    expect(stderr).toStartWith(`parley: PASSWORD_BLOCKLIST names ${path}, which ${complaint}`);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
