/** What a set of measured values looks like; milliseconds where they are times. */
export interface Spread {
  count: number;
  p50: number;
  p99: number;
  max: number;
}

/** Nearest-rank percentiles: each one is a value that was measured. Sorts `values` in place. */
export function spread(values: Float64Array): Spread {
  values.sort();
  const rank = (share: number) => values[Math.max(0, Math.ceil(values.length * share) - 1)] ?? Number.NaN;
  return { count: values.length, p50: rank(0.5), p99: rank(0.99), max: rank(1) };
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
