import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ErrorCode } from '../../protocol/errors.ts';
import { watchEventLoop } from './event-loop-lag.ts';
import { addProcessMetrics } from './process-metrics.ts';

/** Values that are known elsewhere at any moment: they are asked for at each scrape, and cost nothing between. */
export interface MetricSources {
  /** Open sockets, by the mode they speak. */
  connections(): { plain: number; v1: number };
  /** Different users with a socket here. */
  activeUsers(): number;
  /** Messages that wait for their commit. */
  queued(): number;
  /** Long answers that are being read. */
  answersUnderWay(): number;
  /** Messages handed to sockets since the start, counted once a socket. */
  deliveries?(): number;
  /** Where nodes are joined: whether Redis is there, and the publications since the start, those that it got and those lost. */
  redis?: { isUp(): boolean; published(): number; dropped(): number };
  /** The work of each consumer, where this process has workers. */
  jobs?(): ReadonlyMap<string, JobState> | undefined;
}

/** What a worker knows of its consumer's work. */
export interface JobState {
  /** Jobs that were given up and wait for an operator. */
  parked: number;
  /** Conversations with a job that fails. */
  waiting: number;
  /** For how long the oldest job has waited, in milliseconds. */
  oldestMs: number;
  /** Hints in the stream that are not done, where nodes share one. */
  streamLength?: number;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What this process tells Prometheus about itself. Each instance has its own registry: nothing here is global. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly stopWatching: () => void;

  private readonly messages: Counter;
  private readonly batchSize: Histogram;
  private readonly commitSeconds: Histogram;
  private readonly errors: Counter<'code'>;
  private readonly httpSeconds: Histogram<'method' | 'route' | 'status'>;
  private readonly jobs: Counter<'outcome'>;
  private readonly consumerJobs: Counter<'consumer' | 'outcome'>;
  private readonly cutAnswers: Counter;

  constructor(sources: MetricSources) {
    const registers = [this.registry];
    this.messages = new Counter({
      name: 'parley_messages_total',
      help: 'Messages accepted: committed to the log',
      registers,
    });
    this.batchSize = new Histogram({
      name: 'parley_commit_batch_size',
      help: 'Messages that shared a commit',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000],
      registers,
    });
    this.commitSeconds = new Histogram({
      name: 'parley_commit_seconds',
      help: 'Time from taking a batch to its commit, in seconds',
      buckets: [0.0001, 0.00025, 0.0005, ...SECONDS],
      registers,
    });
    this.errors = new Counter({
      name: 'parley_errors_total',
      help: 'Failures that clients were told of, over HTTP and WebSocket',
      labelNames: ['code'],
      registers,
    });
    this.httpSeconds = new Histogram({
      name: 'parley_http_request_seconds',
      help: 'Time to answer a request, in seconds',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers,
    });
    this.cutAnswers = new Counter({
      name: 'parley_cut_answers_total',
      help: 'Long answers that were given up because nobody read them',
      registers,
    });
    this.jobs = new Counter({
      name: 'parley_jobs_total',
      help: 'Tries of jobs that were done or failed, and jobs that were parked',
      labelNames: ['outcome'],
      registers,
    });
    this.consumerJobs = new Counter({
      name: 'parley_consumer_jobs_total',
      help: 'The same, for each consumer',
      labelNames: ['consumer', 'outcome'],
      registers,
    });
    const lag = new Histogram({
      name: 'parley_event_loop_lag_seconds',
      help: 'By how much a timer was late, in seconds, twenty samples a second',
      buckets: SECONDS,
      registers,
    });
    this.stopWatching = watchEventLoop((seconds) => lag.observe(seconds));
    addSourceMetrics(this.registry, sources);
    addProcessMetrics(this.registry);
  }

  /** A batch of `size` messages was answered, `appended` of them new and not retries or refused. */
  batchCommitted(size: number, seconds: number, appended: number = size): void {
    this.batchSize.observe(size);
    this.commitSeconds.observe(seconds);
    this.messages.inc(appended);
  }

  /** A try of a consumer's job ended. */
  jobEnded(consumer: string, outcome: 'done' | 'failed' | 'parked'): void {
    this.jobs.inc({ outcome });
    this.consumerJobs.inc({ consumer, outcome });
  }

  /** An answer was given up because nobody read it. */
  answerCut(): void {
    this.cutAnswers.inc();
  }

  /** A client was told of a failure. */
  failed(code: ErrorCode): void {
    this.errors.inc({ code });
  }

  /** A request was answered. `route` is the pattern, not the path, so that there are few of them. */
  requested(route: string, method: string, status: number, milliseconds: number): void {
    this.httpSeconds.observe({ method, route, status }, milliseconds / 1000);
  }

  /** All of it, as Prometheus reads it; `contentType` says which format that is. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Ends the watch over the event loop. */
  stop(): void {
    this.stopWatching();
  }
}

