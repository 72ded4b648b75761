import { describe, expect, jest, test } from 'bun:test';
import type { Change } from '../bus/news.ts';
import { LocalConversation } from './local-conversation.ts';

/** A conversation that stands at `rev` 5; what it publishes is noted by its `rev`. */
function build() {
  const published: number[] = [];
  const gap = Promise.withResolvers<void>();
  let gaps = 0;
  const start = { id: 'c', rev: 5 };
  const conversation = new LocalConversation(start, {
    publish: (_, { rev }) => published.push(rev),
    onGap: () => {
      gaps++;
      gap.resolve();
    },
  });
  const take = (...revs: number[]) => {
    for (const rev of revs) conversation.take(change(rev));
  };
  return { conversation, published, take, gap: gap.promise, gaps: () => gaps };
}

/** A change that brings message number 100 + rev, where it is even. */
function change(rev: number): Change {
  return { rev, seq: rev % 2 === 0 ? 100 + rev : undefined, frame: { event: 'pong' } };
}

describe('the changes of a conversation', () => {
  test('are told in the order of their rev', () => {
    const { conversation, published, take } = build();
    take(6, 7, 8);
    expect(published).toEqual([6, 7, 8]);
    expect([conversation.rev, conversation.seq]).toEqual([8, 108]);
  });

  test('that come before their turn wait for it', () => {
    const { conversation, published, take } = build();
    take(9, 7, 8);
    expect(published).toEqual([]);
    expect(conversation.hasGap).toBe(true);
    take(6);
    expect(published).toEqual([6, 7, 8, 9]);
    expect(conversation.hasGap).toBe(false);
  });

  test('that were told before are dropped, as are those that come twice', () => {
    const { published, take } = build();
    take(5, 1, 6, 6, 8, 8, 5, 7, 8, 7);
    expect(published).toEqual([6, 7, 8]);
  });

  test('that miss one for too long say so, once, and wait on', async () => {
    const { conversation, published, take, gap, gaps } = build();
    take(7, 8);
    await gap;
    expect(published).toEqual([]);
    expect(conversation.hasGap).toBe(true);
    take(6);
    expect(published).toEqual([6, 7, 8]);
    expect(gaps()).toBe(1);
  });

  test('that get what they missed in time say nothing', () => {
    jest.useFakeTimers();
    const { take, gaps } = build();
    take(7);
    take(6);
    jest.advanceTimersByTime(1000);
    expect(gaps()).toBe(0);
    jest.useRealTimers();
  });

  test('that were told in another way are skipped, and what waited behind them goes on', () => {
    const { conversation, published, take } = build();
    take(7, 9, 10, 12);
    conversation.skipTo(8, 108);
    expect(published).toEqual([9, 10]);
    expect([conversation.rev, conversation.seq]).toEqual([10, 110]);
    conversation.skipTo(3, 1);
    expect([conversation.rev, conversation.seq]).toEqual([10, 110]);
    take(11);
    expect(published).toEqual([9, 10, 11, 12]);
  });

  test('that wait are bounded: the rest is left to the repair', () => {
    const { conversation, published, take } = build();
    for (let rev = 7; rev <= 5000; rev++) take(rev);
    take(6);
    expect(published.length).toBeLessThan(2000);
    expect(published).toEqual(published.map((_, index) => 6 + index));
    expect(conversation.rev).toBe(published.at(-1)!);
  });

  test('are forgotten when nobody listens any more', () => {
    jest.useFakeTimers();
    const { conversation, take, gaps } = build();
    take(7);
    conversation.close();
    jest.advanceTimersByTime(1000);
    expect(conversation.hasGap).toBe(false);
    expect(gaps()).toBe(0);
    jest.useRealTimers();
  });
});
