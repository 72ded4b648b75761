import { afterAll, describe, expect, test } from 'bun:test';
import { sql } from 'kysely';
import { SqliteDatabase } from '../../server/database/sqlite/sqlite-database.ts';
import { signUpAll } from '../support/people.ts';
import { startServerWithPragmas } from '../support/pragmas/index.ts';
import { report } from '../support/report.ts';
import { endServers, PARLEY, startServer, type TestServer, temporaryFolder } from '../support/server.ts';
import { Trace, wasSyncedFirst, whyNotTraceable } from '../support/trace.ts';
import { canTest } from '../support/untested.ts';

/** SIGKILL leaves the page cache whole, so it cannot show that a commit reached the disk. This does. */

const SENT = { socket: 20, rest: 5 };
const START_MS = 60_000;

afterAll(endServers);

describe('the connections', () => {
  const open = () =>
    SqliteDatabase.open({
      dir: temporaryFolder(),
      readers: 2,
      writerEntry: new URL('../../server/writer-thread.ts', import.meta.url),
      readerEntry: new URL('../../server/database/sqlite/reader-thread.ts', import.meta.url),
      onDeath: (error) => {
        throw error;
      },
    });

  test('the writer commits to a log that it syncs at each commit', async () => {
    const database = await open();
    const synchronous = await sql`pragma synchronous`.execute(database.write);
    const journal = await sql`pragma journal_mode`.execute(database.write);
    expect(synchronous.rows).toEqual([{ synchronous: 2 }]);
    expect(journal.rows).toEqual([{ journal_mode: 'wal' }]);
    await database.close();
  });

  test('the readers cannot write', async () => {
    const database = await open();
    // As many at once as there are readers, so that each is asked.
    const attempts = [1, 2].map((n) => sql.raw(`create table t${n} (x)`).execute(database.read));
    for (const { status, reason } of (await Promise.allSettled(attempts)) as PromiseRejectedResult[]) {
      expect({ status, cause: reason.cause.code }).toEqual({ status: 'rejected', cause: 'SQLITE_READONLY' });
    }
    await database.close();
  });
});

const traceable = canTest('that no ack leaves before its sync', whyNotTraceable());

describe.skipIf(!traceable)('by the calls of the system', () => {
  test(
    'no word about a message leaves before the sync of the log that holds it',
    async () => {
      const trace = new Trace();
      const answers = await talkTraced(await startServer({}, [...trace.prefix, ...PARLEY]), trace);
      report('acks and their syncs', {
        'messages sent one by one': answers.length,
        'acknowledged before the sync': answers.filter(({ syncedFirst }) => !syncedFirst).length,
      });
      expect(answers.filter(({ syncedFirst }) => !syncedFirst)).toEqual([]);
    },
    START_MS,
  );

  test.each(['OFF', 'NORMAL'])(
    'the same check sees a writer that commits with synchronous %s',
    async (level) => {
      const trace = new Trace();
      const { prefix } = trace;
      const { server } = await startServerWithPragmas(`PRAGMA synchronous = ${level}`, { prefix });
      const answers = await talkTraced(server, trace);
      expect(answers.filter(({ syncedFirst }) => syncedFirst)).toEqual([]);
    },
    START_MS,
  );
});

/** Sends messages one at a time, over a socket and over REST, while somebody listens; tells of each whether it was synced first. */
async function talkTraced(server: TestServer, trace: Trace) {
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const conversation_id = await alice.direct(bob);
  const [hers, his] = await Promise.all([alice.connect(), bob.connect()]);
  const sent: { key: string; answer: string }[] = [];
  for (let n = 0; n < SENT.socket; n++) {
    const key = `by-socket-${n};`;
    await hers.ask({ event: 'message.send', conversation_id, content: 'is it on disk?', client_id: key });
    sent.push({ key, answer: String.raw`\"event\":\"ack\"` });
  }
  for (let n = 0; n < SENT.rest; n++) {
    const key = `by-rest-${n};`;
    await alice.send(conversation_id, 'is it on disk?', key);
    sent.push({ key, answer: 'HTTP/1.1 201' });
  }
  await his.find((frame) => frame.client_id === sent.at(-1)!.key);
  const { pid } = server.nodes[0]!;
  await server.stop();
  const calls = await trace.calls(pid);
  return sent.map(({ key, answer }) => ({ key, syncedFirst: wasSyncedFirst(calls, key, answer) }));
}