function addSourceMetrics(registry: Registry, sources: MetricSources): void {
  const registers = [registry];
  new Gauge({
    name: 'parley_connections',
    help: 'Open sockets',
    labelNames: ['mode'],
    registers,
    collect() {
      const { plain, v1 } = sources.connections();
      this.set({ mode: 'plain' }, plain);
      this.set({ mode: 'v1' }, v1);
    },
  });
  new Gauge({
    name: 'parley_active_users',
    help: 'Different users with a socket',
    registers,
    collect() {
      this.set(sources.activeUsers());
    },
  });
  new Gauge({
    name: 'parley_commit_queue_length',
    help: 'Messages that wait for their commit',
    registers,
    collect() {
      this.set(sources.queued());
    },
  });
  new Gauge({
    name: 'parley_answers_under_way',
    help: 'Long answers that are being read by their clients',
    registers,
    collect() {
      this.set(sources.answersUnderWay());
    },
  });
  if (sources.redis) addRedisMetrics(registry, sources.redis);
  addJobMetrics(registers, sources);
  const { deliveries } = sources;
  if (!deliveries) return;
  new Counter({
    name: 'parley_deliveries_total',
    help: 'Messages handed to sockets, once for each socket',
    registers,
    collect() {
      this.reset();
      this.inc(deliveries.call(sources));
    },
  });
}

function addRedisMetrics(registry: Registry, redis: NonNullable<MetricSources['redis']>): void {
  const registers = [registry];
  new Gauge({
    name: 'parley_redis_up',
    help: 'Whether Redis is there: 1 or 0',
    registers,
    collect() {
      this.set(redis.isUp() ? 1 : 0);
    },
  });
  new Counter({
    name: 'parley_bus_published_total',
    help: 'Publications that were given to Redis for other nodes',
    registers,
    collect() {
      this.reset();
      this.inc(redis.published());
    },
  });
  new Counter({
    name: 'parley_bus_dropped_total',
    help: 'Publications that other nodes were not sent, and learn of through the outbox',
    registers,
    collect() {
      this.reset();
      this.inc(redis.dropped());
    },
  });
}

interface JobGauge {
  /** What follows `parley_jobs_` and `parley_consumer_`. */
  name: string;
  help: string;
  read(state: JobState): number | undefined;
  /** Of several consumers. */
  together(values: number[]): number;
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const JOB_GAUGES: JobGauge[] = [
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

/** Each of all consumers together, and of each consumer. */
function addJobMetrics(registers: Registry[], sources: MetricSources): void {
  for (const { name, help, read, together } of JOB_GAUGES) {
    const values = () =>
      [...(sources.jobs?.() ?? [])].flatMap(([consumer, state]) => {
        const value = read(state);
        return value === undefined ? [] : [{ consumer, value }];
      });
    new Gauge({
      name: `parley_jobs_${name}`,
      help,
      registers,
      collect() {
        const all = values().map(({ value }) => value);
        if (all.length > 0) this.set(together(all));
      },
    });
    new Gauge({
      name: `parley_consumer_${name}`,
      help: `${help}, for each consumer`,
      labelNames: ['consumer'],
      registers,
      collect() {
        for (const { consumer, value } of values()) this.set({ consumer }, value);
      },
    });
  }
}
