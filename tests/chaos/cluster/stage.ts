import { join } from 'node:path';
import { Cable } from '../../support/cable.ts';
import { CLUSTER_NODES, TestCluster } from '../../support/cluster.ts';
import type { FaultPlan } from '../../support/faulty-bus.ts';
import { TestNode } from '../../support/node.ts';
import { fixedPort } from '../../support/ports.ts';
import { TestPostgres } from '../../support/postgres.ts';
import { TestRedis } from '../../support/redis.ts';
import { type Environment, temporaryFolder } from '../../support/server.ts';

const FAULTY = [process.execPath, join(import.meta.dir, '../../support/faulty-server.ts')];

/** What one node stands on, each by a cable of its own. */
export interface Cables {
  postgres: Cable;
  redis: Cable;
}

export interface StageOptions {
  /** How each node's clock goes, as libfaketime puts it: `+1h`. */
  clocks?: string[];
}

/**
 * Three nodes with one PostgreSQL and one Redis of their own, all of which can be killed, and cut off from each other.
 * Every setting is the default but for limits and the life of a token. The nodes' buses can be told to lose.
 */
export class Stage {
  private constructor(
    readonly postgres: TestPostgres,
    readonly redis: TestRedis,
    readonly cluster: TestCluster,
    readonly cables: readonly Cables[],
    readonly databaseUrl: string,
  ) {}

  static async set({ clocks = [] }: StageOptions = {}): Promise<Stage> {
    const [postgres, redis] = await Promise.all([TestPostgres.start(), TestRedis.start()]);
    const databaseUrl = await postgres.createDatabase();
    const database = new URL(databaseUrl).pathname.slice(1);
    const dataDir = temporaryFolder();
    const cables: Cables[] = [];
    const nodes: TestNode[] = [];
    for (let index = 0; index < CLUSTER_NODES; index++) {
      const own = { postgres: await Cable.to(postgres.port), redis: await Cable.to(redis.port) };
      const env: Environment = {
        DATABASE_URL: postgres.url(database, own.postgres.port),
        ...redis.environment(),
        REDIS_ADDR: `127.0.0.1:${own.redis.port}`,
        SERVER_PORT: String(fixedPort()),
        JWT_ACCESS_EXPIRY: '24h',
        LOG_LEVEL: 'warn',
        ...shifted(clocks[index]),
      };
      cables.push(own);
      nodes.push(new TestNode(dataDir, env, FAULTY));
    }
    const stage = new Stage(postgres, redis, new TestCluster(nodes), cables, databaseUrl);
    await stage.cluster.start();
    return stage;
  }

  /** What the nodes' buses do with publications from now on; nothing ends all faults. */
  async setFaults(plan?: Omit<FaultPlan, 'seed'>): Promise<void> {
    await Promise.all(
      this.cluster.nodes.map(async (node, seed) => {
        const { control } = node.lines.findLast((line) => line.msg === 'listening')!;
        const body = JSON.stringify(plan ? { ...plan, seed } : null);
        await fetch(String(control), { method: 'PUT', body, keepalive: false });
      }),
    );
  }

  async strike(): Promise<void> {
    await this.cluster.kill();
    for (const { postgres, redis } of this.cables) {
      postgres.close();
      redis.close();
    }
    await Promise.all([this.postgres.stop(), this.redis.stop()]);
  }
}

/** The library of Debian's package faketime, which tells a process another time; undefined where it is not installed. */
export function findFaketime(): string | undefined {
  return [...new Bun.Glob('/usr/lib/*/faketime/libfaketime.so.1').scanSync({ cwd: '/', absolute: true })][0];
}

function shifted(clock: string | undefined): Environment {
  if (clock === undefined) return {};
  return { LD_PRELOAD: findFaketime()!, FAKETIME: clock, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}
