import { runAttack } from './load/attack.ts';
import { runCatchUp } from './load/catch-up.ts';
import { runClosedLoop } from './load/closed-loop.ts';
import { runIdle } from './load/idle.ts';
import { runOpenLoop } from './load/open-loop.ts';
import type { Plan } from './load/plan.ts';
import { runReads } from './load/reads.ts';
import { runStorm } from './load/storm.ts';

/**
 * The load generator, a process of its own: reads a plan from standard input, puts its load on the server, writes what it
 * measured to standard output and ends. Whatever cannot be trusted ends it with a message and status 1.
 */

/** No plan lasts as long: an end for a generator that nobody waits for any more. */
const LONGEST_MS = 5 * 60_000;

function run(plan: Plan) {
  if (plan.load === 'closed') return runClosedLoop(plan);
  if (plan.load === 'open') return runOpenLoop(plan);
  if (plan.load === 'idle') return runIdle(plan);
  if (plan.load === 'reads') return runReads(plan);
  if (plan.load === 'storm') return runStorm(plan);
  if (plan.load === 'attack') return runAttack(plan);
  return runCatchUp(plan);
}

function fail(error: unknown): never {
  console.error(error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error));
  process.exit(1);
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
setTimeout(() => fail(new Error('the load took too long')), LONGEST_MS).unref();

const plan = (await Bun.stdin.json()) as Plan;
if (new URL(plan.url).hostname !== '127.0.0.1') fail(new Error('load is put on this machine only (127.0.0.1)'));
process.stdout.write(JSON.stringify(await run(plan)), () => process.exit(0));
