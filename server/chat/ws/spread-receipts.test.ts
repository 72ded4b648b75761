import { afterEach, beforeEach, describe, expect, jest, test } from 'bun:test';
import { SpreadReceipts } from './spread-receipts.ts';

/** Told marks, each frame as its `marks_rev` and the number of its first mark and of those in it. */
function build() {
  const told: [rev: number, first: string, count: number][] = [];
  const receipts = new SpreadReceipts((_topic, { marks_rev, marks }) => {
    told.push([marks_rev, marks[0]!.user_id, marks.length]);
  });
  const tell = (marks_rev: number, count: number, listeners: number) => {
    const marks = Array.from({ length: count }, (_, user) => ({
      user_id: `user ${user}`,
      delivered_seq: 1,
      read_seq: 1,
    }));
    receipts.tell('c', { event: 'receipts', conversation_id: 'c', marks_rev, marks }, listeners);
  };
  return { receipts, told, tell };
}

describe('the marks of a batch', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  test('come in one frame in a small group', () => {
    const { told, tell } = build();
    tell(7, 100, 100);
    expect(told).toEqual([[7, 'user 0', 100]]);
  });

  test('come in parts in a large one, spread over less than a second, and the last says how far they are told', () => {
    const { told, tell } = build();
    tell(7, 500, 5000 / 50);
    expect(told).toEqual([[0, 'user 0', 100]]);
    jest.advanceTimersByTime(399);
    expect(told).toHaveLength(2);
    jest.advanceTimersByTime(500);
    expect(told).toEqual([
      [0, 'user 0', 100],
      [0, 'user 100', 100],
      [0, 'user 200', 100],
      [0, 'user 300', 100],
      [7, 'user 400', 100],
    ]);
    jest.advanceTimersByTime(10_000);
    expect(told).toHaveLength(5);
  });

  test('come one by one where a part would be less than one mark', () => {
    const { told, tell } = build();
    tell(7, 2, 100_000);
    jest.advanceTimersByTime(1000);
    expect(told).toEqual([
      [0, 'user 0', 1],
      [7, 'user 1', 1],
    ]);
  });

  test('are all told before the next batch, and before somebody begins to listen', () => {
    const { receipts, told, tell } = build();
    tell(7, 300, 100);
    tell(8, 200, 100);
    expect(told.map(([rev]) => rev)).toEqual([0, 0, 7, 0]);
    receipts.flush('c');
    expect(told.map(([rev]) => rev)).toEqual([0, 0, 7, 0, 8]);
    jest.advanceTimersByTime(10_000);
    expect(told).toHaveLength(5);
  });

  test('are told to nobody where nobody is there any more', () => {
    const { receipts, told, tell } = build();
    tell(7, 300, 100);
    receipts.drop('c');
    jest.advanceTimersByTime(10_000);
    expect(told).toHaveLength(1);
  });
});
