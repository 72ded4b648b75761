import { expect, test } from 'bun:test';
import { median, spread } from './percentiles.ts';

test('percentiles are values that were measured', () => {
  const values = Float64Array.from({ length: 200 }, (_, index) => 200 - index);
  expect(spread(values)).toEqual({ count: 200, p50: 100, p99: 198, max: 200 });
});

test('of few values the 99th percentile is the largest', () => {
  expect(spread(Float64Array.of(3, 1, 2))).toEqual({ count: 3, p50: 2, p99: 3, max: 3 });
});

test('the median of an even count lies between the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([5, 1, 3])).toBe(3);
});
