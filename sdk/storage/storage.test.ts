import { afterAll, describe, expect, test } from 'bun:test';
import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStorage } from './file.ts';
import { MemoryStorage } from './memory.ts';

const folder = mkdtempSync(join(tmpdir(), 'parley-storage-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const path = () => join(folder, 'deep', `${++files}.journal`);

describe.each([
  ['memory', () => new MemoryStorage()],
  ['file', () => new FileStorage(path())],
])('storage in %s', (_, make) => {
  test('gives back what was written, and nothing else', async () => {
    const storage = make();
    expect(await storage.get('a')).toBeUndefined();
    await storage.write({ a: { deep: [1, null, 'ü'] }, b: 2 });
    expect(await storage.get('a')).toEqual({ deep: [1, null, 'ü'] });
    await storage.write({ a: undefined, b: 3 });
    expect(await storage.get('a')).toBeUndefined();
    expect(await storage.get('b')).toBe(3);
    await storage.close();
  });

  test('lists what is under a prefix in the order of keys', async () => {
    const storage = make();
    await storage.write({ 'x/3': 3, 'x/1': 1, y: 0, 'x/2': 2 });
    expect(await storage.list('x/')).toEqual([
      ['x/1', 1],
      ['x/2', 2],
      ['x/3', 3],
    ]);
    await storage.clear('x/');
    expect(await storage.list('')).toEqual([['y', 0]]);
    await storage.close();
  });

  test('calls take effect in their order, without waiting for each', async () => {
    const storage = make();
    const last = Array.from({ length: 100 }, (_, value) => storage.write({ key: value })).at(-1);
    const read = storage.get('key');
    await last;
    expect(await read).toBe(99);
    await storage.close();
  });
});

describe('storage in a file', () => {
  test('is there for the next process, for its owner only', async () => {
    const file = path();
    const before = new FileStorage(file);
    await before.write({ a: 1, b: 2 });
    await before.write({ a: undefined });
    await before.close();
    const after = new FileStorage(file);
    expect(await after.list('')).toEqual([['b', 2]]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await after.close();
  });

  test('leaves out a batch that was not finished', async () => {
    const file = path();
    const before = new FileStorage(file);
    await before.write({ a: 1 });
    await before.close();
    appendFileSync(file, '[["b",2],["c"');
    const after = new FileStorage(file);
    expect(await after.list('')).toEqual([['a', 1]]);
    await after.write({ d: 4 });
    await after.close();
    expect(await new FileStorage(file).list('')).toEqual([
      ['a', 1],
      ['d', 4],
    ]);
  });

  test('keeps nothing of what was cleared', async () => {
    const file = path();
    const storage = new FileStorage(file);
    await storage.write({ 'user/1/secret': 'hunter2', other: 1 });
    await storage.clear('user/');
    expect(await Bun.file(file).text()).not.toContain('hunter2');
    await storage.close();
  });
});
