import { withServer } from '../targets/server.ts';
import { groupWorld } from '../world.ts';
import { leastDisturbed, microsecondsEach, type Report, type Row, round, type Scenario } from './scenario.ts';
import { all, closedLoop } from './talk.ts';

const MEMBERS = 500;

/** Deliveries a second in one large group in which one member writes. */
export const fanout: Scenario = async (bench) => {
  const world = groupWorld(MEMBERS);
  const group = `in a group of ${MEMBERS}`;
  const throughput: Row = {
    id: 'fanout.throughput',
    label: `deliveries ${group}`,
    unit: '/s',
    better: 'more',
    goal: 1_200_000,
    chart: true,
    values: {},
  };
  const cost: Row = {
    id: 'fanout.cpu',
    label: 'server CPU a delivery',
    unit: 'µs',
    better: 'less',
    chart: true,
    values: {},
  };
  const report: Report = { rows: [throughput, cost], cpu: [], notes: [] };
  for (const target of bench.targets) {
    bench.say(`fanout: ${target.label}`);
    const result = await leastDisturbed(bench, () =>
      withServer(target, world, bench.workDir, async (server) =>
        bench.generate(await closedLoop(bench, target, server, world, all(world))),
      ),
    );
    throughput.values[target.name] = round(result.delivered / result.server.seconds);
    cost.values[target.name] = microsecondsEach(result.server, result.delivered);
    report.cpu.push({ scenario: 'fanout', target: target.name, server: result.server, generator: result.generator });
    if (result.repairs > 0) report.notes.push(`fanout: ${target.label} sent ${result.repairs} repairs`);
  }
  const { parley, socketio } = cost.values;
  if (parley && socketio) {
    report.rows.push({
      id: 'fanout.ratio',
      label: 'CPU a delivery, Socket.IO ÷ Parley',
      unit: '×',
      better: 'more',
      goal: 12,
      values: { parley: round(socketio / parley, 1) },
    });
  }
  return report;
};
