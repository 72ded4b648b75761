import { withServer } from '../targets/server.ts';
import { pairsWorld } from '../world.ts';
import { PAIRS, STORED } from './pairs.ts';
import { leastDisturbed, type Report, type Row, round, type Scenario } from './scenario.ts';
import { all, openLoop, type Where } from './talk.ts';

const MESSAGES_A_SECOND = 1000;
/** What the way to another node may add at the 99th percentile, in milliseconds. */
const GOAL_MS = 5;

/** The same pairs at the same steady rate, once with both at one node and once with each at another: what the way adds. */
export const hop: Scenario = async (bench) => {
  const world = pairsWorld(PAIRS, STORED);
  const report: Report = { rows: [], cpu: [], notes: [] };
  // Alone on one node there is no way between nodes.
  const parley = bench.targets.find(({ name }) => name === 'parley');
  if (!parley || bench.nodes === undefined || bench.nodes < 2) return report;
  const row = (id: string, label: string, value: number, goal?: number): Row => ({
    id: `hop.${id}`,
    label: `send to deliver at ${MESSAGES_A_SECOND} msg/s, ${label}`,
    unit: 'ms',
    better: 'less',
    goal,
    values: { parley: round(value, 2) },
  });
  const measure = async (where: Where) => {
    bench.say(`hop: ${parley.label}, ${where}`);
    return leastDisturbed(bench, () =>
      withServer(parley, world, bench.workDir, async (server) =>
        bench.generate(await openLoop(bench, parley, server, world, all(world), MESSAGES_A_SECOND, where)),
      ),
    );
  };
  const [near, far] = [await measure('together'), await measure('apart')];
  report.rows.push(
    row('near.p50', 'at one node, p50', near.delivery.p50),
    row('near.p99', 'at one node, p99', near.delivery.p99),
    row('far.p50', 'from node to node, p50', far.delivery.p50),
    row('far.p99', 'from node to node, p99', far.delivery.p99),
    row('added.p99', 'what the way adds, p99', far.delivery.p99 - near.delivery.p99, GOAL_MS),
  );
  for (const { server, generator, lateness } of [near, far]) {
    const lateness_ms = round(lateness.p99, 2);
    report.cpu.push({ scenario: 'hop', target: 'parley', server, generator, generatorSpins: true, lateness_ms });
  }
  return report;
};
