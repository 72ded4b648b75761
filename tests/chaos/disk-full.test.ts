import { afterAll, describe, expect, test } from 'bun:test';
import { statSync } from 'node:fs';
import { audit, DatabaseFile, rest } from '../support/audit.ts';
import { gather } from '../support/crowd.ts';
import { Load } from '../support/load.ts';
import { startServerWithPragmas } from '../support/pragmas/index.ts';
import { report } from '../support/report.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import { canTest } from '../support/untested.ts';

/** A server for whose database there can be no more room, and room again. */
interface Crampable {
  server: TestServer;
  fill(): void;
  makeRoom(): void;
}

/** What may still be written, in bytes: enough for some batches, so that one of them fails in its middle. */
const LEFT_BYTES = 200_000;
/** Half of what the log grows to before SQLite writes it from its beginning again: a file as long as this is not full yet. */
const MOST_BYTES = 8_000_000;
const TALK_MS = 500;
/** More than fits into what room is left on a page. */
const LONG = '€'.repeat(4000);
const TIMEOUT_MS = 60_000;
const CLEAN = { lost: 0, doubled: 0, disordered: 0, examples: [] };

const missing = Bun.which('prlimit') ? undefined : 'prlimit is not installed';

afterAll(endServers);

/** The system refuses what would make a file longer: a write fails, in the middle of a batch as well. */
async function limitedBySystem(): Promise<Crampable> {
  const server = await startServer();
  const limit = (bytes: number | 'unlimited') => {
    const { exitCode, stderr } = Bun.spawnSync([
      'prlimit',
      `--pid=${server.nodes[0]!.pid}`,
      `--fsize=${bytes}:unlimited`,
    ]);
    if (exitCode !== 0) throw new Error(`prlimit failed: ${stderr}`);
  };
  return {
    server,
    fill: () => limit(Math.min(statSync(`${server.dataDir}/parley.db-wal`).size + LEFT_BYTES, MOST_BYTES)),
    makeRoom: () => limit('unlimited'),
  };
}

/** SQLite itself finds the disk full: SQLITE_FULL, as with ENOSPC. */
async function limitedBySqlite(): Promise<Crampable> {
  const unlimited = 'PRAGMA max_page_count = 4294967294';
  const { server, setPragmas } = await startServerWithPragmas(unlimited);
  // A file cannot be smaller than it is: this leaves no page more.
  return { server, fill: () => setPragmas('PRAGMA max_page_count = 1'), makeRoom: () => setPragmas(unlimited) };
}

describe.each([
  { when: 'its log may not grow', can: canTest('a log that may not grow', missing), start: limitedBySystem },
  { when: 'its database is full', can: true, start: limitedBySqlite },
])('a server, when $when,', ({ when, can, start }) => {
  test.skipIf(!can)(
    'refuses sends as `unavailable`, loses nothing, and goes on when there is room',
    async () => {
      const { server, fill, makeRoom } = await start();
      const conversations = await gather(server, { people: 6, groups: [6] });
      const load = new Load({ conversations, where: () => server.socketUrl, window: 8 });
      const file = new DatabaseFile(server.dataDir);
      await load.start();
      await Bun.sleep(TALK_MS);

      fill();
      await untilNothingIsStored(load);
      const { id, members } = conversations[0]!;
      const [person] = members;
      const socket = await person!.connect();
      const refused = await socket.ask({ event: 'message.send', conversation_id: id, content: LONG });
      expect(refused).toMatchObject({ event: 'error', code: 'unavailable', retryable: true });
      const post = await person!.call('POST', `/conversations/${id}/messages`, { content: LONG });
      expect(post).toMatchObject({ status: 503, body: { code: 'unavailable' } });
      const history = await person!.call('GET', `/conversations/${id}/messages`);
      expect(history.status).toBe(200);
      expect(file.check(load)).toEqual([]);
      const storedWhileFull = load.acks.length;

      const resumed = load.resumed('ack');
      makeRoom();
      const acceptingAfterMs = await resumed;
      await Bun.sleep(TALK_MS);
      await load.pause();
      load.close();

      const inFile = await audit(load, file);
      const overRest = await audit(load, rest);
      report(`when ${when}`, {
        acknowledged: load.acks.length,
        'of them before there was room again': storedWhileFull,
        refused: load.refusals.get('unavailable')!,
        lost: inFile.lost + overRest.lost,
        doubled: inFile.doubled + overRest.doubled,
        'out of order': inFile.disordered + overRest.disordered + load.outOfOrder + load.skipped,
        'accepting again after': `${Math.round(acceptingAfterMs)} ms`,
      });
      expect(inFile).toMatchObject(CLEAN);
      expect(overRest).toMatchObject(CLEAN);
      expect(load).toMatchObject({ faults: [], outOfOrder: 0, skipped: 0 });
      expect([...load.refusals.keys()]).toEqual(['unavailable']);
      expect(file.integrity()).toBe('ok');
      file.close();
    },
    TIMEOUT_MS,
  );
});

/** Small batches may still find room for a while. */
async function untilNothingIsStored(load: Load): Promise<void> {
  for (let stored = -1; stored !== load.acks.length || !load.refusals.has('unavailable'); ) {
    stored = load.acks.length;
    await Bun.sleep(TALK_MS);
  }
}
