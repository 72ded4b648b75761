import { expect, test } from 'bun:test';
import { SLICE_MS, Turns } from './turns.ts';

/** Holds the event loop, in milliseconds. */
function hog(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('what is little is done at once, in order', async () => {
  const done: number[] = [];
  const finished = new Turns().each([1, 2, 3], (item) => done.push(item));
  expect(done).toEqual([1, 2, 3]);
  await finished;
});

test('what is much leaves the event loop to others, and is done to the end', async () => {
  const items = Array.from({ length: 3000 }, (_, index) => index);
  const done: number[] = [];
  let between = 0;
  const count = setInterval(() => between++, 0);
  let longest = 0;
  let last = performance.now();
  const watch = () => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
    watching = setImmediate(watch);
  };
  let watching = setImmediate(watch);
  await new Turns().each(items, (item) => {
    hog(0.02);
    done.push(item);
  });
  clearInterval(count);
  clearImmediate(watching);
  expect(done).toEqual(items);
  expect(between).toBeGreaterThan(3);
  // All of it takes 60 ms, of which the first part is not left.
  expect(longest).toBeLessThan(50);
});

test('several share a slice, and each has its part', async () => {
  const turns = new Turns();
  const order: string[] = [];
  const work = (name: string) =>
    turns.each(Array(1500).fill(name), (one) => {
      if (order.at(-1) !== one) order.push(one);
      hog(0.01);
    });
  await Promise.all([work('a'), work('b')]);
  // Not one after the other.
  expect(order.length).toBeGreaterThan(4);
});

test('what fails ends alone', async () => {
  const turns = new Turns();
  const failing = turns.each(Array(2000).keys(), (item) => {
    if (item === 1500) throw new Error('this one');
  });
  let done = 0;
  const other = turns.each(Array(2000).keys(), () => {
    done++;
    if (done === 1) hog(SLICE_MS);
  });
  await expect(failing).rejects.toThrow('this one');
  await other;
  expect(done).toBe(2000);
});
