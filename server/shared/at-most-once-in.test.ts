import { expect, test } from 'bun:test';
import { atMostOnceIn } from './at-most-once-in.ts';

test('what was made holds for a time, however many ask, and is then made anew', async () => {
  let count = 0;
  const ask = atMostOnceIn(50, async () => ++count);
  expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
  expect(await ask()).toBe(1);
  await Bun.sleep(60);
  expect([await ask(), await ask()]).toEqual([2, 2]);
});

test('what takes longer than that is made once at a time', async () => {
  let count = 0;
  const gate = Promise.withResolvers<void>();
  const ask = atMostOnceIn(1, async () => {
    count++;
    await gate.promise;
  });
  const asked = [ask()];
  await Bun.sleep(10);
  asked.push(ask());
  gate.resolve();
  await Promise.all(asked);
  expect(count).toBe(1);
});

test('a failure is not kept', async () => {
  let count = 0;
  const ask = atMostOnceIn(60_000, async () => {
    if (++count === 1) throw new Error('not yet');
    return count;
  });
  const [one, other] = await Promise.allSettled([ask(), ask()]);
  expect([one.status, other.status]).toEqual(['rejected', 'rejected']);
  expect([await ask(), await ask()]).toEqual([2, 2]);
});
