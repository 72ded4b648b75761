import { spawnSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** Where a run was made: figures of two machines are not to be compared, ratios may be. */
export interface Machine {
  cores: number;
  cpu: string;
  memory_gib: number;
  kernel: string;
  bun: string;
  node: string;
  date: string;
  commit: string;
  /** How many processes wanted to run just before the first measurement. */
  load_before: number;
  /** What kind of file system the databases were on; on one in memory a commit costs nothing. */
  file_system: string;
}

export function describeMachine(dataDir: string): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    bun: Bun.version,
    node: answerOf('node', '--version').replace(/^v/, ''),
    date: new Date().toISOString(),
    commit: answerOf('git', 'describe', '--always', '--dirty'),
    load_before: loadavg()[0]!,
    file_system: fileSystem(dataDir),
  };
}

function answerOf(command: string, ...args: string[]): string {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : 'unknown';
}

const FILE_SYSTEMS: Record<number, string> = {
  61267: 'ext',
  16914836: 'tmpfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
};

function fileSystem(dir: string): string {
  const { type } = statfsSync(dir);
  return FILE_SYSTEMS[type] ?? (/overlay/.test(readFileSync('/proc/mounts', 'utf8')) ? 'overlay or other' : 'other');
}
