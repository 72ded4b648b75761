import type { Connection } from '../load/plan.ts';
import { quietMachine } from '../measure/cpu.ts';
import { residentBytes } from '../measure/memory.ts';
import { median } from '../measure/percentiles.ts';
import { startServer, withFolder, withServer } from '../targets/server.ts';
import type { Target } from '../targets/target.ts';
import { crowdWorld, pairsWorld } from '../world.ts';
import { type Bench, type Report, type Row, round, type Scenario } from './scenario.ts';

const CONVERSATIONS_EACH = 50;
const GROUP_SIZE = 10;
/** The first community is connected before the first look at the memory, and shares no conversation with the others. */
const COMMUNITIES = 5;
/** Longer than the runtimes wait before they collect the garbage of a server at rest. */
const SETTLE_MS = 12_000;
const STARTS = 5;
const KIB = 1024;
const MIB = 1024 * KIB;

/** What a server costs while nobody speaks: alone, and for each connected user. */
export const idle: Scenario = async (bench) => {
  const community = bench.quick ? 100 : 400;
  const users = COMMUNITIES * community;
  const connection: Row = {
    id: 'idle.connection',
    label: `idle connection of a user in ${CONVERSATIONS_EACH} conversations of ${GROUP_SIZE}`,
    unit: 'KiB',
    better: 'less',
    goal: 10,
    chart: true,
    values: {},
  };
  const opening: Row = {
    id: 'idle.open_cpu',
    label: 'server CPU to connect one',
    unit: 'µs',
    better: 'less',
    values: {},
  };
  const alone: Row = {
    id: 'idle.memory',
    label: 'idle server',
    unit: 'MiB',
    better: 'less',
    goal: 100,
    chart: true,
    values: {},
  };
  const start: Row = {
    id: 'idle.start',
    label: 'start to listening',
    unit: 'ms',
    better: 'less',
    goal: 300,
    chart: true,
    values: {},
  };
  const startCpu: Row = { id: 'idle.start_cpu', label: 'CPU for that', unit: 'ms', better: 'less', values: {} };
  const report: Report = { rows: [connection, opening, alone, start, startCpu], cpu: [], notes: [] };
  const world = crowdWorld(COMMUNITIES, community, CONVERSATIONS_EACH, GROUP_SIZE);

  for (const target of bench.targets) {
    bench.say(`idle: ${target.label}`);
    const { start_ms, cpu_ms, resident_bytes } = await startsOf(bench, target);
    start.values[target.name] = round(start_ms);
    startCpu.values[target.name] = round(cpu_ms);
    alone.values[target.name] = round(resident_bytes / MIB, 1);
    await withServer(target, world, bench.workDir, async (server) => {
      const connections: Connection[] = [];
      for (let user = 0; user < users; user++) connections.push(await target.connection(world, user));
      const redis = server.others.find(({ name }) => name === 'redis');
      const redisBefore = redis ? residentBytes(redis.pid) : 0;
      const result = await bench.generate({
        load: 'idle',
        dialect: target.dialect,
        url: server.url,
        server_pid: server.pid,
        beside_pid: server.beside_pid,
        others: server.others,
        connections,
        open_before: community,
        settle_ms: bench.quick ? 1000 : SETTLE_MS,
      });
      const bytes = (result.after_bytes - result.before_bytes) / result.connections;
      connection.values[target.name] = round(bytes / KIB, 1);
      if (redis) {
        const grown = (residentBytes(redis.pid) - redisBefore) / users;
        report.notes.push(`idle: Redis grew by ${round(grown / KIB, 2)} KiB for each of ${users} connections`);
      }
      opening.values[target.name] = round((result.open_cpu_ms * 1000) / result.connections);
      report.cpu.push({ scenario: 'idle', target: target.name, server: result.server, generator: result.generator });
    });
  }
  return report;
};

/** The median of some starts on any core, over a database that is there already, and the memory of the last one at rest. */
async function startsOf(bench: Bench, target: Target) {
  const world = pairsWorld(10, 1000);
  const count = bench.quick ? 2 : STARTS;
  const starts: number[] = [];
  const cpu: number[] = [];
  let resident_bytes = 0;
  for (let turn = 0; turn < count; turn++) {
    await quietMachine(bench.patience_ms);
    await withFolder(bench.workDir, async (dir) => {
      await target.prepare(world, dir);
      const server = await startServer(target, dir, true);
      starts.push(server.start_ms);
      cpu.push(server.start_cpu_ms);
      if (turn === count - 1) {
        await Bun.sleep(bench.quick ? 500 : 3000);
        resident_bytes = residentBytes(server.pid);
      }
      await server.stop();
    });
  }
  return { start_ms: median(starts), cpu_ms: median(cpu), resident_bytes };
}
