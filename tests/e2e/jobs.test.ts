import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { metric, scrape } from '../support/metrics.ts';
import { signUp } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(120_000);

/** The program with one kind of job, which asks a URL. */
const WITH_JOBS = [process.execPath, join(import.meta.dir, '../support/job-server.ts')];
const FAST = { WORKER_TRIES: '2', WORKER_RETRY_BASE: '20ms', WORKER_RETRY_CAP: '50ms' };

/** Whom the jobs ask: notes every try, and answers as it is told to. */
class Asked {
  readonly tries: { id: string; attempt: number }[] = [];
  answer: () => Promise<number> | number = () => 200;
  private readonly server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async ({ headers }) => {
      this.tries.push({ id: headers.get('job-id')!, attempt: Number(headers.get('job-attempt')) });
      return new Response(null, { status: await this.answer() });
    },
  });

  get url(): string {
    return this.server.url.href;
  }

  stop(): Promise<void> {
    return this.server.stop(true);
  }
}

let asked: Asked | undefined;
afterEach(async () => {
  await asked?.stop();
  asked = undefined;
});
afterAll(endServers);

/** Commits a job on a node, whose address of this life is in its log. */
async function commit(server: TestServer, payload: object, options: object = {}): Promise<string> {
  const [node] = server.nodes;
  const control = String(node!.lines.findLast((line) => line.control !== undefined)!.control);
  const response = await fetch(control, { method: 'POST', body: JSON.stringify({ payload, ...options }) });
  return ((await response.json()) as { id: string }).id;
}

/** `parley_queue_jobs_total`, of all nodes: one that did none has no line. */
async function counted(server: TestServer, outcome: string): Promise<number> {
  const texts = await Promise.all(server.nodes.map(({ url }) => scrape(url)));
  const line = new RegExp(`^parley_queue_jobs_total\\{kind="tell",outcome="${outcome}"\\} (\\d+)$`, 'm');
  return texts.reduce((sum, text) => sum + Number(line.exec(text)?.[1] ?? 0), 0);
}

const jobsOf = (server: TestServer) =>
  runStored<{ id: string; parked_at: number | null }>(server, 'select * from jobs');

test('a job that runs when its process is killed is done by the next', async () => {
  asked = new Asked();
  const { url } = asked;
  const server = await startServer({}, WITH_JOBS);
  asked.answer = () => new Promise(() => {});
  const id = await commit(server, { url });
  await eventually('it runs', async () => asked!.tries.length === 1);
  const waiting = await commit(server, { url }, { delayMs: 500 });
  await server.kill();
  expect((await jobsOf(server)).map((job) => job.id)).toEqual([id, waiting]);
  asked.answer = () => 200;
  await server.start();
  // On PostgreSQL nobody knows that it died, and its lease has to end: 7 s for this kind.
  await eventually('both are done', async () => (await jobsOf(server)).length === 0);
  const tries = asked.tries.toSorted((a, b) => a.id.localeCompare(b.id));
  expect(tries).toEqual([
    { id, attempt: 1 },
    { id, attempt: 2 },
    { id: waiting, attempt: 1 },
  ]);
  expect(await counted(server, 'done')).toBe(2);
  expect(await metric(server, 'parley_queue_jobs{state="running"}')).toBe(0);
});

test('a stop waits for a job that runs', async () => {
  asked = new Asked();
  const server = await startServer({}, WITH_JOBS);
  const answer = Promise.withResolvers<number>();
  asked.answer = () => answer.promise;
  await commit(server, { url: asked.url });
  await eventually('it runs', async () => asked!.tries.length === 1);
  const stopped = server.stop();
  answer.resolve(200);
  expect(await stopped).toBe(0);
  expect([await jobsOf(server), asked.tries.length]).toEqual([[], 1]);
});

