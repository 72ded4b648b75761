import type { Plan, ResultOf } from '../load/plan.ts';
import { type CpuSpent, DISTURBED, othersShare, quietMachine } from '../measure/cpu.ts';
import type { Target, TargetName } from '../targets/target.ts';

/** One measured figure, of Parley and of what it is held beside. */
export interface Row {
  /** Stable, such as `pairs.throughput`. */
  id: string;
  label: string;
  unit: string;
  better: 'more' | 'less';
  values: Partial<Record<TargetName, number>>;
  /** What Parley's value is to reach. */
  goal?: number;
  /** Whether it belongs into the chart. */
  chart?: boolean;
}

/** Where the CPU went in one measurement. */
export interface CpuRow {
  scenario: string;
  target: TargetName;
  server: CpuSpent;
  generator: CpuSpent;
  /** The generator's open loop never sleeps: its share of a core says nothing. */
  generatorSpins?: boolean;
  /** How late an open loop sent, at the 99th percentile, in milliseconds. */
  lateness_ms?: number;
}

export interface Report {
  rows: Row[];
  cpu: CpuRow[];
  /** What a reader must know of a figure. */
  notes: string[];
}

export interface Bench {
  /** What Parley keeps its data in; goals are other ones. */
  database: 'sqlite' | 'postgres';
  targets: Target[];
  workDir: string;
  quick: boolean;
  /** How often to measure, at most, while other programs disturb. */
  attempts: number;
  /** How long to wait before each attempt for other programs to rest, in milliseconds. */
  patience_ms: number;
  bigMessages: number | undefined;
  /** Says on the terminal what is being done. */
  say(text: string): void;
  /** Runs a load generator, pinned to its core unless `onAnyCore`. */
  generate<P extends Plan>(plan: P, onAnyCore?: boolean): Promise<ResultOf<P>>;
}

/** Measures something of every server to which it applies. */
export type Scenario = (bench: Bench) => Promise<Report>;

/** How long to warm up and to measure; short runs only show that everything works. */
export function pace({ quick }: Bench, measureMs = 8000): { warm_ms: number; measure_ms: number } {
  return quick ? { warm_ms: 300, measure_ms: 1000 } : { warm_ms: 2000, measure_ms: measureMs };
}

export function round(value: number, digits = 0): number {
  return Number(value.toFixed(digits));
}

/** Microseconds of the server's CPU for each of `count` things. */
export function microsecondsEach(server: CpuSpent, count: number): number {
  return round((server.ms * 1000) / count, 2);
}

/**
 * Waits for a quiet machine and measures; measures again while other programs disturb, a few times. The attempt that was
 * disturbed least counts.
 */
export async function leastDisturbed<T extends Measured>(bench: Bench, measure: () => Promise<T>): Promise<T> {
  await quietMachine(bench.patience_ms);
  let best = await measure();
  for (let attempt = 2; attempt <= bench.attempts && disturbance(best) >= DISTURBED; attempt++) {
    bench.say(`  disturbed: others used ${round(disturbance(best) * 100)} % of a core; again`);
    await quietMachine(bench.patience_ms);
    const next = await measure();
    if (disturbance(next) < disturbance(best)) best = next;
  }
  return best;
}

interface Measured {
  server: CpuSpent;
  generator: CpuSpent;
}

const disturbance = ({ server, generator }: Measured) => othersShare(server, generator);
