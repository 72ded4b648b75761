// @ts-check

/**
 * One line of a scrape.
 * @typedef {{ labels: Record<string, string>, value: number }} Sample
 */

/**
 * All lines of a scrape, by the name of their metric.
 * @typedef {Map<string, Sample[]>} Scrape
 */

const LINE = /^([a-zA-Z_:][\w:]*)(?:{(.*)})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/**
 * Reads Prometheus's text format, version 0.0.4. What is no sample is skipped.
 * @param {string} text
 * @returns {Scrape}
 */
export function parseScrape(text) {
  /** @type {Scrape} */
  const scrape = new Map();
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [, name = '', labels = '', value = ''] = match;
    const sample = { labels: readLabels(labels), value: readNumber(value) };
    const others = scrape.get(name);
    if (others) others.push(sample);
    else scrape.set(name, [sample]);
  }
  return scrape;
}

/**
 * The sum of a metric's samples that have these labels, or null where there is none.
 * @param {Scrape} scrape
 * @param {string} name
 * @param {Record<string, string>} [labels]
 * @returns {number | null}
 */
export function sum(scrape, name, labels = {}) {
  const wanted = Object.entries(labels);
  const samples = (scrape.get(name) ?? []).filter((sample) => wanted.every(([key, is]) => sample.labels[key] === is));
  return samples.length === 0 ? null : samples.reduce((total, { value }) => total + value, 0);
}

/**
 * By how much a counter grew between two scrapes; null where it is unknown, or began anew with the process.
 * @param {Scrape} before
 * @param {Scrape} now
 * @param {string} name
 * @param {Record<string, string>} [labels]
 * @returns {number | null}
 */
export function growth(before, now, name, labels) {
  const value = sum(now, name, labels);
  if (value === null) return null;
  const grown = value - (sum(before, name, labels) ?? 0);
  return grown < 0 ? null : grown;
}

/**
 * The value that a share of a histogram's observations between two scrapes stayed below, interpolated inside its bucket
 * like Prometheus's histogram_quantile; null where there were none.
 * @param {Scrape} before
 * @param {Scrape} now
 * @param {string} name
 * @param {number} share between 0 and 1
 * @returns {number | null}
 */
export function quantile(before, now, name, share) {
  const bounds = new Set((now.get(`${name}_bucket`) ?? []).map(({ labels }) => labels.le ?? ''));
  const buckets = [...bounds].map((le) => ({
    bound: readNumber(le),
    count: growth(before, now, `${name}_bucket`, { le }) ?? 0,
  }));
  const rank = share * (buckets.at(-1)?.count ?? 0);
  if (rank === 0) return null;
  let lower = { bound: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      if (bucket.bound === Infinity) return lower.bound;
      const part = (rank - lower.count) / (bucket.count - lower.count);
      return lower.bound + (bucket.bound - lower.bound) * part;
    }
    lower = bucket;
  }
  return lower.bound;
}

/**
 * The mean of a histogram's observations between two scrapes; null where there were none.
 * @param {Scrape} before
 * @param {Scrape} now
 * @param {string} name
 * @returns {number | null}
 */
export function mean(before, now, name) {
  const count = growth(before, now, `${name}_count`);
  const total = growth(before, now, `${name}_sum`);
  return count && total !== null ? total / count : null;
}

/** @param {string} text */
function readLabels(text) {
  /** @type {Record<string, string>} */
  const labels = {};
  for (const [, key = '', value = ''] of text.matchAll(LABEL)) {
    labels[key] = value.replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  return labels;
}

/** @param {string} text */
function readNumber(text) {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}
