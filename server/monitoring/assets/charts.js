// @ts-check
import { growth, mean, quantile, sum } from './prometheus-text.js';

/** @typedef {import('./prometheus-text.js').Scrape} Scrape */

/**
 * Two scrapes that follow each other, and the seconds between them.
 * @typedef {{ before: Scrape, now: Scrape, seconds: number }} Step
 */

/**
 * One chart. `read` gives its lines by their labels, which may become more with time; null is a gap.
 * @typedef {object} Chart
 * @property {string} title
 * @property {(step: Step) => Record<string, number | null>} read
 * @property {(value: number) => string} format
 * @property {number} least the top of the axis, however low the lines are
 * @property {boolean} [sparse] whether a line goes on over gaps: for values that only exist when something happens
 * @property {string} [needs] the metric without which there is no such chart
 */

/**
 * In rows: what people do, how the log bears it, what it costs.
 * @type {Chart[]}
 */
export const CHARTS = [
  {
    title: 'Connections',
    read: ({ now }) => ({
      'parley.v1': sum(now, 'parley_connections', { mode: 'v1' }),
      plain: sum(now, 'parley_connections', { mode: 'plain' }),
      users: sum(now, 'parley_active_users'),
    }),
    format: count,
    least: 5,
  },
  {
    title: 'Messages per second',
    read: (step) => ({ accepted: rate(step, 'parley_messages_total') }),
    format: count,
    least: 5,
  },
  {
    title: 'Deliveries per second',
    read: (step) => ({ deliveries: rate(step, 'parley_deliveries_total') }),
    format: count,
    least: 5,
    needs: 'parley_deliveries_total',
  },
  { title: 'Errors per second, by code', read: errorRates, format: count, least: 2 },
  {
    title: 'Messages in a commit',
    read: (step) => distribution(step, 'parley_commit_batch_size'),
    format: count,
    least: 5,
    sparse: true,
  },
  {
    title: 'Time of a commit',
    read: (step) => distribution(step, 'parley_commit_seconds'),
    format: duration,
    least: 0.002,
    sparse: true,
  },
  {
    title: 'Messages waiting for a commit',
    read: ({ now }) => ({ waiting: sum(now, 'parley_commit_queue_length') }),
    format: count,
    least: 5,
  },
  {
    title: 'Event-loop lag',
    read: (step) => distribution(step, 'parley_event_loop_lag_seconds'),
    format: duration,
    least: 0.005,
  },
  {
    title: 'HTTP requests per second',
    read: (step) => ({ requests: rate(step, 'parley_http_request_seconds_count') }),
    format: count,
    least: 5,
  },
  {
    title: 'Time to answer over HTTP',
    read: (step) => distribution(step, 'parley_http_request_seconds'),
    format: duration,
    least: 0.005,
    sparse: true,
  },
  {
    title: 'CPU, 100 % is one core',
    read: (step) => ({ 'all threads': rate(step, 'process_cpu_seconds_total') }),
    format: percentage,
    least: 0.1,
  },
  {
    title: 'Memory',
    read: ({ now }) => ({
      resident: sum(now, 'process_resident_memory_bytes'),
      heap: sum(now, 'process_heap_used_bytes'),
    }),
    format: bytes,
    least: 50e6,
  },
];

/**
 * @param {Step} step
 * @param {string} name
 * @param {Record<string, string>} [labels]
 */
function rate({ before, now, seconds }, name, labels) {
  const grown = growth(before, now, name, labels);
  return grown === null ? null : grown / seconds;
}

/**
 * @param {Step} step
 * @param {string} name
 */
function distribution({ before, now }, name) {
  return { mean: mean(before, now, name), p99: quantile(before, now, name, 0.99) };
}

/** @param {Step} step */
function errorRates(step) {
  const codes = (step.now.get('parley_errors_total') ?? []).map(({ labels }) => labels.code ?? '');
  return Object.fromEntries(codes.map((code) => [code, rate(step, 'parley_errors_total', { code })]));
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** @param {number} value */
function count(value) {
  return compact.format(value < 100 ? Math.round(value * 10) / 10 : value);
}

/** @param {number} seconds */
function duration(seconds) {
  if (seconds === 0) return '0';
  if (seconds < 0.001) return `${compact.format(seconds * 1e6)} µs`;
  if (seconds < 1) return `${compact.format(seconds * 1000)} ms`;
  return `${compact.format(seconds)} s`;
}

/** @param {number} share */
function percentage(share) {
  return `${compact.format(share * 100)} %`;
}

/** @param {number} value */
function bytes(value) {
  return value < 1e9 ? `${compact.format(value / 1e6)} MB` : `${compact.format(value / 1e9)} GB`;
}
