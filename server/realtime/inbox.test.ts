import { describe, expect, test } from 'bun:test';
import { Inbox } from './inbox.ts';
import { SLICE_MS, Turns } from './turns.ts';

const turns = new Turns();

/** Holds the event loop, in milliseconds. */
function hog(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** The next turn of the event loop, after what waits for one. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** An inbox whose items take until they are told to end; of those that begin with “busy”, three are more than a slice. */
function build(limit = 100, maxBytes = Number.POSITIVE_INFINITY) {
  const started: string[] = [];
  const running = new Map<string, () => void>();
  let failing = false;
  const handle = (item: string) => {
    started.push(item);
    if (item.startsWith('busy')) hog(SLICE_MS / 2);
    if (!item.startsWith('slow')) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    running.set(item, failing ? () => reject(new Error(item)) : resolve);
    return promise;
  };
  const inbox = new Inbox<string>({ limit, maxBytes, handle, turns });
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

  test('that has much to do goes on in later turns, in order, and others have theirs between', async () => {
    const [one, other] = [build(0), build(0)];
    const contents = Array.from({ length: 12 }, (_, index) => `busy ${index}`);
    for (const content of contents) expect(one.inbox.put(content)).toBe(true);
    expect(one.started.length).toBeWithin(1, 4);
    other.inbox.put('little');
    expect(other.started).toEqual(['little']);
    let turnsTaken = 0;
    for (; one.started.length < contents.length; turnsTaken++) {
      const before = one.started.length;
      await nextTurn();
      expect(one.started.length - before).toBeLessThan(4);
    }
    expect(turnsTaken).toBeGreaterThan(2);
    expect(one.started).toEqual(contents);
    one.inbox.put('calm');
    while (one.started.at(-1) !== 'calm') await nextTurn();
  });

  test('shares its turns with others that have much to do', async () => {
    const all = [build(0), build(0), build(0)];
    for (const { inbox } of all) for (let index = 0; index < 8; index++) inbox.put(`busy ${index}`);
    // Whoever came first had a slice at once; from then on they take turns.
    const behind = all.slice(1);
    while (all.some(({ started }) => started.length < 8)) {
      await nextTurn();
      const counts = behind.map(({ started }) => started.length);
      expect(Math.abs(counts[0]! - counts[1]!)).toBeLessThan(5);
    }
    for (const { started } of all) expect(started).toEqual(Array.from({ length: 8 }, (_, index) => `busy ${index}`));
  });

  test('keeps the order where one of many must wait, and where it is held', async () => {
    const { inbox, started, end } = build();
    const items = ['busy 1', 'busy 2', 'busy 3', 'slow', 'busy 4', 'busy 5', 'busy 6', 'last'];
    for (const item of items) inbox.put(item);
    while (!started.includes('slow')) await nextTurn();
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    expect(started).toEqual(items.slice(0, 4));
    inbox.hold();
    await end('slow');
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    expect(started).toEqual(items.slice(0, 4));
    inbox.resume();
    while (started.length < items.length) await nextTurn();
    expect(started).toEqual(items);
  });

  test('handles nothing before it is due, nor what came behind it', async () => {
    const { inbox, started } = build(0);
    const now = performance.now();
    inbox.put('at once', 1, now);
    inbox.put('later', 1, now, now + 30);
    inbox.put('behind it', 1, now);
    await nextTurn();
    expect(started).toEqual(['at once']);
    while (started.length < 3) await Bun.sleep(1);
    expect(performance.now() - now).toBeGreaterThanOrEqual(30);
    expect(started).toEqual(['at once', 'later', 'behind it']);
  });

  test('takes up to its bytes, whatever they wait for', async () => {
    const { inbox, started, end } = build(100, 10);
    const now = performance.now();
    inbox.put('slow', 8);
    expect([inbox.put('1', 6), inbox.put('2', 5), inbox.put('3', 4)]).toEqual([true, false, true]);
    await end('slow');
    expect(started).toEqual(['slow', '1', '3']);
    expect([inbox.put('later', 10, now, now + 60_000), inbox.put('more', 1)]).toEqual([true, false]);
    inbox.close();
  });
});
