import { afterEach, beforeEach, describe, expect, jest, test } from 'bun:test';
import { MAX_FRAME_MARKS } from '../../protocol/limits.ts';
import { SpreadReceipts } from './spread-receipts.ts';

/** A group with so many sockets, each of which notes what it hears: `marks_rev`, how many marks, and `since` if it is said. */
function build(sockets: number) {
  const listeners = Array.from({ length: sockets }, () => {
    const heard: (number | undefined)[][] = [];
    return {
      heard,
      isMember: true,
      hears() {
        return this.isMember;
      },
      sendText(text: string) {
        const { marks_rev, marks, since } = JSON.parse(text);
        heard.push(since === undefined ? [marks_rev, marks.length] : [marks_rev, marks.length, since]);
      },
    };
  });
  const receipts = new SpreadReceipts({
    publish: (_id, text) => {
      for (const listener of listeners) listener.sendText(text);
    },
    countListeners: () => listeners.length,
    listeners: () => [...listeners],
  });
  /** A batch of marks of so many users, from the first on. */
  const tell = (marks_rev: number, users: number, { first = 0, since = marks_rev - 1 } = {}) => {
    const marks = Array.from({ length: users }, (_, user) => {
      return { user_id: `user ${first + user}`.padEnd(36), delivered_seq: 1, read_seq: 1 };
    });
    receipts.tell({ event: 'receipts', conversation_id: 'c', marks_rev, since, marks });
  };
  const told = () => listeners.filter(({ heard }) => heard.length > 0).length;
  return { receipts, listeners, told, tell };
}

describe('the marks of a batch', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  test('are told to a small group at once', () => {
    const { listeners, tell } = build(20);
    tell(7, 20);
    tell(8, 20);
    for (const { heard } of listeners) {
      expect(heard).toEqual([
        [7, 20],
        [8, 20],
      ]);
    }
  });

  test('are told to a large one by and by, to some sockets at a time', () => {
    const { listeners, told, tell } = build(500);
    tell(7, 500);
    expect(told()).toBeGreaterThan(0);
    expect(told()).toBeLessThan(20);
    jest.advanceTimersByTime(500);
    expect(told()).toBeGreaterThan(50);
    expect(told()).toBeLessThan(250);
    jest.advanceTimersByTime(5000);
    for (const { heard } of listeners) expect(heard).toEqual([[7, 500]]);
  });

  test('that come while others are being told follow together, and say from where they lead', () => {
    const { listeners, tell } = build(500);
    tell(7, 500);
    tell(8, 50, { first: 50 });
    tell(9, 10);
    jest.advanceTimersByTime(10_000);
    for (const { heard } of listeners) {
      expect(heard).toEqual([
        [7, 500],
        [9, 60, 7],
      ]);
    }
    tell(10, 1);
    jest.advanceTimersByTime(10_000);
    for (const { heard } of listeners) expect(heard.at(-1)).toEqual([10, 1]);
  });

  test('behind a batch that was not heard here do not seem to lead on from before it', () => {
    const { listeners, tell } = build(500);
    tell(7, 500);
    tell(9, 1);
    tell(10, 2);
    jest.advanceTimersByTime(10_000);
    for (const { heard } of listeners) {
      expect(heard).toEqual([
        [7, 500],
        [10, 2, 8],
      ]);
    }
  });

  test('that were read from the log say from where they lead', () => {
    const { listeners, tell } = build(10);
    tell(9, 10, { since: 4 });
    for (const { heard } of listeners) expect(heard).toEqual([[9, 10, 4]]);
  });

  test('are not told to who is out by then, nor to anybody where all are', () => {
    const { receipts, listeners, told, tell } = build(500);
    tell(7, 500);
    for (const listener of listeners.slice(100)) listener.isMember = false;
    jest.advanceTimersByTime(10_000);
    expect(told()).toBe(100);
    tell(8, 500);
    const before = listeners.flatMap(({ heard }) => heard).length;
    receipts.drop('c');
    jest.advanceTimersByTime(10_000);
    expect(listeners.flatMap(({ heard }) => heard)).toHaveLength(before);
  });

  test.each([1, 500])(
    'of more people than a frame has come in several, and the last says that all are told: %d sockets',
    (sockets) => {
      const { listeners, tell } = build(sockets);
      tell(7, 2 * MAX_FRAME_MARKS + 5, { since: 4 });
      jest.advanceTimersByTime(600_000);
      tell(8, 3);
      jest.advanceTimersByTime(600_000);
      for (const { heard } of listeners) {
        expect(heard).toEqual([
          [4, MAX_FRAME_MARKS, 4],
          [4, MAX_FRAME_MARKS, 4],
          [7, 5, 4],
          [8, 3],
        ]);
      }
    },
  );
});
