import { expect, test } from 'bun:test';
import pino from 'pino';
import { MemoryBus } from '../../bus/memory.ts';
import { Marks } from './marks.ts';
import type { ClaimedMark } from './marks-driver.ts';

const silent = pino({ enabled: false });

/** Marks whose batches are written by `write`. */
function marking(write: (claims: ClaimedMark[]) => void) {
  const batches: ClaimedMark[][] = [];
  const driver = {
    write: async (claims: ClaimedMark[]) => {
      batches.push(claims);
      write(claims);
      return [];
    },
  };
  return { marks: new Marks(driver, new MemoryBus(silent), silent), batches };
}

test('who waits for a mark forces no batch, and is answered by the one that it is in', async () => {
  const { marks, batches } = marking(() => {});
  await Promise.all([1, 2, 3].map((seq) => marks.noteUntilWritten('c', 'alice', { read_seq: seq })));
  await Promise.all(['alice', 'bob'].map((user) => marks.noteUntilWritten('c', user, { read_seq: 9 })));
  expect(batches.map((claims) => claims.map(({ user_id, read_seq }) => [user_id, read_seq]))).toEqual([
    [['alice', 3]],
    [
      ['alice', 9],
      ['bob', 9],
    ],
  ]);
});

test('a batch that fails is told to who waits for it, and stays noted for the next', async () => {
  let failures = 1;
  const { marks, batches } = marking(() => {
    if (failures-- > 0) throw new Error('no room');
  });
  const first = marks.noteUntilWritten('c', 'alice', { read_seq: 1 });
  await expect(first).rejects.toThrow('no room');
  await marks.noteUntilWritten('c', 'bob', { read_seq: 1 });
  expect(batches.at(-1)!.map(({ user_id }) => user_id)).toEqual(['alice', 'bob']);
});

test('the stop waits for no pace', async () => {
  const { marks, batches } = marking(() => {});
  await marks.noteUntilWritten('c', 'alice', { read_seq: 1 });
  const started = Date.now();
  const waiting = marks.noteUntilWritten('c', 'alice', { read_seq: 2 });
  await marks.write();
  await waiting;
  expect(batches).toHaveLength(2);
  expect(Date.now() - started).toBeLessThan(500);
});
