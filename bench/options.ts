import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { SCENARIOS, type ScenarioName } from './scenarios/index.ts';
import type { TargetName } from './targets/target.ts';

export interface Options {
  scenarios: ScenarioName[];
  targets: TargetName[];
  quick: boolean;
  /** Messages of the large database; undefined leaves the scenario out. */
  bigMessages: number | undefined;
  attempts: number;
  patience_ms: number;
  write: boolean;
  /** What Parley keeps its data in. */
  database: 'sqlite' | 'postgres';
  /** Nodes of Parley, joined by a Redis; undefined: one, without Redis. */
  nodes: number | undefined;
  /** Where the folders of data go. */
  workDir: string;
}

export const USAGE = `make bench ARGS='[options]'

  --only=pairs,fanout   only these scenarios (${Object.keys(SCENARIOS).join(', ')})
  --only=abuse          what bystanders notice of attacks; it runs only where it is named
  --targets=parley,floor,socketio   only these servers
  --quick               short measurements, to see that everything works; the figures say little
  --big                 also: a large database beside a small one (takes minutes, and gigabytes of disk)
  --big-size=10000000   how many messages the large one holds
  --attempts=2          how often to measure while other programs disturb; the least disturbed attempt counts
  --patience=15         seconds to wait before each measurement for other programs to rest
  --dir=PATH            where the databases go while it runs; a real disk, or commits cost nothing
  --database=postgres   Parley on a PostgreSQL from this machine's package: pairs and latency, and no report is written
  --nodes=3             so many nodes of it on that PostgreSQL and a Redis: pairs, fanout, latency, and what the way
                        between nodes adds
  --no-write            leave docs/benchmarks/ as it is
`;

const TARGET_NAMES: TargetName[] = ['parley', 'floor', 'socketio'];

/** Reads the command line; throws with a message for a person where it is wrong. */
export function parseOptions(argv: string[]): Options | 'help' {
  const { values } = parseArgs({
    args: argv,
    options: {
      only: { type: 'string' },
      targets: { type: 'string' },
      quick: { type: 'boolean', default: false },
      big: { type: 'boolean', default: false },
      'big-size': { type: 'string', default: '10000000' },
      attempts: { type: 'string', default: '2' },
      patience: { type: 'string', default: '15' },
      dir: { type: 'string', default: tmpdir() },
      database: { type: 'string', default: 'sqlite' },
      nodes: { type: 'string' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const bigMessages = Number(values['big-size'].replaceAll('_', ''));
  if (!Number.isSafeInteger(bigMessages) || bigMessages < 10_000) throw new Error('--big-size must be 10000 or more');
  const nodes = values.nodes === undefined ? undefined : Number(values.nodes);
  if (nodes !== undefined) {
    if (!Number.isInteger(nodes) || nodes < 1 || nodes > 16) throw new Error('--nodes must be a number from 1 to 16');
    values.only ??= 'pairs,fanout,latency,hop';
  }
  const database = nodes === undefined ? values.database : 'postgres';
  if (database !== 'sqlite' && database !== 'postgres') throw new Error('--database is sqlite or postgres');
  if (database === 'postgres') {
    values.only ??= 'pairs,latency';
    values.targets ??= 'parley';
  }
  const names = Object.keys(SCENARIOS) as ScenarioName[];
  const scenarios = choose('--only', values.only, names);
  const isBig = values.big || (values.only !== undefined && scenarios.includes('big'));
  const isAsked: Partial<Record<ScenarioName, boolean>> = {
    big: isBig,
    hop: (nodes ?? 1) > 1,
    abuse: values.only !== undefined,
  };
  return {
    scenarios: scenarios.filter((name) => isAsked[name] ?? true),
    targets: choose('--targets', values.targets, TARGET_NAMES),
    quick: values.quick,
    bigMessages: isBig ? bigMessages : undefined,
    attempts: values.quick ? 1 : Math.max(1, Number(values.attempts)),
    patience_ms: values.quick ? 0 : Number(values.patience) * 1000,
    write: !values['no-write'] && database === 'sqlite',
    database,
    nodes,
    workDir: values.dir,
  };
}

function choose<T extends string>(flag: string, given: string | undefined, all: T[]): T[] {
  if (given === undefined) return all;
  const chosen = given.split(',');
  const unknown = chosen.find((one) => !all.includes(one as T));
  if (unknown !== undefined) throw new Error(`${flag}: there is no "${unknown}", only ${all.join(', ')}`);
  return all.filter((one) => chosen.includes(one));
}
