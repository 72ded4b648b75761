import { expect, test } from 'bun:test';
import { SampledLines } from './sampled-lines.ts';

test('of each key one line is written in a while, and the others are counted', async () => {
  const written: string[] = [];
  const summed = Promise.withResolvers<number>();
  const lines = new SampledLines(summed.resolve, 30);
  for (const key of ['a', 'a', 'b', 'a']) lines.log(key, () => written.push(key));
  expect(written).toEqual(['a', 'b']);
  expect(await summed.promise).toBe(2);
  lines.log('a', () => written.push('again'));
  expect(written).toEqual(['a', 'b', 'again']);
  lines.stop();
});

test('however many keys there are, a hundred are written, and at the stop it says how many were not', () => {
  const summed: number[] = [];
  let written = 0;
  const lines = new SampledLines((count) => summed.push(count));
  for (let key = 0; key < 150; key++) lines.log(String(key), () => written++);
  expect([written, summed]).toEqual([100, []]);
  lines.stop();
  lines.stop();
  expect(summed).toEqual([50]);
});
