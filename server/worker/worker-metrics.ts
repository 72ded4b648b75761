import type { Metrics } from '../monitoring/metrics.ts';
import type { WorkerState } from './worker.ts';

interface JobGauge {
  /** What follows `parley_jobs_` and `parley_consumer_`. */
  name: string;
  help: string;
  read(state: WorkerState): number | undefined;
  /** Of several consumers. */
  together(values: number[]): number;
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

const GAUGES: JobGauge[] = [
  {
    name: 'parked',
    help: 'Jobs that were given up and wait for an operator',
    read: (state) => state.parked,
    together: sum,
  },
  {
    name: 'waiting',
    help: 'Conversations with a job that failed and is tried again',
    read: (state) => state.waiting,
    together: sum,
  },
  {
    name: 'stream_length',
    help: 'Hints of work in the stream that are not done',
    read: (state) => state.streamLength,
    together: sum,
  },
  {
    name: 'oldest_seconds',
    help: 'For how long the oldest job has waited, in seconds',
    read: (state) => state.oldestMs / 1000,
    together: (values) => Math.max(...values),
  },
];

export type Observe = (consumer: string, outcome: 'done' | 'failed' | 'parked') => void;

/** Counts the tries of all consumers together, and of each. */
export function countTries(metrics: Metrics): Observe {
  const help = 'Tries of jobs that were done or failed, and jobs that were parked';
  const all = metrics.counter({ name: 'parley_jobs_total', help, labelNames: ['outcome'] });
  const labelNames = ['consumer', 'outcome'] as const;
  const each = metrics.counter({ name: 'parley_consumer_jobs_total', help: 'The same, for each consumer', labelNames });
  return (consumer, outcome) => {
    all.inc({ outcome });
    each.inc({ consumer, outcome });
  };
}

/** Tells what is known of the work of all consumers together, and of each. */
export function gaugeWork(metrics: Metrics, states: () => ReadonlyMap<string, WorkerState>): void {
  for (const { name, help, read, together } of GAUGES) {
    const values = () => {
      const known = [...states()].map(([consumer, state]) => [consumer, read(state)] as const);
      return Object.fromEntries(known.filter((entry): entry is [string, number] => entry[1] !== undefined));
    };
    metrics.gauge(`parley_jobs_${name}`, help, () => {
      const all = Object.values(values());
      return all.length > 0 ? together(all) : undefined;
    });
    metrics.gauges(`parley_consumer_${name}`, `${help}, for each consumer`, 'consumer', values);
  }
}
