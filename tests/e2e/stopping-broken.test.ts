import { afterAll, describe, expect, test } from 'bun:test';
import { statSync } from 'node:fs';
import { eventually } from '../support/eventually.ts';
import type { TestNode } from '../support/node.ts';
import { signUpAll } from '../support/people.ts';
import { canTestPostgres, TestPostgres } from '../support/postgres.ts';
import { endServers, onSqlite, startServer } from '../support/server.ts';
import { canTest } from '../support/untested.ts';

afterAll(endServers);

const missing = Bun.which('prlimit') ? undefined : 'prlimit is not installed';

/** From now on the system lets no file of the server grow beyond this, as on a full disk. */
function limitFiles(server: TestNode, bytes: number): void {
  const { exitCode, stderr } = Bun.spawnSync(['prlimit', `--pid=${server.pid}`, `--fsize=${bytes}:unlimited`]);
  if (exitCode !== 0) throw new Error(`prlimit failed: ${stderr}`);
}

/** Breaks what the server stores in while a mark waits to be written, and stops it with sockets open. */
async function stopBroken(server: TestNode, breakIt: () => Promise<void> | void) {
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const conversation = await alice.direct(bob);
  const sockets = [await alice.connect(), await bob.connect(), await bob.connectPlain()] as const;
  const [hers, his] = sockets;
  const { id } = await hers.say(conversation, 'stored');
  await his.next('message');
  await breakIt();
  his.send({ event: 'read', conversation_id: conversation, seq: 1 });
  await eventually('the mark could not be written', async () =>
    server.lines.some(({ msg }) => msg === 'marks could not be written'),
  );

  const started = performance.now();
  const code = await server.stop();
  const codes = await Promise.all(sockets.map(async (socket) => (await socket.closed).code));
  const parts = server.lines.filter(({ msg }) => msg === 'a part did not stop as it should').map(({ part }) => part);
  const last = server.lines.at(-1)?.msg;
  return { outcome: { code, codes, parts, last }, tookMs: performance.now() - started, bob, conversation, id };
}

const ORDERLY = {
  code: 0,
  codes: [1012, 1012, 1012],
  // Who was here last is told of too: it could not be written either.
  parts: ['marks', 'stored bytes', 'presence'],
  last: 'stopped',
};

describe('a server that can store nothing any more', () => {
  test.skipIf(!canTestPostgres('a stop without PostgreSQL'))(
    'because its PostgreSQL is gone, stops in order all the same: sockets get 1012, and what failed is logged',
    async () => {
      const postgres = await TestPostgres.start();
      const server = (await startServer({ DATABASE_URL: await postgres.createDatabase() })).nodes[0]!;
      const { outcome, tookMs } = await stopBroken(server, () => postgres.kill('SIGKILL'));
      expect(outcome).toEqual(ORDERLY);
      expect(tookMs).toBeLessThan(10_000);
      expect(server.errors).not.toMatch(/panic|\bat .*:\d+/);
      await postgres.stop();
    },
    60_000,
  );

  // Only SQLite's own file can be kept from growing.
  if (!onSqlite) return;
  test.skipIf(!canTest('a stop with a full disk', missing))(
    'because its disk is full, stops in order all the same, and has every message when there is room',
    async () => {
      const started = await startServer();
      const server = started.nodes[0]!;
      const full = () => limitFiles(server, statSync(`${started.dataDir}/parley.db-wal`).size);
      const { outcome, tookMs, bob, conversation, id } = await stopBroken(server, full);
      expect(outcome).toEqual(ORDERLY);
      expect(tookMs).toBeLessThan(10_000);
      await server.start();
      expect(await bob.history(conversation)).toMatchObject([{ id, content: 'stored' }]);
    },
    60_000,
  );
});
