import { withServer } from '../targets/server.ts';
import { groupWorld } from '../world.ts';
import { leastDisturbed, type Report, type Row, round, type Scenario } from './scenario.ts';
import { all, closedLoop, openLoop } from './talk.ts';

const MEMBERS = 500;
/** Clients gather marks; all of them send theirs in the same moment, which people never do. */
const READ_EVERY_MS = 1000;
const MESSAGES_A_SECOND = 100;
/** A reading group may slow messages down by so much. */
const GOAL = 1.2;

/** What it costs messages that all of a large group say how far they have read, while one member writes. */
export const reading: Scenario = async (bench) => {
  const target = bench.targets.find(({ name }) => name === 'parley');
  const report: Report = { rows: [], cpu: [], notes: [] };
  if (!target) return report;
  const world = groupWorld(MEMBERS);

  const measure = async (read_every_ms: number | undefined) => {
    bench.say(`reading: Parley, ${read_every_ms === undefined ? 'nobody reads' : 'everybody reads'}`);
    const flood = await leastDisturbed(bench, () =>
      withServer(target, world, bench.workDir, async (server) =>
        bench.generate({ ...(await closedLoop(bench, target, server, world, all(world))), read_every_ms }),
      ),
    );
    const steady = await leastDisturbed(bench, () =>
      withServer(target, world, bench.workDir, async (server) =>
        bench.generate({
          ...(await openLoop(bench, target, server, world, all(world), MESSAGES_A_SECOND)),
          read_every_ms,
        }),
      ),
    );
    report.cpu.push(
      { scenario: 'reading', target: 'parley', server: flood.server, generator: flood.generator },
      {
        scenario: 'reading',
        target: 'parley',
        server: steady.server,
        generator: steady.generator,
        generatorSpins: true,
        lateness_ms: round(steady.lateness.p99, 2),
      },
    );
    const { p50, p99 } = steady.delivery;
    return { deliveries: flood.delivered / flood.server.seconds, p50, p99 };
  };

  const silent = await measure(undefined);
  const read = await measure(READ_EVERY_MS);
  const group = `a group of ${MEMBERS} that reads`;
  const row = (id: string, label: string, unit: string, value: number, digits = 0): Row => {
    const better = unit === '/s' ? 'more' : 'less';
    return { id: `reading.${id}`, label, unit, better, values: { parley: round(value, digits) } };
  };
  const times = (id: string, label: string, value: number): Row => {
    return { ...row(id, label, '×', value, 2), goal: GOAL };
  };
  report.rows = [
    row('throughput', `deliveries in ${group}`, '/s', read.deliveries),
    { ...times('throughput_ratio', 'fewer than where nobody reads', silent.deliveries / read.deliveries), chart: true },
    row('p50', `until the last of ${group} has a message, ${MESSAGES_A_SECOND} msg/s, p50`, 'ms', read.p50, 2),
    times('p50_ratio', 'later than where nobody reads, p50', read.p50 / silent.p50),
    row('p99', `until the last of ${group} has a message, ${MESSAGES_A_SECOND} msg/s, p99`, 'ms', read.p99, 2),
    times('p99_ratio', 'later than where nobody reads, p99', read.p99 / silent.p99),
  ];
  return report;
};
