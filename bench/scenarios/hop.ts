import { withServer } from '../targets/server.ts';
import { pairsWorld } from '../world.ts';
import { PAIRS, STORED } from './pairs.ts';
import { leastDisturbed, type Report, type Row, round, type Scenario } from './scenario.ts';
import { all, openLoop } from './talk.ts';

const MESSAGES_A_SECOND = 1000;
/** What the way to another node may add at the 99th percentile, in milliseconds. */
const GOAL_MS = 5;

/**
 * What the way from node to node adds: of the pairs, half sit together at a node and half at two, at the same time and so
 * under the same conditions.
 */
export const hop: Scenario = async (bench) => {
  const world = pairsWorld(PAIRS, STORED);
  const report: Report = { rows: [], cpu: [], notes: [] };
  const parley = bench.targets.find(({ name }) => name === 'parley');
  if (!parley) return report;
  bench.say(`hop: ${parley.label}`);
  const { halves, server, generator, lateness } = await leastDisturbed(bench, () =>
    withServer(parley, world, bench.workDir, async (running) =>
      bench.generate(await openLoop(bench, parley, running, world, all(world), MESSAGES_A_SECOND, 'half together')),
    ),
  );
  const [near, far] = halves!;
  const row = (id: string, label: string, value: number, goal?: number): Row => ({
    id: `hop.${id}`,
    label: `send to deliver at ${MESSAGES_A_SECOND} msg/s, ${label}`,
    unit: 'ms',
    better: 'less',
    goal,
    values: { parley: round(value, 2) },
  });
  report.rows.push(
    row('near.p50', 'at one node, p50', near.p50),
    row('far.p50', 'from node to node, p50', far.p50),
    row('near.p99', 'at one node, p99', near.p99),
    row('far.p99', 'from node to node, p99', far.p99),
    row('added.p99', 'what the way adds, p99', far.p99 - near.p99, GOAL_MS),
  );
  const lateness_ms = round(lateness.p99, 2);
  report.cpu.push({ scenario: 'hop', target: 'parley', server, generator, lateness_ms });
  return report;
};
