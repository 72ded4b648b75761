import type { Page } from 'playwright-core';
import { eventually } from './eventually.ts';

/** Resolves when the SDK in a page has stored a message with the conversation that it is in: it is there without a network. */
export async function stored(page: Page, baseUrl: string, text: string): Promise<void> {
  await eventually(`"${text}" is stored`, () => page.evaluate(isStored, [`parley ${baseUrl}`, text] as const));
}

/** In the page. The names are those of the SDK's storage. */
async function isStored([name, text]: readonly [string, string]): Promise<boolean> {
  const result = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const database = await result(indexedDB.open(name));
  const records = await result(database.transaction('entries').objectStore('entries').getAll());
  database.close();
  return records.some((record) => 'messages' in Object(record) && JSON.stringify(record).includes(text));
}
