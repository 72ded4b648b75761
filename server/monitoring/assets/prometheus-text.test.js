// @ts-check
import { expect, test } from 'bun:test';
import { growth, mean, parseScrape, quantile, sum } from './prometheus-text.js';

const BEFORE = parseScrape(`# HELP errors Failures
# TYPE errors counter
errors{code="forbidden"} 3
errors{code="odd \\"one\\", {\\\\}"} 1

seconds_bucket{le="0.1"} 10
seconds_bucket{le="0.5"} 10
seconds_bucket{le="+Inf"} 10
seconds_sum 1
seconds_count 10
`);

const NOW = parseScrape(`errors{code="forbidden"} 5
errors{code="new"} 2
seconds_bucket{le="0.1"} 60
seconds_bucket{le="0.5"} 110
seconds_bucket{le="+Inf"} 110
seconds_sum 21
seconds_count 110
`);

test('samples are read with their labels, comments are not', () => {
  expect(BEFORE.get('errors')).toEqual([
    { labels: { code: 'forbidden' }, value: 3 },
    { labels: { code: 'odd "one", {\\}' }, value: 1 },
  ]);
  expect(BEFORE.has('#')).toBe(false);
});

test('a sum is over the samples with the labels asked for', () => {
  expect(sum(NOW, 'errors')).toBe(7);
  expect(sum(NOW, 'errors', { code: 'new' })).toBe(2);
  expect(sum(NOW, 'errors', { code: 'other' })).toBeNull();
});

test('a counter grows from nothing, and has no growth where the server began anew', () => {
  expect(growth(BEFORE, NOW, 'errors', { code: 'forbidden' })).toBe(2);
  expect(growth(BEFORE, NOW, 'errors', { code: 'new' })).toBe(2);
  expect(growth(NOW, BEFORE, 'errors', { code: 'forbidden' })).toBeNull();
});

test('means and quantiles are of what came between the scrapes', () => {
  expect(mean(BEFORE, NOW, 'seconds')).toBe(0.2);
  expect(quantile(BEFORE, NOW, 'seconds', 0.5)).toBeCloseTo(0.1);
  expect(quantile(BEFORE, NOW, 'seconds', 0.75)).toBeCloseTo(0.3);
  expect(mean(NOW, NOW, 'seconds')).toBeNull();
  expect(quantile(NOW, NOW, 'seconds', 0.99)).toBeNull();
});
