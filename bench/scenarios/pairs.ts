import { withServer } from '../targets/server.ts';
import { pairsWorld } from '../world.ts';
import { leastDisturbed, microsecondsEach, type Report, round, type Scenario } from './scenario.ts';
import { all, closedLoop } from './talk.ts';

export const PAIRS = 100;
/** Messages that Parley's log holds before any scenario begins. */
export const STORED = 10_000;

/** Acknowledged messages a second in conversations of two. */
export const pairs: Scenario = async (bench) => {
  const world = pairsWorld(PAIRS, STORED);
  const throughput: Report['rows'][number] = {
    id: 'pairs.throughput',
    label: `acked messages, ${PAIRS} conversations of 2`,
    unit: 'msg/s',
    better: 'more',
    goal: bench.database === 'sqlite' ? 30_000 : 15_000,
    chart: true,
    values: {},
  };
  const cost: Report['rows'][number] = {
    id: 'pairs.cpu',
    label: 'server CPU for each of them',
    unit: 'µs',
    better: 'less',
    values: {},
  };
  const report: Report = { rows: [throughput, cost], cpu: [], notes: [] };
  for (const target of bench.targets) {
    bench.say(`pairs: ${target.label}`);
    const result = await leastDisturbed(bench, () =>
      withServer(target, world, bench.workDir, async (server) =>
        bench.generate(await closedLoop(bench, target, server, world, all(world))),
      ),
    );
    throughput.values[target.name] = round(result.acked / result.server.seconds);
    cost.values[target.name] = microsecondsEach(result.server, result.acked);
    report.cpu.push({ scenario: 'pairs', target: target.name, server: result.server, generator: result.generator });
    if (result.repairs > 0) report.notes.push(`pairs: ${target.label} sent ${result.repairs} repairs`);
  }
  return report;
};
