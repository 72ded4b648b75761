import type { Database } from '../database/database.ts';
import { currentOutboxMoment, readOutbox } from '../database/outbox.ts';
import type { OutboxMoment } from '../database/outbox-moment.ts';
import type { Logger } from '../shared/logger.ts';

/** Conversations that are read at once. */
const PAGE = 1000;
/** Between two looks, in milliseconds. */
const POLL_MS = 250;
/**
 * Rows stay for hours. Whoever was away for so long that some may be gone asks the log instead, in milliseconds: well before
 * they are.
 */
const LOST_AFTER_MS = 1_800_000;

/** Who is told what the outbox has. */
export interface OutboxHearer {
  /** These conversations advanced; `oldestAt` is when the first of it was written, in milliseconds since the Unix epoch. */
  hear(conversationIds: string[], oldestAt: number | undefined): void;
  /** There was more than is told: the cursors know. */
  miss(): void;
}

/**
 * One reader of the outbox for all consumers of this process. It reads when somebody asks, at most every 250 ms, and tells
 * everybody: whoever does not ask for a while is told all the same. Where it was is not kept: a start asks the cursors.
 */
export class SharedOutbox {
  private readonly hearers = new Set<OutboxHearer>();
  private seen: OutboxMoment | undefined;
  private reading: Promise<void> | undefined;
  /** When it last read the outbox, by the steady clock. */
  private readAt = 0;

  constructor(
    private readonly database: Database,
    private readonly log: Logger,
  ) {}

  /** From now on the hearer is told; what was written before it has to ask the cursors for. */
  async join(hearer: OutboxHearer): Promise<void> {
    if (this.hearers.size === 0 || this.hearers.has(hearer)) {
      this.seen = await currentOutboxMoment(this.database);
      this.readAt = performance.now();
      // The moment may have gone on over what others were not told of.
      for (const other of this.hearers) other.miss();
    }
    this.hearers.add(hearer);
  }

  leave(hearer: OutboxHearer): void {
    this.hearers.delete(hearer);
  }

  /** Reads on, unless that was done a moment ago: then it waits until it may, at most until `deadline`, by the steady clock. */
  async look(deadline: number): Promise<void> {
    const waitMs = Math.min(this.readAt + POLL_MS, deadline) - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
    if (performance.now() < this.readAt + POLL_MS) return;
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    await this.reading;
  }

  private async read(): Promise<void> {
    const { conversationIds, isCut, moment, oldestAt } = await readOutbox(this.database, this.seen!, PAGE);
    const awayMs = performance.now() - this.readAt;
    this.seen = moment;
    this.readAt = performance.now();
    const isLost = awayMs >= LOST_AFTER_MS;
    if (isLost) this.log.error({ away_ms: Math.round(awayMs) }, 'the worker is far behind');
    for (const hearer of this.hearers) {
      if (isCut || isLost) hearer.miss();
      else hearer.hear(conversationIds, oldestAt);
    }
  }
}
