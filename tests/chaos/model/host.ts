import { join } from 'node:path';
import type { FaultPlan } from '../../support/faulty-bus.ts';
import { fixedPort } from '../../support/ports.ts';
import { startServer, type TestServer } from '../../support/server.ts';
import { Counters } from './counters.ts';

const ENTRY = [process.execPath, join(import.meta.dir, '../../support/faulty-server.ts')];

/** A server with a faulty bus, at one address however often it is restarted. */
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
    return new Host(await startServer(env, ENTRY));
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

  async restart(how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.collect();
    if (how === 'SIGKILL') await this.server.kill();
    else await this.server.stop('SIGTERM');
    await this.server.start();
    this.lives++;
    this.collected = {};
    await this.tellPlan();
  }

  private collected: Record<string, number> = {};

  private get control(): string {
    return String(this.server.lines.findLast((line) => line.msg === 'listening')?.control);
  }

  private async tellPlan(): Promise<void> {
    const plan = this.plan && { ...this.plan, seed: this.plan.seed + this.lives };
    const { ok } = await fetch(this.control, { method: 'PUT', body: JSON.stringify(plan ?? null) });
    if (!ok) throw new Error('the server did not take the plan of faults');
  }

  private async collect(): Promise<void> {
    const counts = (await (await fetch(this.control)).json()) as Record<string, number>;
    for (const [name, count] of Object.entries(counts)) this.faults.add(name, count - (this.collected[name] ?? 0));
    this.collected = counts;
  }
}
