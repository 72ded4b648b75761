import { afterAll, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { type Person, request, signUpAll } from '../support/people.ts';
import { canTestPostgres, TestPostgres } from '../support/postgres.ts';
import { endServers, runParley, startServer, type TestServer } from '../support/server.ts';

afterAll(endServers);

const settingsOf = ({ dataDir, databaseUrl }: TestServer) => ({
  DATA_DIR: dataDir,
  ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
});

/** Resolves when every node knows of an epoch: each looks for itself. */
async function everywhere({ nodes }: TestServer, person: Person, epoch: string): Promise<void> {
  const { access_token: token } = person.tokens;
  const epochs = () =>
    Promise.all(nodes.map(async (node) => (await request(node, 'GET', '/sync', { token })).body.epoch));
  await eventually('all know it', async () => (await epochs()).every((one) => one === epoch));
}

test('parley epoch new gives a running server another epoch: sockets come back to it, and go on', async () => {
  const server = await startServer();
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const id = await alice.direct(bob);
  const before = await bob.connect();
  const { epoch } = await before.find('ready');

  const { code, stdout } = await runParley(['epoch', 'new'], settingsOf(server));
  const [, told] = /^the epoch is (\w{32}) now\n$/.exec(stdout) ?? [];
  expect({ code, isAnother: told !== undefined && told !== epoch }).toEqual({ code: 0, isAnother: true });

  expect((await before.closed).code).toBe(1012);
  await everywhere(server, bob, told!);
  const after = await bob.connect();
  expect(await after.find('ready')).toMatchObject({ epoch: told });
  expect((await bob.call('GET', '/sync')).body.epoch).toBe(told);
  await alice.send(id, 'still here');
  expect(await after.next('message')).toMatchObject({ content: 'still here' });
  // Renewed once, not at every look.
  await server.stop();
  await server.start();
  expect((await bob.call('GET', '/sync')).body.epoch).toBe(told);
});

test('what a server had written for many before another epoch is told to nobody after it', async () => {
  const server = await startServer();
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const id = await alice.direct(bob);
  await alice.send(id, 'hello');
  const { access_token: token } = bob.tokens;
  const body = { conversations: [{ id, rev: 1, marks_rev: 0 }] };
  const epochs = () =>
    Promise.all(
      server.nodes.map(async (node) => {
        const [head] = (await request(node, 'POST', '/sync', { token, body })).body.conversations;
        return head.changes.epoch;
      }),
    );
  await epochs();
  const { stdout } = await runParley(['epoch', 'new'], settingsOf(server));
  const told = stdout.trim().split(' ')[3]!;
  await everywhere(server, bob, told);
  expect(new Set(await epochs())).toEqual(new Set([told]));
});

test('epoch takes no other word', async () => {
  for (const args of [['epoch'], ['epoch', 'old']]) {
    expect(await runParley(args, { DATA_DIR: ':memory:' })).toMatchObject({ code: 2, stdout: '' });
  }
});

test.skipIf(!canTestPostgres('a failover of PostgreSQL'))(
  'a failover of PostgreSQL is another epoch, for a server that runs on and for one that starts',
  async () => {
    const postgres = await TestPostgres.start();
    const server = await startServer({ DATABASE_URL: await postgres.createDatabase() });
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const id = await alice.direct(bob);
    const epochNow = async () => (await bob.call('GET', '/sync')).body.epoch;
    const first = await epochNow();

    // A crash and its recovery lose nothing, and change nothing.
    await postgres.kill('SIGKILL');
    await postgres.restart();
    const path = `/conversations/${id}/messages`;
    await eventually('it is back', async () => (await alice.call('POST', path, { content: 'hello' })).status === 201);
    expect(await epochNow()).toBe(first);

    const socket = await bob.connect();
    await promote(postgres);
    expect((await socket.closed).code).toBe(1012);
    const second = await eventually('another epoch', async () => {
      const now: string | undefined = await epochNow();
      return now !== first && now;
    });
    await everywhere(server, bob, second);
    const again = await bob.connect();
    expect(await again.find('ready')).toMatchObject({ epoch: second });
    await alice.send(id, 'after a failover');
    expect(await again.next('message')).toMatchObject({ content: 'after a failover' });

    await server.stop();
    await promote(postgres);
    await server.start();
    const third = await epochNow();
    expect(new Set([first, second, third]).size).toBe(3);
    await server.stop();
    await postgres.stop();
  },
  60_000,
);

/** Makes the cluster a standby that is promoted: it goes on on another timeline, as after a failover. */
async function promote(postgres: TestPostgres): Promise<void> {
  await postgres.kill('SIGINT');
  writeFileSync(join(postgres.dataFolder, 'standby.signal'), '');
  await postgres.restart();
  await postgres.run('pg_ctl', 'promote', '-D', postgres.dataFolder, '-w');
}
