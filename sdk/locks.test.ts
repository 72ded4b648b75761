import { expect, test } from 'bun:test';
import { processLocks } from './locks.ts';

const hold = (name: string, work: () => Promise<void>, signal?: AbortSignal) =>
  processLocks.request(name, { signal }, work);

test('one holds a lock at a time, in the order in which they asked', async () => {
  const log: string[] = [];
  const work = (who: string) => async () => {
    log.push(`${who} in`);
    await Bun.sleep(1);
    log.push(`${who} out`);
  };
  await Promise.all([hold('a', work('one')), hold('a', work('two')), hold('a', work('three'))]);
  expect(log).toEqual(['one in', 'one out', 'two in', 'two out', 'three in', 'three out']);
});

test('who no longer wants it is passed over, and a failure lets it go', async () => {
  const controller = new AbortController();
  const log: string[] = [];
  const failing = hold('b', async () => {
    await Bun.sleep(2);
    throw new Error('failed');
  });
  const aborted = hold('b', async () => void log.push('aborted'), controller.signal);
  const last = hold('b', async () => void log.push('last'));
  controller.abort();
  await expect(aborted).rejects.toThrow();
  await expect(failing).rejects.toThrow('failed');
  await last;
  expect(log).toEqual(['last']);
});