test('a job that is given up is for an operator, who looks, has it tried again, and learns no secret', async () => {
  asked = new Asked();
  const server = await startServer(FAST, WITH_JOBS);
  asked.answer = () => 500;
  const id = await commit(server, { url: asked.url, secret: 'open sesame' });
  await eventually('it is parked', async () => (await jobsOf(server))[0]!.parked_at !== null);
  expect(asked.tries.map(({ attempt }) => attempt)).toEqual([1, 2]);
  const run = (...args: string[]) => runParley(['jobs', ...args], { DATA_DIR: server.dataDir });
  const { stdout: listed } = await run('list');
  expect(listed).toMatch(new RegExp(`^${id}  job  tell  -  parked \\S+  status 500\n$`));
  const { stdout: shown } = await run('show', id);
  expect(shown).toContain('payload       url, secret\ntries         2\nlast failure  status 500\n');
  asked.answer = () => 200;
  expect(await run('retry', id)).toMatchObject({ code: 0, stdout: '1 to be tried again\n' });
  await eventually('it is done', async () => (await jobsOf(server)).length === 0);
  expect(await run('discard', id)).toMatchObject({ code: 1, stderr: `there is no job ${id}\n` });
  expect(JSON.stringify(server.lines) + server.errors + listed + shown).not.toContain('open sesame');
  expect(await counted(server, 'parked')).toBe(1);
});

const DUTIES = [
  'account-links',
  'audit',
  'conversation-events',
  'departures',
  'factor-seals',
  'kept-texts',
  'mfa-tickets',
  'outbox',
  'parked-jobs',
  'sessions',
  'usernames',
];

test('what is old is swept, and each node knows when that was done last', async () => {
  const server = await startServer();
  const [ended] = [await signUp(server), await signUp(server)];
  const names = async () => {
    const rows = await runStored<{ name: string; last_run_at: number | null }>(server, 'select * from duties');
    return rows.filter(({ last_run_at }) => last_run_at !== null).map(({ name }) => name);
  };
  await eventually('all duties are done', async () => (await names()).length === DUTIES.length);
  expect((await names()).sort()).toEqual(DUTIES);
  await server.stop();

  const DAY = 24 * 3_600_000;
  const old = Date.now() - 31 * DAY;
  await runStored(server, 'update sessions set expires_at = ? where user_id <> ?', old, ended.id);
  await runStored(server, 'update sessions set ended_at = ? where user_id = ?', old, ended.id);
  await runStored(server, "insert into outbox (kind, created_at) values ('user', ?)", old);
  const job =
    "insert into jobs (id, kind, payload, priority, due_at, parked_at, created_at) values (?, 'x', '1', 1, ?, ?, ?)";
  const [gone, kept] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  await runStored(server, job, gone, old, old, old);
  const link =
    "insert into account_links (id, user_id, purpose, email, created_at, expires_at) select ?, id, 'reset', '', 0, ? from users limit 1";
  await runStored(server, link, Bun.randomUUIDv7(), old);
  const event =
    "insert into conversation_events (conversation_id, rev, kind, actor_id, created_at) values (?, 1, 'message.updated', ?, ?)";
  await runStored(server, event, Bun.randomUUIDv7(), Bun.randomUUIDv7(), old);
  await runStored(server, job, kept, old, old + 2 * DAY, old);
  const counts = async () => {
    const [row] = await runStored<Record<string, number>>(
      server,
      `select (select count(*) from sessions) as sessions, (select count(*) from jobs) as jobs,
        (select count(*) from conversation_events) as events, (select count(*) from account_links) as links,
        (select count(*) from outbox where created_at < ${old + DAY}) as outbox`,
    );
    return Object.fromEntries(Object.entries(row!).map(([table, count]) => [table, Number(count)]));
  };
  // Done a moment ago, none of them is due.
  const before = { sessions: 2, jobs: 2, events: 1, links: 1, outbox: 1 };
  expect(await counts()).toEqual(before);
  await server.start();
  await server.stop();
  expect(await counts()).toEqual(before);
  await runStored(server, 'update duties set next_at = 0');
  await server.start();
  await eventually('it is swept', async () => Object.values(await counts()).join() === '0,1,0,0,0');
  expect((await jobsOf(server)).map(({ id }) => id)).toEqual([kept]);
});
