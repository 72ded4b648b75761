import type { Core } from '../core.ts';
import { RetryPolicy } from '../shared/retry-policy.ts';
import { sweep } from '../shared/sweep.ts';
import { Duties, type Duty } from './duties.ts';
import { DutyRepository } from './duty-repository.ts';
import type { AnyKinds, JobHandlers } from './handlers.ts';
import { JobRepository } from './job-repository.ts';
import { JobRunner } from './job-runner.ts';

/** For how long a parked job waits for an operator, in milliseconds: 30 days. */
const PARKED_KEPT_MS = 30 * 24 * 3_600_000;
const SWEEP_MS = 3_600_000;
/** Rows that one statement deletes, so that no message waits long for its turn to write. */
const SWEEP_CHUNK = 1000;

export interface JobsNeeds {
  /** Who does which kinds. */
  handlers: JobHandlers<AnyKinds>;
  /** What is done by the clock. */
  duties: Duty[];
}

/**
 * Who works on the queue of jobs that belong to no conversation, and does the duties by the clock. Every node takes part in
 * the duties; those with the role `worker` do the jobs.
 */
export function createJobs(core: Core, { handlers, duties }: JobsNeeds): void {
  const { config, logger, lifecycle, metrics, database, queue } = core;
  const { tries, retry_base, retry_cap, concurrency } = config.worker;
  const repository = new JobRepository(database);
  const ended = metrics.counter({
    name: 'parley_queue_jobs_total',
    help: 'Tries of jobs of the queue that were done or failed, and jobs that were parked',
    labelNames: ['kind', 'outcome'],
  });
  const runner = new JobRunner({
    handlers: config.roles.includes('worker') ? handlers : {},
    queue,
    repository,
    retry: new RetryPolicy({ tries, baseMs: retry_base, capMs: retry_cap }),
    concurrency,
    isAlone: database.engine === 'sqlite',
    log: logger,
    observe: (kind, outcome) => ended.inc({ kind, outcome }),
  });
  const jobs = 'Jobs of the queue: waiting or parked in the database, running on this node';
  metrics.gauges('parley_queue_jobs', jobs, 'state', () => {
    const state = runner.state();
    return state && { waiting: state.waiting, running: state.running, parked: state.parked };
  });
  const oldest = 'For how long the oldest job of the queue that is due has waited, in seconds';
  metrics.gauge('parley_queue_oldest_seconds', oldest, () => {
    const state = runner.state();
    return state && state.oldestMs / 1000;
  });

  const parked: Duty = {
    name: 'parked-jobs',
    everyMs: SWEEP_MS,
    run: (signal) => sweep(SWEEP_CHUNK, (limit) => repository.deleteParked(PARKED_KEPT_MS, limit), signal),
  };
  const all = new Duties({ duties: [...duties, parked], repository: new DutyRepository(database), log: logger });
  lifecycle.onStart('queue', () => runner.start());
  lifecycle.onStart('duties', () => all.start());
  lifecycle.onStop('finish', 'queue', (graceMs) => runner.stop(graceMs));
  lifecycle.onStop('finish', 'duties', (graceMs) => all.stop(graceMs));
}
