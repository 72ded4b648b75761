import { CoalescedTask } from '../shared/coalesced-task.ts';
import type { Logger } from '../shared/logger.ts';
import { databaseClock } from './clock.ts';
import type { Database } from './database.ts';

/** Between two looks at the database's clock, in milliseconds: a machine may sleep meanwhile, or the database move. */
const LOOK_MS = 5000;
/** An answer that took longer says too little of what time it is, in milliseconds. */
const MAX_ANSWER_MS = 1000;

/**
 * What time it is by the database, which all nodes share, at any moment and without asking it: their own clocks may be hours
 * apart. It is right to some milliseconds, and never goes by this machine's clock, but for its steady one.
 */
export class SharedClock {
  /** From the steady clock to the database's, in milliseconds. */
  private offset: number | undefined;
  private timer: Timer | undefined;
  private readonly looking = new CoalescedTask(
    () => this.look(),
    // What was found before goes on: the database's absence is told elsewhere.
    (error) => this.log.debug({ err: error }, "the database's clock could not be read"),
  );

  constructor(
    private readonly database: Database,
    private readonly log: Logger,
  ) {}

  /** In milliseconds since the Unix epoch. */
  now(): number {
    return performance.now() + (this.offset ?? performance.timeOrigin);
  }

  async start(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => this.looking.request(), LOOK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking.idle();
  }

  private async look(): Promise<void> {
    const { read, engine } = this.database;
    const askedAt = performance.now();
    const { now } = await read.selectNoFrom(databaseClock(engine).as('now')).executeTakeFirstOrThrow();
    const took = performance.now() - askedAt;
    if (took <= MAX_ANSWER_MS || this.offset === undefined) this.offset = Number(now) - (askedAt + took / 2);
  }
}
