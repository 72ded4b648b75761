import { expect, test } from 'bun:test';
import { RetryPolicy } from './retry-policy.ts';

const options = { tries: 15, baseMs: 5000, capMs: 3_600_000 };

test('waits are random up to a bound that doubles, and never beyond the cap', () => {
  const longest = new RetryPolicy(options, () => 1);
  expect([1, 2, 3, 4].map((attempts) => longest.delay(attempts))).toEqual([5000, 10_000, 20_000, 40_000]);
  expect(longest.delay(1000)).toBe(3_600_000);
  expect(new RetryPolicy(options, () => 0.5).delay(3)).toBe(10_000);
  expect(new RetryPolicy(options, () => 0).delay(3)).toBe(0);
});

test('a time that was asked for counts, up to the cap', () => {
  const policy = new RetryPolicy(options, () => 0);
  expect([policy.delay(1, 7000), policy.delay(1, 86_400_000)]).toEqual([7000, 3_600_000]);
});

test('is over after the tries', () => {
  const policy = new RetryPolicy(options);
  expect([policy.isOver(14), policy.isOver(15)]).toEqual([false, true]);
});
