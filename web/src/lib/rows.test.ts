import { describe, expect, test } from 'bun:test';
import type { MessageView } from '../sdk.ts';
import { rowsOf } from './rows.ts';

const NOON = new Date(2026, 5, 10, 12).getTime();
const MINUTE = 60_000;

function message(seq: number, sender_id: string, minutes: number, more: Partial<MessageView> = {}): MessageView {
  return {
    id: `m${seq}`,
    key: `m${seq}`,
    conversation_id: 'c',
    sender_id,
    sender_username: sender_id,
    content: `message ${seq}`,
    type: 'text',
    sent_at: NOON + minutes * MINUTE,
    seq,
    rev: seq,
    mine: sender_id === 'me',
    ...more,
  };
}

function rows(messages: MessageView[], newFrom?: number, start = 0) {
  return rowsOf(messages, { start, end: messages.length }, newFrom, new Map());
}

describe('rows', () => {
  test('of one person within five minutes are one group', () => {
    const told = rows([message(1, 'a', 0), message(2, 'a', 1), message(3, 'a', 9), message(4, 'b', 9)]);
    expect(told.map(({ isHead, isTail }) => [isHead, isTail])).toEqual([
      [true, false],
      [false, true],
      [true, true],
      [true, true],
    ]);
  });

  test('a new day stands above its first message, and parts a group', () => {
    const told = rows([message(1, 'a', 12 * 60 - 1), message(2, 'a', 12 * 60 + 1)]);
    expect(told[0]!.day).toBeLessThan(told[1]!.day!);
    expect(told[1]!.isHead).toBe(true);
  });

  test('the line stands above the first unread message of somebody else, once', () => {
    const told = rows([message(1, 'a', 0), message(2, 'me', 1), message(3, 'a', 2), message(4, 'a', 3)], 2);
    expect(told.map(({ isFirstNew }) => isFirstNew)).toEqual([false, false, true, false]);
  });

  test('the line is not drawn again where the window begins below it', () => {
    const told = rows([message(1, 'a', 0), message(2, 'a', 1), message(3, 'a', 2)], 2, 2);
    expect(told.map(({ isFirstNew }) => isFirstNew)).toEqual([false]);
  });

  test('a row that is as it was is the same object', () => {
    const messages = [message(1, 'a', 0), message(2, 'b', 1)];
    const before = new Map(rows(messages).map((row) => [row.key, row]));
    const after = rowsOf([...messages, message(3, 'c', 2)], { start: 0, end: 3 }, undefined, before);
    expect(after[0]).toBe(before.get('m1')!);
    expect(after[1]).toBe(before.get('m2')!);
  });
});
