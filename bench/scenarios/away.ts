import { bearer, UNCOMPRESSED } from '../targets/parley.ts';
import { withServer } from '../targets/server.ts';
import { hubWorld } from '../world.ts';
import { leastDisturbed, type Report, type Row, round, type Scenario } from './scenario.ts';

const CONVERSATIONS = 20;
const MISSED = 200;
const STORED_EACH = 1000;

/** How long a client takes that was away for a week: `sync`, then the `changes` of each conversation. */
export const away: Scenario = async (bench) => {
  const target = bench.targets.find(({ name }) => name === 'parley');
  const report: Report = { rows: [], cpu: [], notes: [] };
  if (!target) return report;
  bench.say('away: Parley');
  const world = hubWorld(CONVERSATIONS, STORED_EACH);
  const { duration, server, generator } = await leastDisturbed(bench, () =>
    withServer(target, world, bench.workDir, async ({ url, pid }) =>
      bench.generate({
        load: 'catch-up',
        url,
        server_pid: pid,
        headers: { ...(await bearer(world, 0)), ...UNCOMPRESSED },
        missed_each: MISSED / CONVERSATIONS,
        conversations: CONVERSATIONS,
        turns: bench.quick ? 20 : 200,
        warm_turns: bench.quick ? 5 : 50,
      }),
    ),
  );
  report.cpu.push({ scenario: 'away', target: 'parley', server, generator });
  const row = (id: string, value: number): Row => ({
    id: `away.${id}`,
    label: `back after a week, ${MISSED} messages in ${CONVERSATIONS} conversations, ${id}`,
    unit: 'ms',
    better: 'less',
    goal: 50,
    values: { parley: round(value, 1) },
  });
  report.rows = [{ ...row('p50', duration.p50), chart: true }, row('p99', duration.p99)];
  return report;
};
