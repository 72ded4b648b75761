import { describe, expect, test } from 'bun:test';
import { connect, createServer, type Socket } from 'node:net';
import { addGroup, addUser, postgresDatabase } from '../../../tests/support/databases.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { canTestPostgres, sharedPostgres, TestPostgres } from '../../../tests/support/postgres.ts';
import { type LogWorld, logDriverContract } from './log-driver.contract.ts';
import { type AppendAnswer, type AppendRow, BatchError } from './log-driver.ts';
import { PostgresLog } from './postgres-log.ts';

async function open(url?: string): Promise<LogWorld> {
  const world = await postgresDatabase(url);
  return { ...world, driver: new PostgresLog(world.database) };
}

/** People, and groups of all of them. */
async function settle({ database }: LogWorld, people: number, groups: number) {
  const users = await Promise.all(Array.from({ length: people }, () => addUser(database)));
  const conversations = await Promise.all(Array.from({ length: groups }, () => addGroup(database, users)));
  return { users, conversations: conversations.sort() };
}

function row(conversationId: string, senderId: string, clientId: string = Bun.randomUUIDv7()): AppendRow {
  return { id: Bun.randomUUIDv7(), conversationId, senderId, clientId, type: 'text', content: 'words', sentAt: 1 };
}

/** A way to a PostgreSQL that can lose an answer: the connection breaks when it comes. */
async function fragileWay(port: number) {
  const way = { port: 0, losesNextAnswer: false, lost: 0, close: () => {} };
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    near.on('data', (data) => far.write(data));
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    far.on('data', (data) => {
      if (!way.losesNextAnswer) near.write(data);
      else {
        way.losesNextAnswer = false;
        way.lost++;
        near.destroy();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  way.port = (server.address() as { port: number }).port;
  way.close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return way;
}

describe.skipIf(!canTestPostgres('the log in PostgreSQL'))('the log in PostgreSQL', () => {
  logDriverContract(open);

  test('answers a batch whose commit nobody heard of, once it is back, as if nothing had been', async () => {
    const postgres = await sharedPostgres();
    const way = await fragileWay(postgres.port);
    const url = (await postgres.createDatabase()).replace(`:${postgres.port}/`, `:${way.port}/`);
    const world = await open(url);
    const { users, conversations } = await settle(world, 2, 1);
    const [group] = conversations as [string];
    const first = row(group, users[0]!);
    expect(await world.driver.append(() => [first])).toEqual([{ kind: 'appended', seq: 1, rev: 2 }]);

    way.losesNextAnswer = true;
    const reply = { ...row(group, users[1]!), replyToId: first.id };
    const answers = await world.driver.append(() => [
      row(group, users[0]!),
      reply,
      { ...reply, id: Bun.randomUUIDv7() },
    ]);
    expect(way.lost).toBe(1);
    const quoted = { senderId: users[0]!, content: 'words' };
    expect(answers).toEqual([
      { kind: 'appended', seq: 2, rev: 3 },
      { kind: 'appended', seq: 3, rev: 4, quoted },
      { kind: 'known', id: reply.id, seq: 3, rev: 4, sentAt: 1 },
    ]);
    const stored = await world.database.read.selectFrom('messages').select('seq').orderBy('seq').execute();
    expect(stored.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    await world.close();
    way.close();
  });

  test('gives a retry through another node the first answer', async () => {
    const url = await (await sharedPostgres()).createDatabase();
    const [one, other] = [await open(url), await open(url)];
    const { users, conversations } = await settle(one, 1, 1);
    const first = row(conversations[0]!, users[0]!, 'the key');
    await one.driver.append(() => [first]);
    const again = { ...first, id: Bun.randomUUIDv7(), sentAt: 2 };
    expect(await other.driver.append(() => [again])).toEqual([
      { kind: 'known', id: first.id, seq: 1, rev: 2, sentAt: 1 },
    ]);
    await Promise.all([one.close(), other.close()]);
  });

  test('numbers what three nodes write at once into the same conversations without a hole or a deadlock', async () => {
    const url = await (await sharedPostgres()).createDatabase();
    const nodes = [await open(url), await open(url), await open(url)];
    const { users, conversations } = await settle(nodes[0]!, 3, 8);
    const answers: AppendAnswer[] = [];
    const write = async ({ driver }: LogWorld, sender: string, backwards: boolean) => {
      for (let batch = 0; batch < 20; batch++) {
        const rows = conversations.map((id) => row(id, sender));
        answers.push(...(await driver.append(() => (backwards ? rows.reverse() : rows))));
      }
    };
    await Promise.all(nodes.map((node, index) => write(node, users[index]!, index % 2 === 1)));
    expect(answers.filter(({ kind }) => kind === 'appended')).toHaveLength(3 * 20 * 8);
    const heads = await nodes[0]!.database.read.selectFrom('conversations').select(['seq', 'rev']).execute();
    expect(heads).toEqual(conversations.map(() => ({ seq: 60, rev: 61 })));
    await Promise.all(nodes.map((node) => node.close()));
  });

  test('fails at once and blames no row while PostgreSQL is gone, and goes on when it is back', async () => {
    const postgres = await TestPostgres.start();
    const world = await open(await postgres.createDatabase());
    const { users, conversations } = await settle(world, 1, 1);
    const send = () => world.driver.append(() => [row(conversations[0]!, users[0]!)]);
    await send();
    await postgres.kill('SIGKILL');
    // The processes of its connections outlive it by a moment, and still answer.
    await eventually('its connections are gone', () =>
      send().then(
        () => false,
        () => true,
      ),
    );
    for (let tries = 0; tries < 2; tries++) {
      const error = await send().catch((error) => error);
      expect(error).toBeInstanceOf(BatchError);
      expect(error.rowAtFault).toBe(false);
    }
    await postgres.restart();
    const [answer] = await send();
    expect(answer).toMatchObject({ kind: 'appended' });
    // From now on nothing it says would be true.
    postgres.configure({ fsync: 'off' });
    await postgres.restart();
    const refused = await send().catch((error) => error);
    expect(refused).toBeInstanceOf(BatchError);
    await world.close();
    await postgres.stop();
  }, 40_000);
});
