import { expect, test } from 'bun:test';
import { MemoryStorage } from '../storage/memory.ts';
import { Persistence } from './persistence.ts';
import type { Store } from './store.ts';

/** A tab over a storage, that holds a copy of each of these conversations. */
async function tab(storage: MemoryStorage, held: Set<string>) {
  const record = (id: string) => ({ record: () => `copy of ${id}`, windowRecord: () => `messages of ${id}` });
  const store = { me: { id: 'me' }, epoch: 'epoch', get: (id: string) => (held.has(id) ? record(id) : undefined) };
  const persistence = new Persistence(storage, store as unknown as Store, (error) => {
    throw error;
  });
  await persistence.load('me/');
  store.epoch = 'epoch';
  return persistence;
}

const keys = async (storage: MemoryStorage) => (await storage.list('me/')).map(([key]) => key).sort();

test('a tab that never held a conversation leaves what another stored of it; one that did removes it when it goes', async () => {
  const storage = new MemoryStorage();
  const held = new Set(['c']);
  const one = await tab(storage, held);
  const other = await tab(storage, new Set());
  one.note('c');
  await one.flush();
  const stored = ['me/conversation/c', 'me/epoch', 'me/messages/c'];
  expect(await keys(storage)).toEqual(stored);

  other.note('c');
  await other.flush();
  expect(await keys(storage)).toEqual(stored);

  held.delete('c');
  one.note('c');
  await one.flush();
  expect(await keys(storage)).toEqual(['me/epoch']);
});
