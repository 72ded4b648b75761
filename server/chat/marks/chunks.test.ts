import { expect, test } from 'bun:test';
import { inChunks } from './chunks.ts';

const claims = (conversation_id: string, count: number) =>
  Array.from({ length: count }, (_, user) => ({ conversation_id, user_id: `${user}`, delivered_seq: 1, read_seq: 1 }));
const sizes = (...groups: ReturnType<typeof claims>[]) =>
  inChunks(groups.flat(), 100).map((chunk) =>
    [...Map.groupBy(chunk, (claim) => claim.conversation_id)].map(([id, { length }]) => `${id} ${length}`),
  );

test('small conversations share a transaction, and none of them is split', () => {
  expect(sizes(claims('a', 50), claims('b', 50), claims('c', 60), claims('d', 41))).toEqual([
    ['a 50', 'b 50'],
    ['c 60'],
    ['d 41'],
  ]);
});

test('a large one has several to itself', () => {
  expect(sizes(claims('a', 10), claims('b', 250), claims('c', 10))).toEqual([
    ['a 10'],
    ['b 100'],
    ['b 100'],
    ['b 50', 'c 10'],
  ]);
  expect(sizes()).toEqual([]);
});
