import { mix } from '../ids.ts';
import type { Reads, ReadsResult } from '../load/plan.ts';
import { bearer, UNCOMPRESSED } from '../targets/parley.ts';
import { type Server, withServer } from '../targets/server.ts';
import type { Target } from '../targets/target.ts';
import { pairsWorld, type World } from '../world.ts';
import { PAIRS, STORED } from './pairs.ts';
import { type Bench, type CpuRow, leastDisturbed, type Report, type Row, round, type Scenario } from './scenario.ts';
import { all, closedLoop } from './talk.ts';

const READS_A_SECOND = 50;
/** How many times as long a page may take, at the 99th percentile, while as much as possible is written. */
const GOAL = 2;
/** Conversations that are read from, at most; spread over all of them. */
const READ_FROM = 1000;
/** The reads run inside the time for which the load is measured. */
const LOAD_MARGIN_MS = 1500;

/** How long a page of history takes, while nobody writes and while as much as possible is written. */
export const history: Scenario = async (bench) => {
  const target = bench.targets.find(({ name }) => name === 'parley');
  const report: Report = { rows: [], cpu: [], notes: [] };
  if (!target) return report;
  const world = pairsWorld(PAIRS, STORED);
  const { atRest, underLoad, acked } = await withServer(target, world, bench.workDir, async (server) => {
    bench.say('history: Parley at rest');
    const resting = await leastDisturbed(bench, async () => bench.generate(await readsOf(bench, server, world)));
    bench.say('history: Parley under full write load');
    const loaded = await leastDisturbed(bench, () => readsUnderLoad(bench, target, server, world));
    return { atRest: resting, ...loaded };
  });
  report.cpu.push(cpuRow('history at rest', atRest), cpuRow('history under load', underLoad));
  const row = (id: string, label: string, value: number): Row => ({
    id: `history.${id}`,
    label: `page of history, ${label}`,
    unit: 'ms',
    better: 'less',
    values: { parley: round(value, 2) },
  });
  report.rows = [
    row('rest_p50', 'at rest, p50', atRest.latency.p50),
    row('rest_p99', 'at rest, p99', atRest.latency.p99),
    row('load_p50', 'under full write load, p50', underLoad.latency.p50),
    row('load_p99', 'under full write load, p99', underLoad.latency.p99),
    { ...row('ratio', 'p99 under load ÷ at rest', underLoad.latency.p99 / atRest.latency.p99), unit: '×', goal: GOAL },
  ];
  report.notes.push(
    `history: ${Math.round(acked / underLoad.server.seconds)} msg/s were written beside the reads; ` +
      `a page is ${Math.round(atRest.bytes_median / 1024)} KiB`,
  );
  return report;
};

/** The same reads, while another generator writes as much as the server takes. */
async function readsUnderLoad(bench: Bench, target: Target, server: Server, world: World) {
  const reads = await readsOf(bench, server, world);
  const load = await closedLoop(bench, target, server, world, all(world));
  load.measure_ms = reads.warm_ms + reads.measure_ms + LOAD_MARGIN_MS;
  const writing = bench.generate(load);
  await Bun.sleep(load.warm_ms);
  const [reading, written] = await Promise.all([bench.generate(reads), writing]);
  for (const [index, conversation] of world.conversations.entries()) conversation.seq = written.seqs[index]!;

  const seconds = written.server.seconds;
  const readerMs = (reading.generator.ms / reading.generator.seconds) * seconds;
  const generator = { ...written.generator, ms: written.generator.ms + readerMs };
  return {
    server: written.server,
    generator,
    acked: written.acked,
    underLoad: { ...reading, server: written.server, generator },
  };
}

/** Reads of the newest page of conversations from all over the database, by somebody who is in them. */
export async function readsOf(bench: Bench, server: Server, world: World): Promise<Reads> {
  const count = Math.min(READ_FROM, world.conversations.length);
  const requests: Reads['requests'] = [];
  for (let index = 0; index < count; index++) {
    // Spread evenly, in an order that is not that of the keys.
    const place = (Math.floor((index * world.conversations.length) / count) + mix(index)) % world.conversations.length;
    const { id, members } = world.conversations[place]!;
    const headers = { ...(await bearer(world, members[1]!)), ...UNCOMPRESSED };
    requests.push({ path: `/api/v1/conversations/${id}/messages`, headers });
  }
  return {
    load: 'reads',
    url: server.url,
    server_pid: server.pid,
    requests,
    per_second: READS_A_SECOND,
    warm_ms: bench.quick ? 300 : 2000,
    measure_ms: bench.quick ? 1000 : 10_000,
  };
}

function cpuRow(scenario: string, { server, generator, lateness }: ReadsResult): CpuRow {
  return { scenario, target: 'parley', server, generator, lateness_ms: round(lateness.p99, 2) };
}
