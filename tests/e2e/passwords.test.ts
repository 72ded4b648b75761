import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type Answer, request } from '../support/people.ts';
import { endServers, startServer, type TestServer, temporaryFolder } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

const register = (server: TestServer, email: string, password: unknown) =>
  request(server, 'POST', '/auth/register', { body: { email, password } });
const login = (server: TestServer, email: string, password: string) =>
  request(server, 'POST', '/auth/login', { body: { email, password } });

/** The hash of an account, as it stands in the database. */
async function hashOf(server: TestServer, email: string): Promise<string> {
  const sql = 'select password_hash from users where email = ?';
  const [row] = await runStored<{ password_hash: string }>(server, sql, email);
  return row!.password_hash;
}

const ARGON2ID = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/;
const BCRYPT = /^\$2[aby]\$10\$/;

test('either kind of hash verifies, and one of the other kind is renewed at the next log-in', async () => {
  const DATA_DIR = temporaryFolder();
  const [ada, bea] = ['ada@example.com', 'bea@example.com'];
  const [hers, other] = ['correct horse battery', 'another horse battery'];

  let server = await startServer({ DATA_DIR, PASSWORD_HASH: 'argon2id' });
  await register(server, ada, hers);
  expect(await hashOf(server, ada)).toMatch(ARGON2ID);
  await server.stop();

  server = await startServer({ DATA_DIR, PASSWORD_HASH: 'bcrypt' });
  await register(server, bea, other);
  expect(await hashOf(server, bea)).toMatch(BCRYPT);
  expect((await login(server, ada, 'wrong horse battery')).status).toBe(401);
  expect(await hashOf(server, ada)).toMatch(ARGON2ID);
  expect((await login(server, ada, hers)).status).toBe(200);
  const renewed = await hashOf(server, ada);
  expect(renewed).toMatch(BCRYPT);
  expect((await login(server, ada, hers)).status).toBe(200);
  expect(await hashOf(server, ada)).toBe(renewed);
  expect((await login(server, ada, other)).status).toBe(401);
  await server.stop();

  server = await startServer({ DATA_DIR, PASSWORD_HASH: 'argon2id' });
  expect((await login(server, bea, other)).status).toBe(200);
  expect(await hashOf(server, bea)).toMatch(ARGON2ID);
  expect((await login(server, bea, other)).status).toBe(200);
  expect((await login(server, ada, hers)).status).toBe(200);
});

test('a hash of lower cost is renewed at the next log-in', async () => {
  const server = await startServer();
  const [email, password] = ['cheap@example.com', 'correct horse battery'];
  await register(server, email, password);
  const cheap = await Bun.password.hash(password, { algorithm: 'argon2id', memoryCost: 8192, timeCost: 1 });
  await runStored(server, 'update users set password_hash = ? where email = ?', cheap, email);
  expect((await login(server, email, password)).status).toBe(200);
  expect(await hashOf(server, email)).toMatch(ARGON2ID);
  expect((await login(server, email, password)).status).toBe(200);
});

