import { TestPostgres } from '../tests/support/postgres.ts';
import { TestRedis } from '../tests/support/redis.ts';
import { BenchFailure } from './failure.ts';
import { describeMachine } from './measure/machine.ts';
import { pinningNote } from './measure/pinning.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { writeReports } from './report/files.ts';
import type { Results } from './report/results.ts';
import { reportText } from './report/text.ts';
import { runGenerator } from './run-generator.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { endAllNow } from './targets/child.ts';
import { floor } from './targets/floor.ts';
import { buildProgram, parley, parleyOn } from './targets/parley.ts';
import { removeFolders, withFolder } from './targets/server.ts';
import { socketio } from './targets/socketio.ts';

/**
 * `make bench`: measures Parley beside its floor and beside Socket.IO, on this machine only, and says which of its targets
 * it meets. docs/BENCHMARKS.md says how. Ends with status 1 where a measurement cannot be trusted; a target that is missed
 * is a figure, not a failure.
 */

/** An end for every case: so long for each attempt, and the large database beside. */
const LONGEST_MS = { attempt: 10 * 60_000, big: 20 * 60_000 };

/** Measures a program that was built for it. */
async function measure(options: Options, program: string): Promise<void> {
  const startedAt = performance.now();
  const results: Results = {
    machine: describeMachine(options.workDir),
    pinning: pinningNote(),
    quick: options.quick,
    rows: [],
    cpu: [],
    notes: [],
  };
  if (options.database === 'postgres') postgres = await TestPostgres.start();
  if (options.nodes !== undefined) redis = await TestRedis.start();
  const bench = {
    targets: [postgres ? parleyOn(program, postgres, options.nodes, redis) : parley(program), floor, socketio].filter(
      ({ name }) => options.targets.includes(name),
    ),
    database: options.database,
    workDir: options.workDir,
    quick: options.quick,
    attempts: options.attempts,
    patience_ms: options.patience_ms,
    bigMessages: options.bigMessages,
    say: (text: string) => console.error(`${elapsed(startedAt)} ${text}`),
    generate: runGenerator,
  };
  console.error(`${elapsed(startedAt)} ${results.pinning}`);
  if (options.nodes !== undefined)
    results.notes.push('nodes, PostgreSQL and Redis ran on any core, beside the load generator');
  for (const name of options.scenarios) {
    const { rows, cpu, notes } = await SCENARIOS[name](bench);
    results.rows.push(...rows);
    results.cpu.push(...cpu);
    results.notes.push(...notes);
  }
  process.stdout.write(reportText(results));
  if (options.write) {
    for (const path of writeReports(results)) console.error(`${elapsed(startedAt)} wrote ${path}`);
  }
}

function elapsed(since: number): string {
  return `[${((performance.now() - since) / 1000).toFixed(0).padStart(4)} s]`;
}

/** Where Parley keeps its data in this run, if not in SQLite; it ends with this process. */
let postgres: TestPostgres | undefined;
/** What joins its nodes, where it has several. */
let redis: TestRedis | undefined;

/** Leaves nothing behind: no process, no folder. */
function leave(status: number): never {
  endAllNow();
  removeFolders();
  process.exit(status);
}

const options = (() => {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
})();
if (options === 'help') {
  process.stdout.write(USAGE);
  process.exit(0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => leave(130));
setTimeout(
  () => {
    console.error('the bench took too long and was ended');
    leave(1);
  },
  LONGEST_MS.attempt * options.attempts + (options.bigMessages === undefined ? 0 : LONGEST_MS.big),
).unref();

function fail(error: unknown): never {
  console.error(error instanceof BenchFailure ? `THE BENCH FAILED: ${error.message}` : error);
  leave(1);
}
process.on('unhandledRejection', fail);

try {
  await withFolder(options.workDir, (folder) => measure(options, buildProgram(folder)));
} catch (error) {
  fail(error);
}
leave(0);
