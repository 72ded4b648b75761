import { afterAll, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { signUpAll } from '../support/people.ts';
import { canTestPostgres, sharedPostgres } from '../support/postgres.ts';
import { endServers, onSqlite, runParley, startServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

afterAll(endServers);

const canCopy = canTestPostgres('moving from SQLite to PostgreSQL');
/** What moves is a folder of SQLite: on other engines there is none. */
const check = (name: string, run: () => Promise<void>) => {
  if (onSqlite) test.skipIf(!canCopy)(name, run, 60_000);
};

check('parley copy moves an installation to PostgreSQL, and its clients go on where they were', async () => {
  const server = await startServer();
  const { dataDir } = server;
  const [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
  const direct = await alice.direct(bob);
  const group = await alice.group([bob, carol], 'Ünïcode 😀 \u202E');
  const key = crypto.randomUUID();
  const first = await alice.send(direct, 'first', key);
  await alice.send(direct, 'second\n"quoted" \\ {x,y} NULL', 'a key of words');
  const spoken = await bob.send(group, 'to be edited');
  await bob.call('PATCH', `/conversations/${group}/messages/${spoken.id}`, { content: 'edited' });
  await carol.call('PUT', `/conversations/${group}/messages/${spoken.id}/reactions/${encodeURIComponent('👍')}`);
  await carol.call('DELETE', `/conversations/${group}/participants/${carol.id}`);
  for (let n = 0; n < 20; n++) await alice.send(group, `message ${n}`);
  const look = async () => [
    (await alice.call('GET', '/sync')).body,
    (await bob.call('GET', '/conversations')).body,
    await bob.history(direct),
    await bob.history(group),
    (await bob.call('GET', `/conversations/${group}/changes?since=0`)).body,
    (await carol.call('GET', '/conversations')).body,
  ];

  const postgres = await sharedPostgres();
  const url = await postgres.createDatabase();
  const copy = (to = url) => runParley(['copy', '--to', to], { DATA_DIR: dataDir });

  const early = await copy();
  expect({ code: early.code, stdout: early.stdout }).toEqual({ code: 1, stdout: '' });
  expect(early.stderr).toBe('parley: a server or another command runs on the installation: stop it first\n');

  const before = await look();
  await server.stop();
  const job = `insert into jobs (id, kind, payload, priority, dedupe_key, due_at, parked_at, reason, created_at)
    values (?, 'mail', '{"to": "Ünïcode 😀"}', 1, ?, 1, 2, 'no answer', 3)`;
  await runStored(server, job, Bun.randomUUIDv7(), crypto.randomUUID());
  const { code, stdout, stderr } = await copy();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const line of [
    /^users +3 rows, the same on both sides/m,
    /^reactions +1 rows/m,
    /^messages +\d+ rows, the same/m,
    /^meta +1 rows/m,
    /^jobs +1 rows, the same/m,
  ]) {
    expect(stdout).toMatch(line);
  }
  const again = await copy();
  expect({ code: again.code, stderr: again.stderr }).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not empty'),
  });

  const moved = await startServer({ DATA_DIR: dataDir, DATABASE_URL: url, SERVER_PORT: new URL(server.url).port });
  const after = await look();
  expect(after).toEqual(before);
  // A retry of what was sent before gets its first answer, and what is new takes the next number.
  expect(await alice.send(direct, 'first', key)).toMatchObject({ id: first.id, seq: first.seq });
  const socket = await bob.connect();
  expect(await alice.send(direct, 'and on')).toMatchObject({ seq: 3 });
  expect(await socket.next('message')).toMatchObject({ content: 'and on' });
  await bob.call('POST', `/conversations/${direct}/read`, { seq: 3 });
  await eventually('the outbox counts on', async () => (await runStored(moved, 'select id from outbox')).length > 0);
  await moved.stop();
});

check('parley copy says what it needs, and copies nothing where it is not there', async () => {
  const postgres = await sharedPostgres();
  const url = await postgres.createDatabase();
  const nowhere = await runParley(['copy'], { DATA_DIR: '/nowhere' });
  expect(nowhere).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--to') });
  const empty = await runParley(['copy', '--to', url], { DATA_DIR: '/nowhere' });
  expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('no installation in /nowhere') });
  const wrong = await runParley(['copy'], { DATA_DIR: '/nowhere', DATABASE_URL: url.replace(/:\w+@/, ':wrong-word@') });
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).not.toContain('wrong-word');
});
