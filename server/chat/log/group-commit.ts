import { ParleyError } from '../../shared/errors.ts';
import { type AppendAnswer, type AppendRow, BatchError, type LogDriver } from './log-driver.ts';

export interface GroupCommitOptions {
  /** Messages that may wait; beyond it a message is refused as `unavailable`. */
  queueLimit: number;
  /** Told of each batch once it is durable; what it does is done before anyone hears their answer. It must not throw. */
  onCommitted(rows: AppendRow[], answers: AppendAnswer[]): void;
  /** Told of the size of each batch, how long it took, in seconds, and how many of it are new messages. */
  observe(size: number, seconds: number, appended: number): void;
}

interface Waiting {
  row: AppendRow;
  resolve(answer: AppendAnswer): void;
  reject(error: Error): void;
}

/**
 * Group commit: while one batch commits, the next gathers. There is no timer: a message that comes alone is written at
 * once, and the busier it gets, the more messages share one sync of the disk.
 */
export class GroupCommit {
  private queue: Waiting[] = [];
  private committing: Promise<void> | undefined;

  constructor(
    private readonly driver: LogDriver,
    private readonly options: GroupCommitOptions,
  ) {}

  /** Messages that wait for their batch. */
  get queued(): number {
    return this.queue.length;
  }

  /** Resolves when the row is on stable storage, or known from before, or refused; rejects when it is not stored. */
  append(row: AppendRow): Promise<AppendAnswer> {
    if (this.queue.length >= this.options.queueLimit) {
      return Promise.reject(new ParleyError('unavailable', 'Too many messages wait to be written: try again'));
    }
    const answer = new Promise<AppendAnswer>((resolve, reject) => this.queue.push({ row, resolve, reject }));
    this.committing ??= this.commitAll();
    return answer;
  }

  /** Resolves once nothing waits any more. */
  async flush(): Promise<void> {
    while (this.committing) await this.committing;
  }

  private async commitAll(): Promise<void> {
    while (this.queue.length > 0) await this.commit(() => this.queue.splice(0, this.driver.maxBatch));
    this.committing = undefined;
  }

  private async commit(take: () => Waiting[]): Promise<void> {
    let batch: Waiting[] | undefined;
    let started = 0;
    try {
      const answers = await this.driver.append(() => {
        started = performance.now();
        batch = take();
        return batch.map(({ row }) => row);
      });
      const appended = answers.filter((answer) => answer.kind === 'appended').length;
      this.options.observe(batch!.length, (performance.now() - started) / 1000, appended);
      this.settle(batch!, answers);
    } catch (error) {
      // A driver may refuse before it takes anything: then who waits is told, or this would try again for ever.
      await this.recover(batch ?? take(), error as Error);
    }
  }

  /**
   * Answers first: were telling of it to fail, a message that is stored must not look lost. Whoever waits for an answer goes
   * on in a later microtask, when everything here is done.
   */
  private settle(batch: Waiting[], answers: AppendAnswer[]): void {
    for (const [index, { resolve }] of batch.entries()) resolve(answers[index]!);
    this.options.onCommitted(
      batch.map(({ row }) => row),
      answers,
    );
  }

  /** Splits a batch in which a row may be at fault, until that row fails alone. */
  private async recover(batch: Waiting[], error: Error): Promise<void> {
    if (batch.length > 1 && error instanceof BatchError && error.rowAtFault) {
      const middle = batch.length >> 1;
      await this.commit(() => batch.slice(0, middle));
      await this.commit(() => batch.slice(middle));
      return;
    }
    for (const { reject } of batch) reject(error);
  }
}
