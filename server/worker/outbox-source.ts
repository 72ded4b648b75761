import type { Database } from '../database/database.ts';
import { currentOutboxMoment, readOutbox } from '../database/outbox.ts';
import type { OutboxMoment } from '../database/outbox-moment.ts';
import type { Logger } from '../shared/logger.ts';
import type { Hint, JobSource, SourceState } from './jobs.ts';

/** Conversations that are read at once. */
const PAGE = 1000;
/** Between two looks at an outbox that had nothing new, in milliseconds. */
const POLL_MS = 250;
/**
 * Rows stay for hours. Whoever was away for so long that some may be gone asks the log instead, in milliseconds: well before
 * they are.
 */
const LOST_AFTER_MS = 1_800_000;

export interface OutboxSourceOptions {
  database: Database;
  /** Which conversations have more than the consumer has seen; see catch-up.ts. */
  findBehind(): AsyncGenerator<string[]>;
  log: Logger;
}

/**
 * Reads the outbox itself, on from where it was. Where that was is not kept: a start asks the cursors, and so does a worker
 * that was too slow for rows that go after hours, or that finds more at once than it wants to hold. The next page is read
 * when the one before is worked off, so that a slow worker holds no more than a page.
 */
export class OutboxSource implements JobSource {
  private seen: OutboxMoment | undefined;
  private ready: string[] = [];
  private readyAt: number | undefined;
  private behind: AsyncGenerator<string[]> | undefined;
  /** When it last read the outbox, by the steady clock. */
  private readAt = 0;

  constructor(private readonly options: OutboxSourceOptions) {}

  async start(): Promise<void> {
    // First the moment, then the comparison: what is written between is in both.
    this.seen = await currentOutboxMoment(this.options.database);
    this.readAt = performance.now();
    this.ready = [];
    this.behind = this.options.findBehind();
  }

  async take(limit: number, waitMs: number): Promise<Hint[]> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      if (this.ready.length === 0) await this.readOn();
      if (this.ready.length > 0) return this.ready.splice(0, limit).map(toHint);
      const rest = deadline - performance.now();
      if (rest <= 0) return [];
      await Bun.sleep(Math.min(POLL_MS, rest));
    }
  }

  state(): SourceState {
    return { oldestMs: this.readyAt === undefined ? 0 : Math.max(0, Date.now() - this.readyAt) };
  }

  async stop(): Promise<void> {
    await this.behind?.return(undefined);
  }

  private async readOn(): Promise<void> {
    if (this.behind) {
      this.ready = await this.nextBehind(this.behind);
      if (this.ready.length > 0) return;
      this.behind = undefined;
    }
    const { conversationIds, isCut, moment, oldestAt } = await readOutbox(this.options.database, this.seen!, PAGE);
    const awayMs = performance.now() - this.readAt;
    this.seen = moment;
    this.readAt = performance.now();
    this.readyAt = oldestAt;
    if (!isCut && awayMs < LOST_AFTER_MS) {
      this.ready = conversationIds;
      return;
    }
    if (awayMs >= LOST_AFTER_MS) this.options.log.error({ away_ms: Math.round(awayMs) }, 'the worker is far behind');
    this.behind = this.options.findBehind();
  }

  private async nextBehind(pages: AsyncGenerator<string[]>): Promise<string[]> {
    try {
      const { value } = await pages.next();
      return value ?? [];
    } catch (error) {
      // Half a comparison is none.
      this.behind = this.options.findBehind();
      throw error;
    }
  }
}

function toHint(conversationId: string): Hint {
  return { conversationId, done() {} };
}
