import type { Batch, Storage } from './storage.ts';

const STORE = 'entries';

/** Keeps everything in the browser, in one IndexedDB database. */
export class IndexedDbStorage implements Storage {
  private database: Promise<IDBDatabase> | undefined;

  constructor(readonly name = 'parley') {}

  get(key: string): Promise<unknown> {
    return this.run('readonly', (store) => store.get(key));
  }

  async list(prefix: string): Promise<[string, unknown][]> {
    const range = rangeOf(prefix);
    let keys!: IDBRequest<IDBValidKey[]>;
    const values = await this.run<unknown[]>('readonly', (store) => {
      keys = store.getAllKeys(range);
      return store.getAll(range);
    });
    return values.map((value, index) => [keys.result[index] as string, value]);
  }

  async write(batch: Batch): Promise<void> {
    const entries = Object.entries(batch);
    await this.run('readwrite', (store) => {
      for (const [key, value] of entries) {
        if (value === undefined) store.delete(key);
        else store.put(value, key);
      }
      return store.count();
    });
  }

  async clear(prefix: string): Promise<void> {
    await this.run('readwrite', (store) => store.delete(rangeOf(prefix)));
  }

  async close(): Promise<void> {
    const database = await this.database?.catch(() => undefined);
    this.database = undefined;
    database?.close();
  }

  /** One transaction; resolves once it is done, with what the request found. */
  private async run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const database = await this.open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error('The transaction was aborted'));
    });
  }

  private open(): Promise<IDBDatabase> {
    this.database ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(this.name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onerror = () => reject(request.error ?? new Error('The database could not be opened'));
      request.onsuccess = () => {
        // Somebody deletes it, or the browser closes it: the next call opens it anew.
        const forget = () => {
          this.database = undefined;
        };
        request.result.onclose = forget;
        request.result.onversionchange = () => {
          request.result.close();
          forget();
        };
        resolve(request.result);
      };
    });
    this.database.catch(() => {
      this.database = undefined;
    });
    return this.database;
  }
}

function rangeOf(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound(prefix, `${prefix}\uffff`);
}
