import type { Logger } from '../shared/logger.ts';
import type { RetryPolicy } from '../shared/retry-policy.ts';
import type { AnyKinds, JobHandlers } from './handlers.ts';
import type { JobQueue } from './job-queue.ts';
import type { ClaimedJob, JobRepository, QueueCounts } from './job-repository.ts';
import { type Ending, JobTry } from './job-try.ts';
import { Pause } from './pause.ts';

/** How often what is due is looked for without a hint, in milliseconds. */
const DUE_POLL_MS = 500;
const COUNT_MS = 10_000;
/** After a failure of the database, in milliseconds. */
const RECOVER_MS = 1000;
/** What a lease leaves for ending a try and for the database, beyond the try's own time, in milliseconds. */
const LEASE_SLACK_MS = 5000;
/** Beyond so many parked jobs nothing more is parked: jobs wait instead, at the longest delay. */
const MAX_PARKED = 10_000;

export interface JobRunnerOptions {
  handlers: JobHandlers<AnyKinds>;
  queue: Pick<JobQueue<AnyKinds>, 'onWake'>;
  repository: JobRepository;
  retry: RetryPolicy;
  /** Jobs that run at once. */
  concurrency: number;
  /** Whether no other process works on this database: then what is held at the start is held by the dead. */
  isAlone: boolean;
  log: Logger;
  /** A try ended. */
  observe(kind: string, outcome: 'done' | 'failed' | 'parked'): void;
}

/** What is known of the queue at a moment: jobs of the whole database, but for `running`, those of this process. */
export interface QueueState extends QueueCounts {
  running: number;
}

/**
 * Does the jobs of the queue whose kinds have a handler here, several at once. Without handlers it does nothing at all.
 *
 * A try holds its job by a lease, which is a little longer than the try may last and is never renewed. What is done goes out
 * of the table; what fails waits, longer each time; what failed too often, or cannot succeed, is parked. A crash leaves a
 * lease that ends: then any runner takes the job up. A job whose every try took its process with it is parked too.
 */
export class JobRunner {
  private readonly running = new Set<Promise<void>>();
  private readonly leases: ReadonlyMap<string, number>;
  private readonly aborter = new AbortController();
  private readonly pause = new Pause();
  private loop: Promise<void> = Promise.resolve();
  private isStopping = false;
  private countAt = 0;
  private known: QueueCounts = { waiting: 0, parked: 0, oldestMs: 0 };
  private stopHearing: () => void = () => {};

  constructor(private readonly options: JobRunnerOptions) {
    this.leases = new Map(
      Object.entries(options.handlers).flatMap(([kind, handler]) =>
        handler === undefined ? [] : [[kind, handler.timeoutMs + LEASE_SLACK_MS]],
      ),
    );
  }

  /** Begins in the background: a database that is away delays it, and nothing else. */
  start(): void {
    if (this.leases.size === 0) return;
    this.stopHearing = this.options.queue.onWake(() => this.pause.cutShort());
    this.loop = this.run();
  }

  /** Takes nothing new and waits for what runs; what is not done by then is broken off and given back. */
  async stop(graceMs: number): Promise<void> {
    this.isStopping = true;
    this.stopHearing();
    this.pause.cutShort();
    const timer = setTimeout(() => this.aborter.abort(new Error('the node stops')), graceMs);
    await this.loop;
    await Promise.all(this.running);
    clearTimeout(timer);
  }

  /** Undefined where this node has no handlers: then it looks at nothing. */
  state(): QueueState | undefined {
    if (this.leases.size === 0) return undefined;
    return { ...this.known, running: this.running.size };
  }

  private async run(): Promise<void> {
    let isFirst = this.options.isAlone;
    let failures = 0;
    while (!this.isStopping) {
      try {
        if (isFirst) await this.options.repository.releaseAll();
        isFirst = false;
        await this.step();
        failures = 0;
      } catch (error) {
        this.options.log[failures++ === 0 ? 'error' : 'debug']({ err: error }, 'the queue of jobs failed');
        await this.pause.wait(RECOVER_MS);
      }
    }
  }

  private async step(): Promise<void> {
    await this.count();
    const free = this.options.concurrency - this.running.size;
    if (free <= 0) {
      await Promise.race(this.running);
      return;
    }
    const claims = await this.options.repository.claim(this.leases, free);
    for (const claim of claims) this.begin(claim);
    if (claims.length === 0) await this.pause.wait(DUE_POLL_MS);
  }

  /** What a metric says may be a little old; a scrape costs no query. */
  private async count(): Promise<void> {
    if (performance.now() < this.countAt) return;
    this.countAt = performance.now() + COUNT_MS;
    this.known = await this.options.repository.counts();
  }

  private begin(claim: ClaimedJob): void {
    const work = this.work(claim)
      // It is due again when the lease ends.
      .catch((error) => this.options.log.error({ err: error, ...fieldsOf(claim) }, 'the end of a job was not written'))
      .finally(() => this.running.delete(work));
    this.running.add(work);
  }

  private async work(claim: ClaimedJob): Promise<void> {
    const { repository, retry, handlers, log } = this.options;
    if (retry.isOver(claim.attempts - 1) && this.hasRoom) {
      await this.park(claim, 'no try was seen to end: its process died, or hung');
      return;
    }
    const ending = await new JobTry(claim, handlers[claim.kind]!, log).run(this.aborter.signal);
    if (ending.kind === 'broken off') {
      await repository.giveBack(claim);
      return;
    }
    this.options.observe(claim.kind, ending.kind === 'done' ? 'done' : 'failed');
    if (ending.kind === 'done') {
      if ((await repository.done(claim)) === 'again') this.pause.cutShort();
      return;
    }
    await this.fail(claim, ending);
  }

  private async fail(claim: ClaimedJob, ending: Exclude<Ending, { kind: 'done' | 'broken off' }>): Promise<void> {
    const { repository, retry, log } = this.options;
    const { reason } = ending;
    const isOver = ending.kind === 'hopeless' || retry.isOver(claim.attempts);
    if (isOver && this.hasRoom) {
      await this.park(claim, reason);
      return;
    }
    if (isOver) log.error({ ...fieldsOf(claim), reason }, 'too many jobs of the queue are parked: the job waits');
    const atLeastMs = isOver ? Number.POSITIVE_INFINITY : ending.kind === 'failed' ? ending.afterMs : undefined;
    const delayMs = retry.delay(claim.attempts, atLeastMs);
    const level = claim.attempts === 1 ? 'warn' : 'debug';
    log[level]({ ...fieldsOf(claim), reason, delay_ms: delayMs }, 'a job of the queue failed and is tried again');
    await repository.postpone(claim, reason, delayMs);
  }

  private async park(claim: ClaimedJob, reason: string): Promise<void> {
    const { repository, log, observe } = this.options;
    const result = await repository.park(claim, reason);
    if (result === 'again') this.pause.cutShort();
    if (result !== 'parked') return;
    this.known.parked++;
    observe(claim.kind, 'parked');
    log.error({ ...fieldsOf(claim), reason }, 'a job of the queue is parked: see "parley jobs"');
  }

  private get hasRoom(): boolean {
    return this.known.parked < MAX_PARKED;
  }
}

function fieldsOf({ id, kind, attempts }: ClaimedJob) {
  return { job_id: id, kind, attempts };
}
