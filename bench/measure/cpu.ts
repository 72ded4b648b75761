import { readdirSync, readFileSync } from 'node:fs';

/** CPU time from /proc (Linux). The kernel counts it in ticks of 10 ms: measure for seconds. */
const MS_PER_TICK = 10;

/** CPU time of threads that share a name. */
export interface ThreadTime {
  name: string;
  threads: number;
  ms: number;
}

/** A moment of a process: the CPU time of each of its threads so far, its first one as `main`, and of the whole machine. */
export interface CpuMoment {
  /** Milliseconds of a monotonic clock. */
  at: number;
  threads: Map<string, { name: string; ms: number }>;
  /** All of the process, threads that have ended included. */
  process_ms: number;
  /** Time of all cores that somebody used, or that the hypervisor took away. */
  machine_ms: number;
}

/** What is counted with a server. */
export interface Beside {
  /** A process whose children are, such as those of its database. */
  beside_pid?: number;
  /** Whole processes. */
  others?: { pid: number; name: string }[];
}

export function cpuMoment(pid: number, { beside_pid, others = [] }: Beside = {}): CpuMoment {
  const threads = new Map<string, { name: string; ms: number }>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      const { name, ms } = threadTime(`/proc/${pid}/task/${task}/stat`);
      threads.set(task, { name: task === String(pid) ? 'main' : name, ms });
    } catch {
      // The thread ended meanwhile; `process_ms` still has its time.
    }
  }
  const beside = beside_pid === undefined ? [] : childrenOf(beside_pid);
  for (const other of others) {
    beside.push({ pid: String(other.pid), name: other.name, ms: threadTime(`/proc/${other.pid}/stat`).ms });
  }
  for (const child of beside) threads.set(`child ${child.pid}`, child);
  return {
    at: performance.now(),
    threads,
    process_ms: threadTime(`/proc/${pid}/stat`).ms + beside.reduce((sum, child) => sum + child.ms, 0),
    machine_ms: machineTime(),
  };
}

/** What a process used between two moments, its busiest threads first. */
export interface CpuSpent {
  seconds: number;
  ms: number;
  threads: ThreadTime[];
  machine_ms: number;
}

export function cpuSpent(from: CpuMoment, to: CpuMoment): CpuSpent {
  const byName = new Map<string, ThreadTime>();
  for (const [task, { name, ms }] of to.threads) {
    const used = ms - (from.threads.get(task)?.ms ?? 0);
    const sum = byName.get(name) ?? { name, threads: 0, ms: 0 };
    byName.set(name, { name, threads: sum.threads + 1, ms: sum.ms + used });
  }
  return {
    seconds: (to.at - from.at) / 1000,
    ms: to.process_ms - from.process_ms,
    threads: [...byName.values()].filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms),
    machine_ms: to.machine_ms - from.machine_ms,
  };
}

/** How much of a core somebody else used or took away while a server and its load generator were measured; 1 is all of one. */
export function othersShare(server: CpuSpent, generator: CpuSpent): number {
  const generatorMs = (generator.ms / generator.seconds) * server.seconds;
  return Math.max(0, (server.machine_ms - server.ms - generatorMs) / 1000 / server.seconds);
}

/** Others used so much that a figure may be theirs. */
export const DISTURBED = 0.1;

const LOOK_MS = 1000;

/** Waits until the machine has been idle for a second, at most `limitMs`. */
export async function quietMachine(limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (performance.now() < deadline) {
    const before = machineTime();
    await Bun.sleep(LOOK_MS);
    if ((machineTime() - before) / LOOK_MS < DISTURBED) return;
  }
}

/** The children of a PostgreSQL by what they do, as their titles say: `postgres: walwriter`, `postgres: user database …`. */
function childrenOf(parent: number): { pid: string; name: string; ms: number }[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean);
  return children.flatMap((pid) => {
    try {
      const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]!;
      const role = / parley_\d+ /.test(title) ? 'postgres backends' : title.trim().replace(': ', ' ');
      return [{ pid, name: role, ms: threadTime(`/proc/${pid}/stat`).ms }];
    } catch {
      return []; // It ended meanwhile.
    }
  });
}

/** The line is `pid (name) state …`; the name may hold anything, so fields are counted from its last bracket. */
function threadTime(path: string): { name: string; ms: number } {
  const line = readFileSync(path, 'utf8');
  const close = line.lastIndexOf(')');
  const fields = line.slice(close + 2).split(' ');
  return {
    name: line.slice(line.indexOf('(') + 1, close),
    ms: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
  };
}

function machineTime(): number {
  const [, user, nice, system, , , irq, softirq, stolen] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]!
    .split(/\s+/);
  return [user, nice, system, irq, softirq, stolen].reduce((sum, ticks) => sum + Number(ticks), 0) * MS_PER_TICK;
}
