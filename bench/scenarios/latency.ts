import { withServer } from '../targets/server.ts';
import { pairsWorld } from '../world.ts';
import { PAIRS, STORED } from './pairs.ts';
import { leastDisturbed, microsecondsEach, type Report, type Row, round, type Scenario } from './scenario.ts';
import { all, openLoop } from './talk.ts';

export const MESSAGES_A_SECOND = 2000;

/** From the moment a message should be sent until its receiver has parsed it, at a steady rate. */
export const latency: Scenario = async (bench) => {
  const world = pairsWorld(PAIRS, STORED);
  const row = (id: string, label: string, goal?: number, chart?: boolean): Row => ({
    id: `latency.${id}`,
    label: `send to deliver at ${MESSAGES_A_SECOND} msg/s, ${label}`,
    unit: 'ms',
    better: 'less',
    goal,
    chart,
    values: {},
  });
  const [p50, p99, max] = [row('p50', 'p50', 1, true), row('p99', 'p99', 6, true), row('max', 'max')];
  const cost: Row = {
    id: 'latency.cpu',
    label: 'server CPU a message at that rate',
    unit: 'µs',
    better: 'less',
    values: {},
  };
  const report: Report = { rows: [p50, p99, max, cost], cpu: [], notes: [] };
  for (const target of bench.targets) {
    bench.say(`latency: ${target.label}`);
    let generatorSpins = true;
    const { delivery, lateness, server, generator } = await leastDisturbed(bench, () =>
      withServer(target, world, bench.workDir, async (running) => {
        const plan = await openLoop(bench, target, running, world, all(world), MESSAGES_A_SECOND);
        generatorSpins = !plan.sleeps;
        return bench.generate(plan);
      }),
    );
    p50.values[target.name] = round(delivery.p50, 2);
    p99.values[target.name] = round(delivery.p99, 2);
    max.values[target.name] = round(delivery.max, 1);
    cost.values[target.name] = microsecondsEach(server, delivery.count);
    report.cpu.push({
      scenario: 'latency',
      target: target.name,
      server,
      generator,
      generatorSpins,
      lateness_ms: round(lateness.p99, 2),
    });
  }
  return report;
};
