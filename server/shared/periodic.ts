import { CoalescedTask } from './coalesced-task.ts';
import type { Logger } from './logger.ts';

/** Work that is done again and again, one turn at a time, from its start to its stop. A turn that fails is logged. */
export class Periodic {
  private timer: Timer | undefined;
  private readonly task: CoalescedTask;

  /** `name` says what is worked on: it goes into the log. */
  constructor(
    name: string,
    private readonly everyMs: number,
    work: () => Promise<unknown>,
    logger: Logger,
  ) {
    this.task = new CoalescedTask(
      async () => void (await work()),
      (error) => logger.error({ err: error, work: name }, 'periodic work failed, and is done again later'),
    );
  }

  /** The first turn is after one interval. */
  start(): void {
    this.timer = setInterval(() => this.task.request(), this.everyMs);
  }

  /** Has a turn at once. Does nothing while it is stopped. */
  request(): void {
    if (this.timer) this.task.request();
  }

  /** Resolves once no turn is under way. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await this.task.idle();
  }
}
