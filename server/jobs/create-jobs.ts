import type { Config } from '../config/config.ts';
import type { Database } from '../database/database.ts';
import type { Logger } from '../shared/logger.ts';
import { RetryPolicy } from '../worker/retry-policy.ts';
import { Duties, type Duty } from './duties.ts';
import { DutyRepository } from './duty-repository.ts';
import type { AnyKinds, JobHandlers } from './handlers.ts';
import { JobQueue } from './job-queue.ts';
import { JobRepository } from './job-repository.ts';
import { JobRunner, type JobRunnerOptions } from './job-runner.ts';

/** For how long a parked job waits for an operator, in milliseconds: 30 days. */
const PARKED_KEPT_MS = 30 * 24 * 3_600_000;
const SWEEP_MS = 3_600_000;
/** Rows that one statement deletes, so that no message waits long for its turn to write. */
const SWEEP_CHUNK = 1000;

export interface JobsDeps extends Pick<JobRunnerOptions, 'log' | 'observe'> {
  config: Pick<Config, 'worker' | 'data' | 'roles'>;
  database: Database;
  /** What a feature, or a test, has done; it is given the queue, for jobs that make others. */
  handlers?: MakeHandlers;
  /** What other parts have done by the clock. */
  duties: Duty[];
  log: Logger;
}

export type MakeHandlers = (deps: { queue: JobQueue<AnyKinds>; database: Database }) => JobHandlers<AnyKinds>;

/** The queue of jobs that belong to no conversation, who works on it here, and the duties by the clock. */
export class Jobs {
  constructor(
    readonly queue: JobQueue<AnyKinds>,
    readonly runner: JobRunner,
    private readonly duties: Duties,
  ) {}

  start(): void {
    this.runner.start();
    this.duties.start();
  }

  /** Takes nothing new and waits for what runs; what is not done by then is broken off and given back. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([this.runner.stop(graceMs), this.duties.stop(graceMs)]);
  }
}

/** Every node has a queue to write to and takes part in the duties; those with the role `worker` do the jobs. */
export function createJobs({ config, database, handlers, duties, log, observe }: JobsDeps): Jobs {
  const { tries, retry_base, retry_cap, concurrency } = config.worker;
  const repository = new JobRepository(database);
  const queue = new JobQueue<AnyKinds>(database.engine);
  const runner = new JobRunner({
    handlers: config.roles.includes('worker') ? (handlers?.({ queue, database }) ?? {}) : {},
    queue,
    repository,
    retry: new RetryPolicy({ tries, baseMs: retry_base, capMs: retry_cap }),
    concurrency,
    isAlone: config.data.url === '',
    log,
    observe,
  });
  const sweep: Duty = { name: 'parked-jobs', everyMs: SWEEP_MS, run: (signal) => sweepParked(repository, signal) };
  return new Jobs(
    queue,
    runner,
    new Duties({ duties: [...duties, sweep], repository: new DutyRepository(database), log }),
  );
}

async function sweepParked(repository: JobRepository, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if ((await repository.deleteParked(PARKED_KEPT_MS, SWEEP_CHUNK)) < SWEEP_CHUNK) return;
  }
}
