import { join } from 'node:path';
import type { FaultPlan } from '../../support/faulty-bus.ts';
import type { TestNode } from '../../support/node.ts';
import { fixedPort } from '../../support/ports.ts';
import { startServer, type TestServer } from '../../support/server.ts';
import { Counters } from './counters.ts';

/** The command line of a server with other parts. */
export const FAULTY_SERVER = [process.execPath, join(import.meta.dir, '../../support/faulty-server.ts')];

/** A server with a faulty bus in each of its nodes, at the same addresses however often they are restarted. */
export class Host {
  /** What its bus did, over all its lives. */
  readonly faults = new Counters();
  private plan: FaultPlan | undefined;
  private lives = 0;

  private constructor(readonly server: TestServer) {}

  static async start(options: { repair?: boolean } = {}): Promise<Host> {
    const env = {
      SERVER_PORT: String(fixedPort()),
      JWT_ACCESS_EXPIRY: '24h',
      LOG_LEVEL: 'warn',
      REPAIR: options.repair === false ? 'off' : 'on',
    };
    return new Host(await startServer(env, FAULTY_SERVER));
  }

  get url(): string {
    return this.server.url;
  }

  /** Begins with these faults; `undefined` ends all. */
  async setFaults(plan: FaultPlan | undefined): Promise<void> {
    await this.collect();
    this.plan = plan;
    await this.tellPlan();
  }

  /** One node goes, each in its turn, and comes back. */
  async restart(how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.collect();
    const { nodes } = this.server;
    const node = nodes[this.lives++ % nodes.length]!;
    if (how === 'SIGKILL') await node.kill();
    else await node.stop('SIGTERM');
    await node.start();
    this.collected.delete(node);
    await this.tellPlan();
  }

  /** What was added to the faults of each node's present life. */
  private readonly collected = new Map<TestNode, Record<string, number>>();

  private async tellPlan(): Promise<void> {
    for (const [index, node] of this.server.nodes.entries()) {
      const plan = this.plan && { ...this.plan, seed: this.plan.seed + this.lives + 1000 * index };
      const body = JSON.stringify(plan ?? null);
      const { ok } = await fetch(controlOf(node), { method: 'PUT', body, keepalive: false });
      if (!ok) throw new Error('the server did not take the plan of faults');
    }
  }

  private async collect(): Promise<void> {
    for (const node of this.server.nodes) {
      const counts = (await (await fetch(controlOf(node))).json()) as Record<string, number>;
      const before = this.collected.get(node) ?? {};
      for (const [name, count] of Object.entries(counts)) this.faults.add(name, count - (before[name] ?? 0));
      this.collected.set(node, counts);
    }
  }
}

function controlOf(node: TestNode): string {
  return String(node.lines.findLast((line) => line.msg === 'listening')?.control);
}
