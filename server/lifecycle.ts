import type { Logger } from './shared/logger.ts';

/**
 * How a stop goes, phase after phase: new work is refused, what is under way is finished, what is gathered in memory is
 * written, those who are connected are sent home, and what all stood on is closed.
 */
const PHASES = ['refuse', 'finish', 'flush', 'hang-up', 'close'] as const;
export type Phase = (typeof PHASES)[number];

/** By when a phase must be over, as a share of the whole stop. A phase that ends early leaves its time to those behind it. */
const OVER_BY: Record<Phase, number> = { refuse: 0.05, finish: 0.5, flush: 0.75, 'hang-up': 0.85, close: 0.97 };

type Start = () => void | Promise<void>;
/** `graceMs`: after so long nobody waits for it any more. */
type Stop = (graceMs: number) => void | Promise<void>;

interface Step<Run> {
  name: string;
  run: Run;
}

/**
 * How the parts of a server start and end. Each part says at its birth how it begins, in which phase of the stop it ends,
 * and what it does when the log may have gone back (PROTOCOL.md §7.4). A part that never started can be stopped too.
 */
export class Lifecycle {
  private readonly starts: Step<Start>[] = [];
  private readonly renewals: Step<Start>[] = [];
  private readonly stops: Record<Phase, Step<Stop>[]> = { refuse: [], finish: [], flush: [], 'hang-up': [], close: [] };
  private stopping: Promise<void> | undefined;

  constructor(private readonly logger: Logger) {}

  /** Whether the server is about to go, and takes no new work. */
  get isStopping(): boolean {
    return this.stopping !== undefined;
  }

  onStart(name: string, run: Start): void {
    this.starts.push({ name, run });
  }

  onStop(phase: Phase, name: string, run: Stop): void {
    this.stops[phase].push({ name, run });
  }

  onNewEpoch(name: string, run: Start): void {
    this.renewals.push({ name, run });
  }

  /** Starts the parts in the order of their birth. Fails with the first that fails: what stands by then is the caller's to stop. */
  async start(): Promise<void> {
    for (const { run } of this.starts) await run();
  }

  /** Tells the parts, in the order of their birth, that the log may have gone back. Fails with the first that fails. */
  async newEpoch(): Promise<void> {
    for (const { run } of this.renewals) await run();
  }

  /**
   * Stops within `ms`. The steps of a phase run together; those of `close` one by one, the youngest first, for what is
   * younger stands on what is older. A step that fails or hangs is logged, and the rest goes on.
   */
  stop(ms: number): Promise<void> {
    this.stopping ??= this.runPhases(ms);
    return this.stopping;
  }

  private async runPhases(ms: number): Promise<void> {
    const begun = performance.now();
    for (const phase of PHASES) {
      const graceMs = () => Math.max(0, begun + ms * OVER_BY[phase] - performance.now());
      const steps = this.stops[phase];
      if (phase !== 'close') await Promise.all(steps.map((step) => this.end(phase, step, graceMs())));
      else for (const step of steps.toReversed()) await this.end(phase, step, graceMs());
    }
  }

  private async end(phase: Phase, { name, run }: Step<Stop>, graceMs: number): Promise<void> {
    const late = Promise.withResolvers<never>();
    // A little later than the step was told, which may end at that very moment.
    const timer = setTimeout(() => late.reject(new Error(`not over after ${Math.round(graceMs)} ms`)), graceMs + 20);
    try {
      await Promise.race([Promise.try(run, graceMs), late.promise]);
    } catch (error) {
      this.logger.error({ err: error, part: name, phase }, 'a part did not stop as it should');
    } finally {
      clearTimeout(timer);
    }
  }
}
