import { Counter, Gauge, type Registry } from 'prom-client';

/** What is known of the queue of jobs that belong to no conversation. */
export interface QueueState {
  /** Jobs that nobody works on, be they due or not. */
  waiting: number;
  /** Jobs that run on this node. */
  running: number;
  /** Jobs that were given up and wait for an operator. */
  parked: number;
  /** For how long the oldest job that is due has waited, in milliseconds. */
  oldestMs: number;
}

/** Adds what is known of the queue at each scrape, and answers the counter of tries. */
export function addQueueMetrics(
  registers: Registry[],
  state: () => QueueState | undefined,
): Counter<'kind' | 'outcome'> {
  new Gauge({
    name: 'parley_queue_jobs',
    help: 'Jobs of the queue: waiting or parked in the database, running on this node',
    labelNames: ['state'],
    registers,
    collect() {
      const known = state();
      if (!known) return;
      this.set({ state: 'waiting' }, known.waiting);
      this.set({ state: 'running' }, known.running);
      this.set({ state: 'parked' }, known.parked);
    },
  });
  new Gauge({
    name: 'parley_queue_oldest_seconds',
    help: 'For how long the oldest job of the queue that is due has waited, in seconds',
    registers,
    collect() {
      const known = state();
      if (known) this.set(known.oldestMs / 1000);
    },
  });
  return new Counter({
    name: 'parley_queue_jobs_total',
    help: 'Tries of jobs of the queue that were done or failed, and jobs that were parked',
    labelNames: ['kind', 'outcome'],
    registers,
  });
}
