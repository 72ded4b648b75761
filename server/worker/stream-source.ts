import type { Logger } from '../shared/logger.ts';
import type { JobStream, StreamEntry, StreamState } from './job-stream.ts';
import type { Hint, JobSource, SourceState } from './jobs.ts';

/** How often entries of dead workers are looked for, in milliseconds. */
const TAKE_OVER_MS = 5000;
/** After how long a worker that has not kept what it was given is taken for dead, in milliseconds. */
const DEAD_AFTER_MS = 10_000;

export interface StreamSourceOptions {
  stream: JobStream;
  /** Reads the outbox itself: for as long as Redis is away. */
  withoutRedis: JobSource;
  log: Logger;
}

/**
 * The source of many machines: a consumer group shares the stream's hints among the workers, and what a dead worker was
 * given goes to another. While Redis is away each worker reads the outbox for itself; leases in the database keep them apart
 * all the same.
 */
export class StreamSource implements JobSource {
  private isWithoutRedis = false;
  private takeOverAt = 0;
  private known: StreamState = { length: 0, oldestMs: 0 };

  constructor(private readonly options: StreamSourceOptions) {}

  async start(): Promise<void> {
    this.isWithoutRedis = false;
  }

  async take(limit: number, waitMs: number): Promise<Hint[]> {
    const { stream, withoutRedis } = this.options;
    if (!stream.isUp) {
      if (!this.isWithoutRedis) await withoutRedis.start();
      this.isWithoutRedis = true;
      return withoutRedis.take(limit, waitMs);
    }
    // What was not done of it is in the outbox still, and the relay asks the cursors once Redis is back.
    this.isWithoutRedis = false;
    try {
      const late = await this.takeOver(limit);
      const entries = late.length > 0 ? late : await stream.read(limit, waitMs);
      return entries.map((entry) => this.toHint(entry));
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
    await this.options.withoutRedis.stop();
  }

  private async takeOver(limit: number): Promise<StreamEntry[]> {
    if (performance.now() < this.takeOverAt) return [];
    this.known = await this.options.stream.state();
    const entries = await this.options.stream.takeOver(limit, DEAD_AFTER_MS);
    // Where there is more of it, the next look is at once.
    if (entries.length < limit) this.takeOverAt = performance.now() + TAKE_OVER_MS;
    return entries;
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
