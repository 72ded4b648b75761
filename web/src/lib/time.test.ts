import { expect, test } from 'bun:test';
import { ago, dayLabel, dayOf, until } from './time.ts';

const NOW = new Date(2026, 5, 10, 12).getTime();
const HOUR = 3_600_000;

test('two times of one local day are the same day', () => {
  expect(dayOf(NOW)).toBe(dayOf(NOW + 11 * HOUR));
  expect(dayOf(NOW)).not.toBe(dayOf(NOW + 12 * HOUR));
});

test('the last two days have names', () => {
  expect([dayLabel(NOW, NOW), dayLabel(NOW - 24 * HOUR, NOW)]).toEqual(['Today', 'Yesterday']);
  expect(dayLabel(NOW - 48 * HOUR, NOW)).toContain('8');
});

test('how long ago somebody was there is said in whole minutes and hours', () => {
  expect(ago(NOW - 5 * 60_000, NOW)).toBe('5 minutes ago');
  expect(ago(NOW - 3 * HOUR, NOW)).toBe('3 hours ago');
});

test('how long it is until then is never said to be shorter than it is', () => {
  expect([0, 400, 59_000].map(until)).toEqual(['in 1 second', 'in 1 second', 'in 59 seconds']);
  expect([60_000, 61_000, 59 * 60_000].map(until)).toEqual(['in 1 minute', 'in 2 minutes', 'in 59 minutes']);
  expect([59.5 * 60_000, 61 * 60_000].map(until)).toEqual(['in 1 hour', 'in 2 hours']);
});
