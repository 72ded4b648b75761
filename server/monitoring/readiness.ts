import { atMostOnceIn } from '../shared/at-most-once-in.ts';
import type { Logger } from '../shared/logger.ts';

/** Resolves where a dependency works, rejects where it does not. */
export type Check = () => Promise<void>;

export interface ReadinessOptions {
  /** What must work for this node to take requests, by name. */
  checks: Record<string, Check>;
  /** What it goes on without, by name: said, and no reason to send its requests elsewhere. */
  optionalChecks?: Record<string, Check>;
  /** Whether the server is about to go, and wants no more work. */
  isDraining(): boolean;
  log: Logger;
  /** How long a report is told again, in milliseconds. */
  intervalMs: number;
  /** How long a check may take, in milliseconds. */
  timeLimitMs?: number;
}

export interface ReadinessReport {
  status: 'ok' | 'degraded' | 'unavailable' | 'draining';
  checks: Record<string, 'ok' | 'failed'>;
}

/** Whether this node should be sent requests. Anyone may ask, so that it must stay cheap however many do. */
export class Readiness {
  private readonly check: () => Promise<ReadinessReport>;

  constructor(private readonly options: ReadinessOptions) {
    this.check = atMostOnceIn(options.intervalMs, () => this.runChecks());
  }

  /** Runs the checks, at most once in an interval: who asks meanwhile gets the same report. Why one failed is only logged. */
  report(): Promise<ReadinessReport> {
    if (this.options.isDraining()) return Promise.resolve({ status: 'draining', checks: {} });
    return this.check();
  }

  private async runChecks(): Promise<ReadinessReport> {
    const [needed, optional] = await Promise.all([
      this.runAll(this.options.checks),
      this.runAll(this.options.optionalChecks ?? {}),
    ]);
    const checks = { ...needed, ...optional };
    if (Object.values(needed).includes('failed')) return { status: 'unavailable', checks };
    return { status: Object.values(optional).includes('failed') ? 'degraded' : 'ok', checks };
  }

  private async runAll(checks: Record<string, Check>): Promise<ReadinessReport['checks']> {
    const results = Object.entries(checks).map(async ([name, check]) => [name, await this.run(name, check)] as const);
    return Object.fromEntries(await Promise.all(results));
  }

  private async run(name: string, check: Check): Promise<'ok' | 'failed'> {
    const { log, timeLimitMs = 2000 } = this.options;
    const tooLate = Promise.withResolvers<never>();
    const timer = setTimeout(() => tooLate.reject(new Error(`no answer in ${timeLimitMs} ms`)), timeLimitMs);
    try {
      await Promise.race([check(), tooLate.promise]);
      return 'ok';
    } catch (error) {
      log.warn({ err: error, check: name }, 'readiness check failed');
      return 'failed';
    } finally {
      clearTimeout(timer);
    }
  }
}
