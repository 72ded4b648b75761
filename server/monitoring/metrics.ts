import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ErrorCode } from '../../protocol/errors.ts';
import { watchEventLoop } from './event-loop-lag.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { addQueueMetrics, type QueueState } from './queue-metrics.ts';

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
  /** The worker's work, where this process has a worker. */
  jobs?(): JobState | undefined;
  /** The queue of other jobs, where this process works on it. */
  queue?(): QueueState | undefined;
}

/** What the worker knows of its work. */
export interface JobState {
  /** Jobs that were given up and wait for an operator. */
  parked: number;
  /** Conversations with a job that fails. */
  waiting: number;
  /** For how long the oldest job has waited, in milliseconds. */
  oldestMs: number;
  /** Hints in the stream, where nodes share one. */
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
  private readonly queuedJobs: Counter<'kind' | 'outcome'>;
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
    this.queuedJobs = addQueueMetrics(registers, () => sources.queue?.());
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

  /** A try of a job ended. */
  jobEnded(outcome: 'done' | 'failed' | 'parked'): void {
    this.jobs.inc({ outcome });
  }

  /** A try of a job of the queue ended. */
  queuedJobEnded(kind: string, outcome: 'done' | 'failed' | 'parked'): void {
    this.queuedJobs.inc({ kind, outcome });
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

const JOB_GAUGES: Record<string, [help: string, read: (state: JobState) => number | undefined]> = {
  parley_jobs_parked: ['Jobs that were given up and wait for an operator', (state) => state.parked],
  parley_jobs_waiting: ['Conversations with a job that failed and is tried again', (state) => state.waiting],
  parley_jobs_stream_length: ['Hints of work in the stream that are not done', (state) => state.streamLength],
  parley_jobs_oldest_seconds: ['For how long the oldest job has waited, in seconds', (state) => state.oldestMs / 1000],
};

function addJobMetrics(registers: Registry[], sources: MetricSources): void {
  for (const [name, [help, read]] of Object.entries(JOB_GAUGES)) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const state = sources.jobs?.();
        const value = state && read(state);
        if (value !== undefined) this.set(value);
      },
    });
  }
}
