import { describe, expect, test } from 'bun:test';
import { Inbox } from './inbox.ts';

/** An inbox whose items take until they are told to end. */
function build(limit = 100) {
  const started: string[] = [];
  const running = new Map<string, () => void>();
  let failing = false;
  const inbox = new Inbox<string>(limit, (item) => {
    started.push(item);
    if (!item.startsWith('slow')) return undefined;
    return new Promise((resolve, reject) => running.set(item, failing ? () => reject(new Error(item)) : resolve));
  });
  return {
    inbox,
    started,
    async end(item: string) {
      running.get(item)!();
      await Bun.sleep(0);
    },
    fail() {
      failing = true;
    },
  };
}

describe('an inbox', () => {
  test('handles at once what need not wait', () => {
    const { inbox, started } = build(0);
    for (const item of ['a', 'b', 'c']) expect(inbox.put(item)).toBe(true);
    expect(started).toEqual(['a', 'b', 'c']);
  });

  test('keeps the order where one must wait', async () => {
    const { inbox, started, end } = build();
    for (const item of ['a', 'slow b', 'c', 'slow d', 'e', 'f']) inbox.put(item);
    expect(started).toEqual(['a', 'slow b']);
    await end('slow b');
    expect(started).toEqual(['a', 'slow b', 'c', 'slow d']);
    inbox.put('g');
    await end('slow d');
    expect(started).toEqual(['a', 'slow b', 'c', 'slow d', 'e', 'f', 'g']);
  });

  test('takes up to its limit, and says when it takes no more', async () => {
    const { inbox, started, end } = build(2);
    inbox.put('slow');
    expect([inbox.put('1'), inbox.put('2'), inbox.put('3')]).toEqual([true, true, false]);
    await end('slow');
    expect(started).toEqual(['slow', '1', '2']);
    expect(inbox.put('4')).toBe(true);
  });

  test('holds back what comes until it may go on', () => {
    const { inbox, started } = build(3);
    inbox.put('a');
    inbox.hold();
    expect(['b', 'c', 'd', 'e'].map((item) => inbox.put(item))).toEqual([true, true, true, false]);
    expect(started).toEqual(['a']);
    inbox.resume();
    expect(started).toEqual(['a', 'b', 'c', 'd']);
  });

  test('that is held while one is being handled stays so after it', async () => {
    const { inbox, started, end } = build();
    inbox.put('slow');
    inbox.put('next');
    inbox.hold();
    await end('slow');
    expect(started).toEqual(['slow']);
    inbox.resume();
    expect(started).toEqual(['slow', 'next']);
  });

  test('does not start the next while one is being handled, also when it may go on', () => {
    const { inbox, started } = build();
    inbox.put('slow');
    inbox.put('next');
    inbox.resume();
    expect(started).toEqual(['slow']);
  });

  test('goes on after one that failed', async () => {
    const { inbox, started, end, fail } = build();
    fail();
    inbox.put('slow');
    inbox.put('next');
    await end('slow');
    expect(started).toEqual(['slow', 'next']);
  });

  test('that is closed forgets what waits, and starts nothing more', async () => {
    const { inbox, started, end } = build();
    inbox.put('slow');
    inbox.put('never');
    inbox.close();
    inbox.put('nor this');
    await end('slow');
    expect(started).toEqual(['slow']);
  });
});
