import type { CpuSpent } from '../measure/cpu.ts';
import { type Server, withServer } from '../targets/server.ts';
import type { Target } from '../targets/target.ts';
import { pairsWorld, type World } from '../world.ts';
import { readsOf } from './history.ts';
import { MESSAGES_A_SECOND } from './latency.ts';
import { PAIRS, STORED } from './pairs.ts';
import {
  type Bench,
  leastDisturbed,
  microsecondsEach,
  type Report,
  type Row,
  round,
  type Scenario,
} from './scenario.ts';
import { closedLoop, openLoop } from './talk.ts';

const MESSAGES_A_CONVERSATION = 1000;
/** A figure may get this many times worse. */
const GOAL = 1.3;

interface Figure {
  label: string;
  unit: string;
  better: 'more' | 'less';
  value: number;
}

/** What a large database costs beside a small one: the same loads on both, and how many times worse each figure gets. */
export const big: Scenario = async (bench) => {
  const target = bench.targets.find(({ name }) => name === 'parley');
  const report: Report = { rows: [], cpu: [], notes: [] };
  if (!target || bench.bigMessages === undefined) return report;

  const small = await measure(bench, target, pairsWorld(PAIRS, STORED), STORED, report);
  const conversations = Math.max(PAIRS, Math.ceil(bench.bigMessages / MESSAGES_A_CONVERSATION));
  const large = await measure(bench, target, pairsWorld(conversations, bench.bigMessages), bench.bigMessages, report);

  for (const [id, { label, unit, better, value }] of Object.entries(large)) {
    const before = small[id as keyof Figures].value;
    const stored = `${bench.bigMessages.toLocaleString('en')} stored`;
    const digits = unit === 'msg/s' ? 0 : 2;
    report.rows.push({
      id: `big.${id}`,
      label: `${label}, ${stored}`,
      unit,
      better,
      values: { parley: round(value, digits) },
    });
    report.rows.push(timesWorse(id, label, better === 'more' ? before / value : value / before));
  }
  return report;
};

function timesWorse(id: string, label: string, times: number): Row {
  return {
    id: `big.${id}_ratio`,
    label: `${label}, times worse than with ${STORED.toLocaleString('en')}`,
    unit: '×',
    better: 'less',
    goal: GOAL,
    values: { parley: round(times, 2) },
  };
}

type Figures = Record<'throughput' | 'cpu' | 'p50' | 'p99' | 'read_p50' | 'read_p99', Figure>;

async function measure(bench: Bench, target: Target, world: World, messages: number, report: Report): Promise<Figures> {
  const size = messages.toLocaleString('en');
  // The ones that talk are spread over the whole log.
  const talking = Array.from({ length: PAIRS }, (_, pair) => Math.floor((pair * world.conversations.length) / PAIRS));
  const keepCpu = (what: string, { server, generator }: { server: CpuSpent; generator: CpuSpent }, spins = false) =>
    report.cpu.push({ scenario: `${what}, ${size}`, target: 'parley', server, generator, generatorSpins: spins });
  /** Runs a talk, from where the one before it ended. */
  const talk = async <R extends { seqs: number[] }>(run: () => Promise<R>): Promise<R> => {
    const result = await run();
    for (const [index, conversation] of talking.entries()) world.conversations[conversation]!.seq = result.seqs[index]!;
    return result;
  };
  const steadily = async (server: Server) =>
    bench.generate(await openLoop(bench, target, server, world, talking, MESSAGES_A_SECOND));
  const fully = async (server: Server) => bench.generate(await closedLoop(bench, target, server, world, talking));

  bench.say(`big: writing ${size} messages`);
  return withServer(target, world, bench.workDir, async (server) => {
    bench.say(`big: reads beside ${size}`);
    const reads = await leastDisturbed(bench, async () => bench.generate(await readsOf(bench, server, world)));
    keepCpu('reads', reads);
    bench.say(`big: latency beside ${size}`);
    const steady = await leastDisturbed(bench, () => talk(() => steadily(server)));
    keepCpu('latency', steady, true);
    bench.say(`big: throughput beside ${size}`);
    const full = await leastDisturbed(bench, () => talk(() => fully(server)));
    keepCpu('pairs', full);

    const time = (label: string, value: number): Figure => ({ label, unit: 'ms', better: 'less', value });
    return {
      throughput: {
        label: 'acked messages',
        unit: 'msg/s',
        better: 'more',
        value: full.acked / full.server.seconds,
      },
      cpu: {
        label: 'server CPU for each of them',
        unit: 'µs',
        better: 'less',
        value: microsecondsEach(full.server, full.acked),
      },
      p50: time('send to deliver, p50', steady.delivery.p50),
      p99: time('send to deliver, p99', steady.delivery.p99),
      read_p50: time('page of history, p50', reads.latency.p50),
      read_p99: time('page of history, p99', reads.latency.p99),
    };
  });
}
