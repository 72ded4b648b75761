import type { Hint, JobSource, SourceState } from './jobs.ts';
import type { OutboxHearer, SharedOutbox } from './shared-outbox.ts';

/** Conversations that are held for the worker, at most: where there are more, it asks the cursors once it is done with these. */
const HELD = 2000;

export interface OutboxSourceOptions {
  outbox: SharedOutbox;
  /** Which conversations have more than the consumer has seen; see catch-up.ts. */
  findBehind(): AsyncGenerator<string[]>;
}

/**
 * What one consumer has heard of the outbox and not taken up yet, each conversation once. It is bounded, so that a consumer
 * that hangs holds up nobody and fills nothing: what it has no room for it finds by its cursors. So does a start.
 */
export class OutboxSource implements JobSource, OutboxHearer {
  private readonly ready = new Set<string>();
  private readyAt: number | undefined;
  private behind: AsyncGenerator<string[]> | undefined;
  private hasMissed = false;

  constructor(private readonly options: OutboxSourceOptions) {}

  async start(): Promise<void> {
    // First the outbox, then the comparison: what is written between is in both.
    await this.options.outbox.join(this);
    this.ready.clear();
    this.hasMissed = false;
    this.behind = this.options.findBehind();
  }

  /** Hears nothing more until it is started anew. */
  pause(): void {
    this.options.outbox.leave(this);
    this.ready.clear();
    this.readyAt = undefined;
    this.behind = undefined;
  }

  hear(conversationIds: string[], oldestAt: number | undefined): void {
    if (this.ready.size === 0) this.readyAt = oldestAt;
    for (const id of conversationIds) {
      if (this.ready.size >= HELD) this.hasMissed = true;
      else this.ready.add(id);
    }
  }

  miss(): void {
    this.hasMissed = true;
  }

  async take(limit: number, waitMs: number): Promise<Hint[]> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const taken = this.ready.values().take(limit).toArray();
      for (const id of taken) this.ready.delete(id);
      if (taken.length > 0) return taken.map(toHint);
      this.readyAt = undefined;
      if (await this.compareOn()) continue;
      if (performance.now() >= deadline) return [];
      await this.options.outbox.look(deadline);
    }
  }

  state(): SourceState {
    return { oldestMs: this.readyAt === undefined ? 0 : Math.max(0, Date.now() - this.readyAt) };
  }

  async stop(): Promise<void> {
    this.options.outbox.leave(this);
    await this.behind?.return(undefined);
  }

  /** True where a comparison that runs has found some that are behind. */
  private async compareOn(): Promise<boolean> {
    if (!this.behind && this.hasMissed) {
      this.hasMissed = false;
      this.behind = this.options.findBehind();
    }
    if (!this.behind) return false;
    try {
      const { value, done } = await this.behind.next();
      for (const id of value ?? []) this.ready.add(id);
      if (done) this.behind = undefined;
      return !done;
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
