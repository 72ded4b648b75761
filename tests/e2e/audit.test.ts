import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { type Person, request, signUp } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer } from '../support/server.ts';
import { openStored, runStored } from '../support/stored.ts';

setDefaultTimeout(60_000);

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(endServers);

const audit = (...args: string[]) => runParley(['audit', ...args], { DATA_DIR: server.dataDir });
/** Rows as programs read them. */
async function rowsOf(...args: string[]): Promise<any[]> {
  const { code, stdout } = await audit('--json', ...args);
  expect(code).toBe(0);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Somebody who failed to sign in once and then did, all of it written down by now. */
async function active(name: string): Promise<{ person: Person; refused: string }> {
  const person = await signUp(server, name);
  const { email } = person.user;
  const wrong = await request(server, 'POST', '/auth/login', { body: { email, password: 'wrong horse battery' } });
  await request(server, 'POST', '/auth/login', { body: { email, password: person.password } });
  const count = 'select count(*) as count from audit where subject_id = ?';
  await eventually('all is written', async () => {
    const [row] = await runStored<{ count: number }>(server, count, person.id);
    return Number(row!.count) === 3;
  });
  return { person, refused: wrong.headers.get('x-request-id')! };
}

/** Rows of long ago that nothing else writes: `count` of them, two at each moment. */
async function writeOld(accountId: string, count: number): Promise<string[]> {
  const stored = await openStored(server);
  const ids = Array.from({ length: count }, () => Bun.randomUUIDv7());
  const insert = 'insert into audit (id, at, kind, outcome, actor_id, subject_id) values (?, ?, ?, ?, ?, ?)';
  for (const [n, id] of ids.entries()) {
    await stored.run(insert, id, 1000 + Math.floor(n / 2), 'logout', 'done', accountId, accountId);
  }
  await stored.close();
  return ids;
}

describe('parley audit', () => {
  test('shows what happened to an account, the newest last, by whichever of its names it is asked for', async () => {
    const { person, refused } = await active('ada');
    const { id, user } = person;
    const who = `${user.username} (${id})`;
    const expected = [
      /^\S+Z {2}done {5}account\.created {2}\S+ \(\S+\) {2}from 127\.0\.0\.1 {2}known_device=false {2}second_factor=false {2}session=\S+ {2}request=\S+$/,
      /^\S+Z {2}refused {2}login {2}\S+ \(\S+\) {2}from 127\.0\.0\.1 {2}code=invalid_credentials {2}known_device=false {2}request=\S+$/,
      /^\S+Z {2}done {5}login {2}\S+ \(\S+\) {2}from 127\.0\.0\.1 {2}known_device=false {2}second_factor=false {2}session=\S+ {2}request=\S+$/,
    ];
    for (const name of [id, user.username.toUpperCase(), user.email.toUpperCase()]) {
      const { code, stdout, stderr } = await audit('--account', name);
      expect([code, stderr]).toEqual([0, '']);
      const lines = stdout.trimEnd().split('\n');
      expect(lines).toHaveLength(expected.length);
      for (const [n, line] of lines.entries()) {
        expect(line).toMatch(expected[n]!);
        expect(line).toContain(who);
      }
      expect(lines[1]).toContain(`request=${refused}`);
      for (const secret of ['wrong horse', person.password]) expect(stdout).not.toContain(secret);
    }
  });

  test('as JSON it is a line for each, with what is known of it and nothing that is not', async () => {
    const { person, refused } = await active('json');
    const rows = await rowsOf('--account', person.id, '--kind', 'login', '--result', 'refused');
    expect(rows).toEqual([
      {
        id: expect.any(String),
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        kind: 'login',
        outcome: 'refused',
        subject_id: person.id,
        address: '127.0.0.1',
        request_id: refused,
        detail: { code: 'invalid_credentials', known_device: false },
      },
    ]);
  });

  test('takes what fits all that is asked for: kind, result and time', async () => {
    const { person } = await active('picky');
    const mine = (...args: string[]) => rowsOf('--account', person.id, ...args);
    const all = await mine();
    expect((await mine('--kind', 'login')).map(({ outcome }) => outcome)).toEqual(['refused', 'done']);
    expect((await mine('--result', 'done')).map(({ kind }) => kind)).toEqual(['account.created', 'login']);
    expect(await mine('--kind', 'logout')).toEqual([]);
    const [first, second, third] = all.map(({ at }) => at);
    expect(await mine('--since', second)).toEqual(all.filter(({ at }) => at >= second));
    expect(await mine('--until', third)).toEqual(all.filter(({ at }) => at < third));
    expect(await mine('--until', first)).toEqual([]);
    expect(await mine('--since', '1h')).toEqual(all);
    expect(await mine('--until', '1h')).toEqual([]);
    // Without an account it is the whole installation's.
    const everybody = await rowsOf('--kind', 'account.created', '--since', '1d');
    expect(everybody.map(({ subject_id }) => subject_id)).toContain(person.id);
    expect(new Set(everybody.map(({ kind }) => kind))).toEqual(new Set(['account.created']));
  });

  test('shows so many at once and says how to go on, also between rows of one moment', async () => {
    const { id } = await signUp(server, 'busy');
    const ids = await writeOld(id, 25);
    const seen: string[] = [];
    let before: string[] = [];
    for (let pages = 0; ; pages++) {
      const page = await audit('--json', '--account', id, '--kind', 'logout', '--limit', '10', ...before);
      const rows = page.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line).id);
      seen.unshift(...rows);
      const [, oldest] = /^there are older ones: --before (\S+)\n$/.exec(page.stderr) ?? [];
      if (oldest === undefined) {
        expect([page.stderr, pages]).toEqual(['', 2]);
        break;
      }
      expect([rows.length, oldest]).toEqual([10, rows[0]]);
      before = ['--before', oldest];
    }
    expect(seen).toEqual(ids);
  });

  test('what an operator did has no address, and names whose account it was', async () => {
    const { id, user } = await signUp(server, 'ordinary');
    await runParley(['admin', 'set-role', id, 'admin'], { DATA_DIR: server.dataDir });
    const { stdout } = await audit('--account', id, '--kind', 'account.role');
    expect(stdout).toMatch(
      new RegExp(`^\\S+Z  done     account\\.role  ${user.username} \\(${id}\\)  by=operator  role=admin\\n$`),
    );
  });

  test('of a deleted account the trail stays, by its id', async () => {
    const person = await signUp(server, 'gone');
    expect((await person.call('DELETE', '/users/me', { password: person.password })).status).toBe(200);
    const { stdout } = await audit('--account', person.id, '--kind', 'account.deleted');
    expect(stdout).toContain(`account.deleted  deleted user (${person.id})  from 127.0.0.1`);
    expect(await audit('--account', person.user.username)).toMatchObject({ code: 1, stdout: '' });
  });

  test('who or what is not there is said in one line', async () => {
    for (const args of [
      ['--account', 'nobody@example.com'],
      ['--account', 'nobody-here'],
      ['--account', 'no name at all'],
      ['--before', crypto.randomUUID()],
    ]) {
      const { code, stdout, stderr } = await audit(...args);
      expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' });
      expect(stderr).toMatch(/^there is no (user|row) .+\n$/);
    }
    expect(await rowsOf('--account', crypto.randomUUID())).toEqual([]);
  });

  test.each([
    [['--kind', 'nonsense'], '--kind must be one of'],
    [['--kind', 'constructor'], '--kind must be one of'],
    [['--result', 'maybe'], '--result must be one of done, refused'],
    [['--since', 'yesterday'], '--since must be a day'],
    [['--until', '2026-02-30'], '--until must be a day'],
    [['--limit', '0'], '--limit must be a whole number from 1 to 10000'],
    [['--limit', '10001'], '--limit must be a whole number from 1 to 10000'],
    [['--limit', '1e3'], '--limit must be a whole number from 1 to 10000'],
    [['--before', 'x'], '--before must be the id of a row'],
    [['--since'], '--since'],
    [['--json=yes'], '--json'],
    [['--unknown'], '--unknown'],
    [['list'], 'audit takes 0 arguments'],
  ])('what is not understood is explained: %j', async (args, complaint) => {
    const { code, stdout, stderr } = await audit(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(complaint);
    expect(stderr).toContain('usage: parley audit');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test('help says what there is', async () => {
    for (const args of [['help'], ['--help'], ['--since', '1d', '--help']]) {
      expect(await audit(...args)).toMatchObject({ code: 0, stdout: expect.stringContaining('--account <who>') });
    }
    const { stdout } = await runParley(['help']);
    expect(stdout).toContain('audit');
  });

  test('nothing of a row acts on the terminal that it is shown on', async () => {
    const { id } = await signUp(server, 'odd');
    const insert =
      "insert into audit (id, at, kind, outcome, subject_id, address, detail) values (?, ?, 'login', 'refused', ?, ?, ?)";
    const detail = JSON.stringify({ code: 'a\u001b[2J\nb\u202e' });
    await runStored(server, insert, Bun.randomUUIDv7(), 5, id, '\u001b]0;x\u0007', detail);
    for (const options of [[], ['--json']]) {
      const { stdout } = await audit('--account', id, '--kind', 'login', ...options);
      for (const control of ['\u001b', '\u0007', '\u202e']) expect(stdout).not.toContain(control);
    }
  });
});
