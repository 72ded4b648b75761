import { Counter, type CounterConfiguration, Gauge, Histogram, Registry } from 'prom-client';
import type { ErrorCode } from '../../protocol/errors.ts';
import { atMostOnceIn } from '../shared/at-most-once-in.ts';
import { watchEventLoop } from './event-loop-lag.ts';
import { addProcessMetrics } from './process-metrics.ts';

/** Buckets for what takes from a millisecond to seconds. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * What this process tells Prometheus about itself. Each instance has its own registry: nothing here is global. Each part
 * of the server adds its own metrics at its birth; docs/OPERATIONS.md lists them all.
 */
export class Metrics {
  private readonly registry = new Registry();
  private readonly registers = [this.registry];
  private readonly errors: Counter<'code'>;
  private readonly stopWatching: () => void;

  /** `intervalMs` is how long what was made of the metrics is told again. */
  constructor(intervalMs: number) {
    this.text = atMostOnceIn(intervalMs, () => this.registry.metrics());
    const help = 'Failures that clients were told of, over HTTP and WebSocket';
    this.errors = this.counter({ name: 'parley_errors_total', help, labelNames: ['code'] });
    const lag = this.histogram({
      name: 'parley_event_loop_lag_seconds',
      help: 'By how much a timer was late, in seconds, twenty samples a second',
      buckets: SECONDS,
    });
    this.stopWatching = watchEventLoop((seconds) => lag.observe(seconds));
    addProcessMetrics(this.registry);
  }

  /** A client was told of a failure. */
  failed(code: ErrorCode): void {
    this.errors.inc({ code });
  }

  counter<Label extends string = never>(options: CounterConfiguration<Label>): Counter<Label> {
    return new Counter({ ...options, registers: this.registers });
  }

  histogram<Label extends string = never>(
    options: ConstructorParameters<typeof Histogram<Label>>[0],
  ): Histogram<Label> {
    return new Histogram({ ...options, registers: this.registers });
  }

  /** A value that is known elsewhere at any moment: it is read at each scrape. What is undefined is left out. */
  gauge(name: string, help: string, read: () => number | undefined): void {
    const collect = function (this: Gauge) {
      const value = read();
      if (value !== undefined) this.set(value);
    };
    new Gauge({ name, help, registers: this.registers, collect });
  }

  /** The same for a value that has one number for each value of a label. */
  gauges(name: string, help: string, label: string, read: () => Record<string, number> | undefined): void {
    const collect = function (this: Gauge) {
      for (const [value, number] of Object.entries(read() ?? {})) this.set({ [label]: value }, number);
    };
    new Gauge({ name, help, labelNames: [label], registers: this.registers, collect });
  }

  /** A counter that is kept elsewhere: what it has come to is read at each scrape. */
  reading(name: string, help: string, read: () => number): void {
    const collect = function (this: Counter) {
      this.reset();
      this.inc(read());
    };
    new Counter({ name, help, registers: this.registers, collect });
  }

  /**
   * All of it, as Prometheus reads it, made at most once in an interval, whoever asks; `contentType` says which format that is.
   */
  readonly text: () => Promise<string>;

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Ends the watch over the event loop. */
  stop(): void {
    this.stopWatching();
  }
}
