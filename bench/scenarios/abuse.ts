import { ATTACKS, type AttackName } from '../../tests/support/attacks.ts';
import { BenchFailure } from '../failure.ts';
import { residentBytes } from '../measure/memory.ts';
import { accessToken, limited } from '../targets/parley.ts';
import { withServer } from '../targets/server.ts';
import { attackedWorld } from '../world.ts';
import { type Report, type Row, round, type Scenario } from './scenario.ts';
import { openLoop } from './talk.ts';

const PAIRS = 5;
/** What the limit of one sender allows, by half. */
const MESSAGES_A_SECOND = PAIRS * 10;
const CONVERSATIONS = 20_000;
const HISTORY = 5000;

/** What bystanders may notice: three times what they are used to, or this, and so much memory. */
const TIMES = 3;
const P99_MS = 250;
const GROWTH_MIB = 256;

/** How often memory is looked at, in milliseconds. */
const LOOK_MS = 50;
/** What an attack leaves may go on for so long before the next one begins. */
const REST_MS = 3000;

/** What bystanders notice of attacks, and what these make the server hold. Its limits are on, as it comes. */
export const abuse: Scenario = async (bench) => {
  const report: Report = { rows: [], cpu: [], notes: [] };
  const parley = bench.targets.find(({ name }) => name === 'parley');
  if (!parley) return report;
  const target = limited(parley);
  const world = attackedWorld(PAIRS, CONVERSATIONS, HISTORY);
  const pairs = Array.from({ length: PAIRS }, (_, index) => index);

  await withServer(target, world, bench.workDir, async (server) => {
    const field = {
      url: server.url,
      tokens: [await accessToken(world, 2 * PAIRS)],
      conversation: world.conversations[PAIRS]!.id,
    };
    const talk = async () => {
      const plan = await openLoop(bench, target, server, world, pairs, MESSAGES_A_SECOND);
      // The attacker needs the generator's core too.
      const { delivery, seqs } = await bench.generate({ ...plan, sleeps: true });
      for (const [index, seq] of seqs.entries()) world.conversations[index]!.seq = seq;
      return { p99: delivery.p99, ms: plan.warm_ms + plan.measure_ms };
    };

    bench.say('abuse: nobody attacks');
    const calm = await talk();
    const goal = round(Math.max(TIMES * calm.p99, P99_MS), 1);
    report.rows.push(delay('calm', 'send to deliver, nobody attacks', calm.p99));
    for (const attack of Object.keys(ATTACKS) as AttackName[]) {
      await Bun.sleep(REST_MS);
      bench.say(`abuse: ${attack}`);
      const memory = new MemoryWatch(server.pid);
      const attacking = bench.generate({
        load: 'attack',
        url: server.url,
        server_pid: server.pid,
        attack,
        field,
        attack_ms: calm.ms,
      });
      const [{ p99 }, { tally }] = await Promise.all([talk(), attacking]);
      const growth = memory.end();
      if (Object.keys(tally).length === 0) throw new BenchFailure(`nothing came of the attack: ${attack}`);
      bench.say(`  ${JSON.stringify(tally)}`);
      const id = attack.replaceAll(/\W+/g, '_');
      report.rows.push(
        { ...delay(id, `send to deliver beside ${attack}`, p99), goal },
        {
          id: `abuse.${id}.memory`,
          label: `memory that it takes: ${attack}`,
          unit: 'MiB',
          better: 'less',
          goal: GROWTH_MIB,
          values: { parley: round(growth / 1024 / 1024, 1) },
        },
      );
    }
  });
  return report;
};

function delay(id: string, label: string, p99: number): Row {
  return {
    id: `abuse.${id}.p99`,
    label: `${label}, p99`,
    unit: 'ms',
    better: 'less',
    values: { parley: round(p99, 1) },
  };
}

/** The most that a process holds beyond what it held at first. */
class MemoryWatch {
  private readonly before: number;
  private most: number;
  private readonly timer: Timer;

  constructor(pid: number) {
    this.before = residentBytes(pid);
    this.most = this.before;
    this.timer = setInterval(() => {
      this.most = Math.max(this.most, residentBytes(pid));
    }, LOOK_MS);
  }

  end(): number {
    clearInterval(this.timer);
    return this.most - this.before;
  }
}
