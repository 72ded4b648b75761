import { expect, test } from 'bun:test';
import { uuidv7 } from './uuid.ts';

test('ids are UUIDv7 of their time', () => {
  const id = uuidv7();
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(Math.abs(Number.parseInt(id.replace('-', '').slice(0, 12), 16) - Date.now())).toBeLessThan(1000);
});

test('a later id is greater, within a millisecond and when the clock is set back', () => {
  const now = Date.now() + 60_000;
  const ids = Array.from({ length: 10_000 }, (_, index) => uuidv7(now - (index % 7)));
  expect(ids).toEqual([...ids].sort());
  expect(new Set(ids).size).toBe(ids.length);
});
