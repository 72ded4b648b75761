import { SUBPROTOCOL } from '../../protocol/limits.ts';
import type { Storm } from '../load/plan.ts';
import { bearer } from '../targets/parley.ts';
import { withServer } from '../targets/server.ts';
import { crowdWorld, type World } from '../world.ts';
import { leastDisturbed, type Report, type Row, round, type Scenario } from './scenario.ts';

const USERS = 5000;
const CONVERSATIONS_EACH = 20;
const GROUP_SIZE = 10;
const MISSED_EACH = 5;
const STORED_EACH = 20;
const MIB = 1024 * 1024;

/** Everybody comes back at once, as after a restart of the server or of a network, each a message or five behind. */
export const storm: Scenario = async (bench) => {
  const target = bench.targets.find(({ name }) => name === 'parley');
  const report: Report = { rows: [], cpu: [], notes: [] };
  if (!target) return report;
  bench.say('storm: Parley');
  const users = bench.quick ? 500 : USERS;
  const world = crowdWorld(1, users, CONVERSATIONS_EACH, GROUP_SIZE, STORED_EACH);
  const clients = await clientsOf(world);
  const result = await leastDisturbed(bench, () =>
    // The target is that of the whole machine: neither the server's threads nor the generator keep to one core.
    withServer(
      target,
      world,
      bench.workDir,
      ({ url, pid }) =>
        bench.generate({ load: 'storm', url, server_pid: pid, clients, missed_each: MISSED_EACH }, true),
      true,
    ),
  );
  report.cpu.push({ scenario: 'storm', target: 'parley', server: result.server, generator: result.generator });
  const row = (id: string, label: string, unit: string, value: number, goal?: number): Row => {
    return { id: `storm.${id}`, label, unit, better: 'less', goal, values: { parley: round(value, 1) } };
  };
  const who = `${users.toLocaleString('en')} users of ${CONVERSATIONS_EACH} conversations of ${GROUP_SIZE}`;
  report.rows = [
    {
      ...row(
        'time',
        `${who} come back at once, until all have the ${MISSED_EACH} messages of each that they missed`,
        's',
        result.duration_ms / 1000,
        10,
      ),
      chart: true,
    },
    row('opened', 'until half of them had their socket', 's', result.opened.p50 / 1000),
    row('synced', 'until half of them had everything', 's', result.synced.p50 / 1000),
    row('cpu', 'server CPU for each', 'ms', result.server.ms / users),
    row('memory', 'most memory of the server', 'MiB', result.peak_bytes / MIB),
    row('refused', 'tries that were refused', '', result.refused),
    row('retries', 'tries that were made again', '', result.retries),
  ];
  report.notes.push(
    `storm: ${result.messages.toLocaleString('en')} messages were received, each once and in its place; nobody was refused for good`,
  );
  return report;
};

async function clientsOf({ users, conversations }: World): Promise<Storm['clients']> {
  const clients: Storm['clients'] = [];
  for (let user = 0; user < users.length; user++) {
    clients.push({ headers: await bearer({ users, conversations }, user), protocols: SUBPROTOCOL, conversations: [] });
  }
  for (const { id, members, seq } of conversations) {
    // Of a group the first message is its first change.
    for (const member of members) clients[member]!.conversations.push([id, seq, seq]);
  }
  return clients;
}
