import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** The server has one core, the load generator another, so that neither takes the other's time. */
export const SERVER_CORE = 0;
export const GENERATOR_CORE = 1;

const canPin =
  availableParallelism() > 1 &&
  spawnSync('taskset', ['-c', String(SERVER_CORE), 'true'], { stdio: 'ignore' }).status === 0;

/** The command that runs `command` on one core; unchanged where there is one core only, or no `taskset`. */
export function pinned(core: number, command: string[]): string[] {
  return canPin ? ['taskset', '-c', String(core), ...command] : command;
}

/** One line for the report. */
export function pinningNote(): string {
  if (canPin) return `server pinned to core ${SERVER_CORE}, load generator to core ${GENERATOR_CORE}`;
  if (availableParallelism() < 2) return 'NOT PINNED: one core only, shared by server and load generator';
  return 'NOT PINNED: there is no taskset here; server and load generator share the cores';
}
