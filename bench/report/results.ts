import { DISTURBED, othersShare } from '../measure/cpu.ts';
import type { Machine } from '../measure/machine.ts';
import type { CpuRow, Report, Row } from '../scenarios/scenario.ts';

/** All that one run of the bench found out: what latest.json holds. */
export interface Results extends Report {
  machine: Machine;
  pinning: string;
  /** A short run, whose figures say little. */
  quick: boolean;
}

/** Whether Parley's value reaches its goal; undefined where there is no goal, or no value. */
export function isMet({ goal, better, values: { parley } }: Row): boolean | undefined {
  if (goal === undefined || parley === undefined) return undefined;
  return better === 'more' ? parley >= goal : parley <= goal;
}

export function goalText({ goal, better, unit }: Row): string {
  return goal === undefined ? '' : `${better === 'more' ? '≥' : '≤'} ${amount(goal, unit)}`;
}

/** A value with its unit, with as many digits as a person needs. */
export function amount(value: number | undefined, unit: string): string {
  if (value === undefined) return '';
  const digits = Math.abs(value) >= 1000 ? value.toLocaleString('en', { maximumFractionDigits: 0 }) : String(value);
  return `${digits} ${unit}`;
}

/** A generator that was this busy may have been what held the figure down. */
const SATURATED = 0.9;

/** Shares of one core, 1 being all of it. */
export interface Shares {
  server: number;
  generator: number;
  others: number;
  isSaturated: boolean;
  isDisturbed: boolean;
}

export function shares({ server, generator, generatorSpins }: CpuRow): Shares {
  const ofCore = (ms: number) => ms / 1000 / server.seconds;
  const generatorShare = generator.ms / 1000 / generator.seconds;
  const others = othersShare(server, generator);
  return {
    server: ofCore(server.ms),
    generator: generatorShare,
    others,
    isSaturated: !generatorSpins && generatorShare >= SATURATED,
    isDisturbed: others >= DISTURBED,
  };
}

/** A row for each figure: what it is, Parley's value, its goal and whether that is met, then the values of the others. */
export function figureCells(results: Results, notMet: string): string[][] {
  return results.rows.map((row) => {
    const met = isMet(row);
    return [
      row.label,
      amount(row.values.parley, row.unit),
      goalText(row),
      met === undefined ? '' : met ? 'met' : notMet,
      amount(row.values.floor, row.unit),
      amount(row.values.socketio, row.unit),
    ];
  });
}

/** A row for each scenario and target: who used how much of a core, and how late the generator was. */
export function cpuCells(results: Results): string[][] {
  return results.cpu.map((row) => {
    const { server, generator, others } = shares(row);
    const late = row.lateness_ms === undefined ? '' : `${row.lateness_ms} ms`;
    const busy = row.generatorSpins ? 'never sleeps' : percent(generator);
    return [row.scenario, row.target, percent(server), threadsText(row), busy, late, percent(others)];
  });
}

/** One line: the threads of a server, each with its share of a core. */
export function threadsText({ server }: CpuRow): string {
  const used = server.threads.filter(({ ms }) => ms / 1000 / server.seconds >= 0.005);
  return used
    .map(
      ({ name, threads, ms }) => `${name}${threads > 1 ? ` ×${threads}` : ''} ${percent(ms / 1000 / server.seconds)}`,
    )
    .join(', ');
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** What to bear in mind, beside the figures it concerns. */
export function warnings(results: Results): string[] {
  const found: string[] = [];
  if (results.quick) found.push('A short run (--quick): it shows that everything works, its figures say little.');
  if (results.machine.file_system === 'tmpfs') {
    found.push('The databases were on a file system in memory, where a commit costs nothing: use --dir.');
  }
  for (const row of results.cpu) {
    const { isSaturated, isDisturbed, generator, others } = shares(row);
    const where = `${row.scenario}, ${row.target}`;
    if (isSaturated)
      found.push(`${where}: the load generator used ${percent(generator)} of its core; the server may do more.`);
    if (isDisturbed) found.push(`${where}: other programs used ${percent(others)} of a core meanwhile.`);
  }
  return [...found, ...results.notes];
}
