import type { Database } from '../database/database.ts';
import { newestOutboxId, readOutbox } from '../database/outbox.ts';
import type { Logger } from '../monitoring/logger.ts';
import type { Hint, JobSource } from './jobs.ts';

const PAGE = 500;
/** Between two looks at an outbox that had nothing new, in milliseconds. */
const POLL_MS = 250;
/**
 * Rows stay for an hour. Whoever is so far behind that some may be gone asks the log instead, in milliseconds: well before
 * the hour is over.
 */
const LOST_AFTER_MS = 1_800_000;

export interface OutboxSourceOptions {
  database: Database;
  /** Which conversations have more than the consumer has seen; see catch-up.ts. */
  findBehind(): AsyncGenerator<string[]>;
  log: Logger;
}

/**
 * The source of one machine: reads the outbox itself, on from where it was. Where that was is not kept: a start asks the
 * cursors, and so does a worker that was too slow for rows that go after an hour. A page is read when the one before is
 * worked off, so that a slow worker holds no more than a page.
 */
export class OutboxSource implements JobSource {
  private lastId = 0;
  private ready: string[] = [];
  private readyAt: number | undefined;
  private behind: AsyncGenerator<string[]> | undefined;
  /** When it last knew of everything, by the steady clock. */
  private currentAt = 0;

  constructor(private readonly options: OutboxSourceOptions) {}

  async start(): Promise<void> {
    // First the place, then the comparison: what is written between is in both.
    this.lastId = await newestOutboxId(this.options.database);
    this.behind = this.options.findBehind();
    this.currentAt = performance.now();
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

  lagMs(): number {
    return this.readyAt === undefined ? 0 : Math.max(0, Date.now() - this.readyAt);
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
    const page = await readOutbox(this.options.database, this.lastId, PAGE);
    this.lastId = page.lastId;
    this.ready = page.conversationIds;
    this.readyAt = page.oldestAt;
    if (page.isLast) this.noteCurrent();
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

  private noteCurrent(): void {
    const behindMs = performance.now() - this.currentAt;
    this.currentAt = performance.now();
    if (behindMs < LOST_AFTER_MS) return;
    this.options.log.error(
      { behind_ms: Math.round(behindMs) },
      'the worker fell far behind, and compares with the log',
    );
    this.behind = this.options.findBehind();
  }
}

function toHint(conversationId: string): Hint {
  return { conversationId, done() {} };
}
