import { expect, test } from 'bun:test';
import pino from 'pino';
import type { Changes, Head } from '../../../protocol/resources.ts';
import { MemoryBus } from '../../bus/memory.ts';
import { SharedChanges } from './shared-changes.ts';

const ID = '0199a3f0-7c1e-7d44-8a5b-5f0c6f3b2a10';
const HEAD: Head = { id: ID, seq: 3, rev: 3, marks_rev: 0, read_seq: 0, delivered_seq: 0 };

function sharing(answer: Partial<Changes> = {}) {
  const bus = new MemoryBus(pino({ enabled: false }));
  let reads = 0;
  const shared = new SharedChanges({
    bus,
    changesForAll: async () => {
      reads++;
      return { epoch: 'e', messages: [], rev: 3, marks_rev: 0, has_more: false, ...answer };
    },
  });
  return { bus, shared, reads: () => reads };
}

test('many who hold the same are answered by one read', async () => {
  const { shared, reads } = sharing();
  const texts = await Promise.all(Array.from({ length: 50 }, () => shared.get(HEAD, { rev: 1, marks_rev: 0 })));
  expect(new Set(texts).size).toBe(1);
  expect(JSON.parse(texts[0]!).rev).toBe(3);
  expect(reads()).toBe(1);
  await shared.get(HEAD, { rev: 2, marks_rev: 0 });
  await shared.get({ ...HEAD, rev: 3, marks_rev: 1 }, { rev: 1, marks_rev: 0 });
  await shared.get(HEAD, { rev: 1 });
  expect(reads()).toBe(4);
});

test('what came after the caller was seen to be in is not told to them', async () => {
  expect(await sharing({ rev: 4 }).shared.get(HEAD, { rev: 1 })).toBeUndefined();
  expect(await sharing({ has_more: true }).shared.get(HEAD, { rev: 1 })).toBeUndefined();
});

test('reactions of more people than are named are each caller’s own matter', async () => {
  const reaction = (count: number) => ({ messages: [{ reactions: [{ emoji: '👍', count, user_ids: ['a'] }] }] });
  expect(await sharing(reaction(2) as never).shared.get(HEAD, { rev: 1 })).toBeUndefined();
  expect(await sharing(reaction(1) as never).shared.get(HEAD, { rev: 1 })).toBeString();
});

test('a new name is in the next answer', async () => {
  const { bus, shared, reads } = sharing();
  await shared.get(HEAD, { rev: 1 });
  bus.publish('accounts', { kind: 'user_changed', user_id: ID });
  await shared.get(HEAD, { rev: 1 });
  expect(reads()).toBe(2);
});

test('what the log said before it may have gone back is read anew, also what was being read meanwhile', async () => {
  const { shared, reads } = sharing();
  const before = shared.get(HEAD, { rev: 1 });
  shared.forget();
  await Promise.all([before, shared.get(HEAD, { rev: 1 })]);
  expect(reads()).toBe(2);
});

test('a read that failed is made again', async () => {
  const bus = new MemoryBus(pino({ enabled: false }));
  let reads = 0;
  const changesForAll = () => Promise.reject(new Error(`read ${++reads}`));
  const shared = new SharedChanges({ bus, changesForAll });
  await expect(shared.get(HEAD, { rev: 1 })).rejects.toThrow('read 1');
  await expect(shared.get(HEAD, { rev: 1 })).rejects.toThrow('read 2');
});
