import type { Logger } from '../shared/logger.ts';
import type { Hint, JobSource, SourceState } from './jobs.ts';
import type { OutboxSource } from './outbox-source.ts';
import type { GroupState, StreamEntry, StreamGroup } from './stream-group.ts';

/** How often entries of dead workers are looked for, and whether the group lost some, in milliseconds. */
const LOOK_MS = 5000;
/** After how long a worker that has not kept what it was given is taken for dead, in milliseconds. */
const DEAD_AFTER_MS = 10_000;
/** After how long the hints of a comparison that are not done are taken for lost, in milliseconds. */
const COMPARED_MS = 60_000;

export interface StreamSourceOptions {
  stream: StreamGroup;
  /** Reads the outbox itself: for as long as Redis is away. */
  withoutRedis: OutboxSource;
  /** Which conversations have more than the consumer has seen; see catch-up.ts. */
  findBehind(): AsyncGenerator<string[]>;
  log: Logger;
}

/** A comparison that runs because entries were lost. */
interface Comparison {
  pages: AsyncGenerator<string[]>;
  /** What is made good by it. */
  behind: string[];
  /** Found, and not taken yet. */
  found: string[];
  /** Hints of it that are not done. */
  open: number;
  /** Once all is found: by when these are done, or it is made anew, by the steady clock. */
  endsBy?: number;
}

/**
 * The source of many machines: a consumer's group shares the stream's hints among its workers, and what a dead worker was
 * given goes to another. Where the stream was trimmed before the group had read it, who sees it compares cursors, and it stays
 * to be seen until one of them is through. While Redis is away each worker reads the outbox for itself; leases in the database keep
 * them apart all the same.
 */
export class StreamSource implements JobSource {
  private isWithoutRedis = false;
  private lookAt = 0;
  private known: GroupState = { length: 0, oldestMs: 0, behind: [] };
  private comparison: Comparison | undefined;

  constructor(private readonly options: StreamSourceOptions) {}

  async start(): Promise<void> {
    this.goBackToStream();
    this.comparison = undefined;
  }

  async take(limit: number, waitMs: number): Promise<Hint[]> {
    const { stream, withoutRedis } = this.options;
    if (!stream.isUp) {
      if (!this.isWithoutRedis) await withoutRedis.start();
      this.isWithoutRedis = true;
      return withoutRedis.take(limit, waitMs);
    }
    // What was not done of it is in the outbox still, and the relay asks the cursors once Redis is back.
    this.goBackToStream();
    try {
      const late = await this.look(limit);
      if (late.length > 0) return late;
      const found = await this.compareOn(limit);
      if (found.length > 0) return found;
      return (await stream.read(limit, waitMs)).map((entry) => this.toHint(entry));
    } catch (error) {
      if (stream.isUp) throw error;
      return [];
    }
  }

  state(): SourceState {
    if (this.isWithoutRedis) return this.options.withoutRedis.state();
    return { oldestMs: this.known.oldestMs, streamLength: this.known.length };
  }

  async stop(): Promise<void> {
    await this.comparison?.pages.return(undefined);
    await this.options.withoutRedis.stop();
  }

  private goBackToStream(): void {
    if (this.isWithoutRedis) this.options.withoutRedis.pause();
    this.isWithoutRedis = false;
  }

  /** Now and then: what dead workers were given, and whether something was lost. */
  private async look(limit: number): Promise<Hint[]> {
    if (performance.now() < this.lookAt) return [];
    const { stream, findBehind, log } = this.options;
    this.known = await stream.state();
    const { entries, isCut } = await stream.takeOver(limit, DEAD_AFTER_MS);
    const { behind } = this.known;
    if (!this.comparison && (isCut || behind.length > 0)) {
      log.warn({ group: stream.group }, 'the stream was trimmed before this group had read it: cursors are compared');
      this.comparison = { pages: findBehind(), behind, found: [], open: 0 };
    }
    // Where there is more of it, the next look is at once.
    if (entries.length < limit) this.lookAt = performance.now() + LOOK_MS;
    return entries.map((entry) => this.toHint(entry));
  }

  /** Some of those that a comparison has found; once all of them are kept, what it was made for is made good. */
  private async compareOn(limit: number): Promise<Hint[]> {
    const { comparison } = this;
    if (!comparison) return [];
    if (comparison.endsBy !== undefined) {
      if (comparison.open === 0) await this.options.stream.caughtUp(comparison.behind);
      if (comparison.open === 0 || performance.now() > comparison.endsBy) this.comparison = undefined;
      return [];
    }
    if (comparison.found.length === 0) {
      try {
        const { value, done } = await comparison.pages.next();
        if (done) comparison.endsBy = performance.now() + COMPARED_MS;
        else comparison.found = value;
      } catch (error) {
        // Half a comparison is none.
        this.comparison = undefined;
        throw error;
      }
    }
    const taken = comparison.found.splice(0, limit);
    comparison.open += taken.length;
    const done = () => {
      comparison.open--;
    };
    return taken.map((conversationId) => ({ conversationId, done }));
  }

  private toHint({ id, conversationId }: StreamEntry): Hint {
    const { stream, log } = this.options;
    return {
      conversationId,
      done() {
        // An entry that stays comes again, and is found to be done.
        stream.done(id).catch((error) => log.debug({ err: error }, 'a hint could not be taken out of the stream'));
      },
    };
  }
}
