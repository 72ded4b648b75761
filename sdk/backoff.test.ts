import { expect, test } from 'bun:test';
import { backoff, inParallel, retrying, sleep } from './backoff.ts';
import { ParleyError } from './errors.ts';

test('a wait is anything below a bound that doubles, up to a cap', () => {
  for (let attempt = 0; attempt < 60; attempt++) {
    const bound = Math.min(30_000, 500 * 2 ** attempt);
    expect(backoff(attempt, {}, () => 0)).toBe(0);
    expect(backoff(attempt, {}, () => 0.999999)).toBeLessThan(bound);
    expect(backoff(attempt, {}, () => 0.999999)).toBeGreaterThan(bound * 0.99);
  }
});

test('waits spread over the whole range', () => {
  const waits = Array.from({ length: 1000 }, () => backoff(6));
  expect(Math.min(...waits)).toBeLessThan(3000);
  expect(Math.max(...waits)).toBeGreaterThan(27_000);
});

test('only what may pass is tried again', async () => {
  let tries = 0;
  const fail = (code: 'unavailable' | 'forbidden') => () => {
    tries++;
    return Promise.reject(new ParleyError(code));
  };
  const options = { attempts: 3, backoff: { baseMs: 1 } };
  await expect(retrying(fail('unavailable'), options)).rejects.toMatchObject({ code: 'unavailable' });
  expect(tries).toBe(3);
  await expect(retrying(fail('forbidden'), options)).rejects.toMatchObject({ code: 'forbidden' });
  expect(tries).toBe(4);
});

test('a wait ends at once where it is cancelled', async () => {
  const controller = new AbortController();
  const waiting = sleep(60_000, controller.signal);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
});

test('no more than so many are done at once', async () => {
  let now = 0;
  let most = 0;
  const done: number[] = [];
  await inParallel([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    most = Math.max(most, ++now);
    await sleep(1);
    now--;
    done.push(item);
  });
  expect(most).toBe(3);
  expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
});
