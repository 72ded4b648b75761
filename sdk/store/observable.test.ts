import { expect, test } from 'bun:test';
import { reuse, Value, View } from './observable.ts';

test('a listener hears the value at once, and later ones together', async () => {
  const value = new Value(1);
  const heard: number[] = [];
  const stop = value.subscribe((one) => heard.push(one));
  value.set(2);
  value.set(3);
  await Promise.resolve();
  expect(heard).toEqual([1, 3]);
  stop();
  value.set(4);
  await Promise.resolve();
  expect(heard).toEqual([1, 3]);
  expect(value.get()).toBe(4);
});

test('nobody is told where nothing changed', async () => {
  let size = 1;
  const view = new View<number[]>((previous) => reuse(previous, Array(size).fill(0)));
  let told = 0;
  view.subscribe(() => told++);
  view.invalidate();
  await Promise.resolve();
  expect(told).toBe(1);
  size = 2;
  view.invalidate();
  await Promise.resolve();
  expect(told).toBe(2);
});

test('reuse keeps what has the same in it', () => {
  const inner = {};
  const before = { a: 1, b: inner };
  expect(reuse(before, { a: 1, b: inner })).toBe(before);
  expect(reuse(before, { a: 2, b: inner })).not.toBe(before);
  const list = [inner, 2];
  expect(reuse(list, [inner, 2])).toBe(list);
  expect(reuse(list, [inner])).not.toBe(list);
});