describe.each(['argon2id', 'bcrypt'])('with %s', (PASSWORD_HASH) => {
  const started = startServer({ PASSWORD_HASH });

  test('a wrong password and an unknown account get one answer, in one time', async () => {
    const server = await started;
    const password = 'correct horse battery';
    await register(server, 'known@example.com', password);
    const attempts = {
      wrong: { email: 'known@example.com', times: [] as number[], answers: [] as Answer[] },
      unknown: { email: 'unknown@example.com', times: [] as number[], answers: [] as Answer[] },
    };
    for (let n = 0; n < 21; n++) {
      for (const { email, times, answers } of Object.values(attempts)) {
        const started = performance.now();
        answers.push(await login(server, email, `incorrect ${n}`));
        times.push(performance.now() - started);
      }
    }
    const said = ({ status, body: { request_id: _, ...body } }: Answer) => JSON.stringify({ status, body });
    const answers = [...attempts.wrong.answers, ...attempts.unknown.answers];
    expect(new Set(answers.map(said)).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
    const names = (answer: Answer) => [...answer.headers.keys()].sort();
    expect(names(attempts.wrong.answers[0]!)).toEqual(names(attempts.unknown.answers[0]!));

    // Whatever else the machine does only adds to a time: the fastest answers are what the program itself takes.
    const [faster = 0, slower = 0] = Object.values(attempts)
      .map(({ times }) => Math.min(...times))
      .sort((a, b) => a - b);
    expect(slower / faster).toBeLessThan(1.5);
  });

  test('every character counts, also behind the 72nd byte, and none is trimmed or folded', async () => {
    const server = await started;
    const cases: [string, string[]][] = [
      [`${'a'.repeat(100)}b`, [`${'a'.repeat(100)}c`, 'a'.repeat(100), 'a'.repeat(72)]],
      ['  spaces around  ', ['spaces around', '  spaces around']],
      ['Größe-Ⅷ-🐎🔋', ['große-Ⅷ-🐎🔋', 'Grosse-Ⅷ-🐎🔋', 'Größe-Ⅷ-🐎']],
      ['eleven\u200b rivers', ['eleven rivers', 'eleven\u200b\u200b rivers', 'eleven\u200d rivers']],
      ['eleven\t\u0007 rivers', ['eleven rivers', 'eleven \u0007 rivers', 'eleven\t rivers']],
    ];
    for (const [index, [password, others]] of cases.entries()) {
      const email = `exact-${index}@example.com`;
      expect((await register(server, email, password)).status).toBe(201);
      expect((await login(server, email, password)).status).toBe(200);
      for (const other of others) {
        expect({ other, status: (await login(server, email, other)).status }).toEqual({ other, status: 401 });
      }
    }
  });
});

describe('however a keyboard writes it', () => {
  /** One password in several ways, the first of them as no other. */
  const WAYS: Record<string, string[]> = {
    'composed or not': [
      'Gr\u00f6\u00dfe-\u1ec7-\u00e9\u00e8',
      'Gro\u0308\u00dfe-e\u0323\u0302-e\u0301e\u0300',
      'Gr\u00f6\u00dfe-\u1eb9\u0302-\u00e9\u00e8',
    ],
    'in full width or half': ['\uff30\uff41\uff53\uff53\uff0d\uff11\uff12\uff13', 'Pass-123'],
    'of compatible forms': ['\ufb01ne-\u2167-\u00bd-\u2126', 'fine-VIII-1\u20442-\u03a9'],
    'in Hangul': [
      '\ud55c\uad6d\uc5b4\ube44\ubc00\ubc88\ud638\uc785',
      '\ud55c\uad6d\uc5b4\ube44\ubc00\ubc88\ud638\uc785'.normalize('NFD'),
    ],
  };

  test.each(Object.entries(WAYS))('a password is one at every door: %s', async (name, ways) => {
    const server = await startServer();
    const email = `${name.replaceAll(' ', '-')}@example.com`;
    for (const [n, way] of ways.entries()) {
      const own = `${n}-${email}`;
      const { status, body } = await register(server, own, way);
      expect(status).toBe(201);
      const token = body.tokens.access_token;
      for (const other of ways) {
        expect({ other, status: (await login(server, own, other)).status }).toEqual({ other, status: 200 });
        const again = { token, body: { password: other } };
        expect((await request(server, 'POST', '/auth/reauthenticate', again)).status).toBe(200);
        const change = { token, body: { current_password: other, new_password: other } };
        expect((await request(server, 'POST', '/auth/password', change)).status).toBe(200);
      }
      const gone = { token, body: { password: ways.at(-1)! } };
      expect((await request(server, 'DELETE', '/users/me', gone)).status).toBe(200);
    }
  });

  test.each(['argon2id', 'bcrypt'] as const)(
    'hashes from before fit what was typed then, and are renewed at a log-in: %s',
    async (algorithm) => {
      const server = await startServer({ PASSWORD_HASH: algorithm });
      const email = 'before@example.com';
      const [typed, normal] = ['Gro\u0308\u00dfe mit Pferd', 'Gr\u00f6\u00dfe mit Pferd'];
      await register(server, email, 'another horse battery');
      const options = { argon2id: { memoryCost: 19_456, timeCost: 2 }, bcrypt: { cost: 10 } }[algorithm];
      const before = await Bun.password.hash(typed, { algorithm, ...options } as Parameters<
        typeof Bun.password.hash
      >[1]);
      await runStored(server, 'update users set password_hash = ? where email = ?', before, email);
      expect((await login(server, email, normal)).status).toBe(401);
      expect((await login(server, email, `${typed}!`)).status).toBe(401);
      expect(await hashOf(server, email)).toBe(before);
      expect((await login(server, email, typed)).status).toBe(200);
      expect(await hashOf(server, email)).not.toBe(before);
      for (const form of [normal, typed]) expect((await login(server, email, form)).status).toBe(200);
      // What was normal already is as good as new: nothing is written for it.
      const plain = await hashOf(server, email);
      expect((await login(server, email, typed)).status).toBe(200);
      expect(await hashOf(server, email)).toBe(plain);
    },
  );

  test('it is counted as it is hashed', async () => {
    const server = await startServer();
    const status = async (password: string) =>
      (await register(server, `counted-${crypto.randomUUID()}@example.com`, password)).status;
    // Seven letters, whether a keyboard writes them with seven characters or with fourteen.
    expect(await status('\u00e9\u00e8\u00ea\u00eb\u0117\u0113\u011b')).toBe(400);
    expect(await status('\u00e9\u00e8\u00ea\u00eb\u0117\u0113\u011b'.normalize('NFD'))).toBe(400);
    expect(await status('\u00e9'.repeat(128))).toBe(201);
    expect(await status('e\u0301'.repeat(128))).toBe(201);
    expect(await status('\u1ec7'.repeat(128).normalize('NFD'))).toBe(201);
    expect(await status('e\u0301'.repeat(129))).toBe(400);
    // A few signs stand for many: what they stand for counts.
    expect(await status('\ufdfa'.repeat(8))).toBe(400);
    expect(await status('\ufdfa'.repeat(7))).toBe(201);
    expect(await status('e\u0301'.repeat(4000))).toBe(400);
  });
});

test('a new password has 8 to 128 characters, as people count them, of well-formed text', async () => {
  const server = await startServer();
  let accounts = 0;
  const status = async (password: unknown) => {
    const answer = await register(server, `length-${++accounts}@example.com`, password);
    if (answer.status === 400) expect(answer.body.errors[0].path).toBe('password');
    return answer.status;
  };
  for (const good of ['8 chars!', '🔋'.repeat(8), 'x'.repeat(128), '🔋'.repeat(128)])
    expect(await status(good)).toBe(201);
  for (const bad of [
    '7 chars',
    '🔋'.repeat(7),
    'x'.repeat(129),
    '🔋'.repeat(129),
    '',
    'lone surrogate \ud800',
    'lone \udc00 surrogate',
    'with a NUL \0',
    12345678,
    ['correct horse battery'],
    { length: 20 },
    null,
    true,
  ]) {
    expect({ bad, status: await status(bad) }).toEqual({ bad, status: 400 });
  }
});

describe('a new password that guessers try first', () => {
  const refused = (answer: Answer) => [answer.status, answer.body.code, answer.body.errors?.[0]?.path];

  test('is refused at the sign-up, whatever hangs on it, and nothing is made', async () => {
    const server = await startServer({ PASSWORD_STRENGTH: 'refuse', PUBLIC_URL: 'https://marmalade.example' });
    const names = { username: 'adalovelace', display_name: 'Ada Byron Lovelace' };
    const body = { email: 'countess@example.com', ...names };
    const attempt = (password: string) => request(server, 'POST', '/auth/register', { body: { ...body, password } });
    const weak = ['password', 'PassWord', 'password1!', '12345678', 'qwertyuiop', 'ｐａｓｓｗｏｒｄ', '!!iloveyou22'];
    const own = ['adalovelace', 'Lovelace1815', 'countess', 'countess@example.com', 'Marmalade2026', 'parley!!!!'];
    for (const password of [...weak, ...own]) {
      expect({ password, answer: refused(await attempt(password)) }).toEqual({
        password,
        answer: [400, 'password_too_weak', 'password'],
      });
    }
    // What merely holds such a word, or looks simple, is the person's own business.
    const good = await attempt('lovelace writes programs');
    expect(good.status).toBe(201);

    const token = good.body.tokens.access_token;
    const change = (new_password: string) =>
      request(server, 'POST', '/auth/password', {
        token,
        body: { current_password: 'lovelace writes programs', new_password },
      });
    expect(refused(await change('lovelace99'))).toEqual([400, 'password_too_weak', 'new_password']);
    expect((await change('another way to say it')).status).toBe(200);
  });

  test('is taken where it is only warned of, as outside prod', async () => {
    const server = await startServer();
    expect((await register(server, 'warned@example.com', '12345678')).status).toBe(201);
  });

  test('is refused in prod unless told otherwise', async () => {
    const prod = { ENV: 'prod', JWT_SECRET: crypto.randomUUID() + crypto.randomUUID() };
    expect((await register(await startServer(prod), 'prod@example.com', '12345678')).status).toBe(400);
    const warned = await startServer({ ...prod, PASSWORD_STRENGTH: 'warn' });
    expect((await register(warned, 'prod@example.com', '12345678')).status).toBe(201);
  });
});
