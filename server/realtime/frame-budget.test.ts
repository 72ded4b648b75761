import { expect, test } from 'bun:test';
import {
  FRAME_BURST_BYTES,
  FRAME_BYTES_A_SECOND,
  MAX_FRAME_BYTES,
  MAX_WAITING_BYTES,
  MIN_FRAME_BYTES,
} from '../../protocol/limits.ts';
import { type FrameBudget, FrameBudgets } from './frame-budget.ts';

/** Takes so many bytes in frames as large as can be; answers when the last of them is due. */
function takeAll(budget: FrameBudget, bytes: number, now: number): number | undefined {
  let due: number | undefined = now;
  for (let taken = 0; taken < bytes; taken += MAX_FRAME_BYTES) due = budget.take(MAX_FRAME_BYTES, now);
  return due;
}

test('a burst is due at once, what follows at its pace, and what is too much never', () => {
  const budget = new FrameBudgets().open('alice');
  expect(takeAll(budget, FRAME_BURST_BYTES, 1000)).toBe(1000);
  expect(takeAll(budget, FRAME_BYTES_A_SECOND, 1000)).toBe(2000);
  // A second later that much is forgotten.
  expect(takeAll(budget, FRAME_BYTES_A_SECOND, 2000)).toBe(3000);
  expect(takeAll(budget, MAX_WAITING_BYTES - FRAME_BYTES_A_SECOND, 2000)).toBeGreaterThan(3000);
  expect(budget.take(MIN_FRAME_BYTES, 2000)).toBeUndefined();
  expect(budget.take(MIN_FRAME_BYTES, 1_000_000)).toBe(1_000_000);
});

test('small frames count for more than they are', () => {
  const budget = new FrameBudgets().open('alice');
  for (let count = 0; count < FRAME_BURST_BYTES / MIN_FRAME_BYTES; count++) expect(budget.take(2, 0)).toBe(0);
  expect(budget.take(2, 0)).toBeGreaterThan(0);
});

test('sockets of one account share it; whichever sent the most is shut out, and others have their own', () => {
  const budgets = new FrameBudgets();
  const [greedy, modest, other] = [budgets.open('alice'), budgets.open('alice'), budgets.open('bob')];
  takeAll(greedy, FRAME_BURST_BYTES + MAX_WAITING_BYTES, 0);
  expect(greedy.take(1, 0)).toBeUndefined();
  expect(modest.take(1, 0)).toBeGreaterThan(0);
  expect(other.take(1, 0)).toBe(0);
});

test('whoever opens another socket goes on where the account was, until all is forgotten', () => {
  const budgets = new FrameBudgets();
  const first = budgets.open('alice');
  takeAll(first, FRAME_BURST_BYTES, 0);
  first.release();
  budgets.sweep(1000);
  expect(budgets.open('alice').take(FRAME_BYTES_A_SECOND, 1000)).toBe(1000);
  const again = budgets.open('alice');
  expect(again.take(FRAME_BYTES_A_SECOND, 1000)).toBe(2000);
  budgets.sweep(100_000);
  expect(takeAll(again, FRAME_BURST_BYTES, 100_000)).toBe(100_000);
  // Who still has a socket is not forgotten with it.
  expect(budgets.open('alice').take(FRAME_BYTES_A_SECOND, 100_000)).toBe(101_000);
});
