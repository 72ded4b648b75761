import { Journal } from './journal.ts';
import { type Batch, entriesUnder, type Storage, type WriteOptions } from './storage.ts';

const STORE = 'entries';

/**
 * Keeps everything in the browser, in one IndexedDB database; what is urgent in a journal too until the database has it.
 * Transactions are as durable as the browser makes them by itself: they survive its end, not always a loss of power.
 */
export class IndexedDbStorage implements Storage {
  private database: Promise<IDBDatabase> | undefined;
  private readonly journal: Journal;

  constructor(readonly name = 'parley') {
    this.journal = new Journal(name);
  }

  async get(key: string): Promise<unknown> {
    const ahead = this.journal.get(key);
    return ahead === undefined ? this.run('readonly', (store) => store.get(key)) : ahead;
  }

  async list(prefix: string): Promise<[string, unknown][]> {
    // Before the database is read: what leaves the journal meanwhile is found there.
    const ahead = this.journal.list(prefix);
    const range = rangeOf(prefix);
    let keys!: IDBRequest<IDBValidKey[]>;
    const values = await this.run<unknown[]>('readonly', (store) => {
      keys = store.getAllKeys(range);
      return store.getAll(range);
    });
    const stored = values.map((value, index): [string, unknown] => [keys.result[index] as string, value]);
    return ahead.length === 0 ? stored : entriesUnder(new Map([...stored, ...ahead]), prefix);
  }

  async write(batch: Batch, { isUrgent = false }: WriteOptions = {}): Promise<void> {
    const isNoted = isUrgent && this.journal.put(batch);
    const noted = this.journal.noted(batch);
    try {
      await this.run('readwrite', (store) => {
        for (const [key, value] of Object.entries(batch)) {
          if (value === undefined) store.delete(key);
          else store.put(value, key);
        }
        return store.count();
      });
    } catch (error) {
      // A full database, say. What stands in the journal is kept there.
      if (isNoted) return;
      throw error;
    }
    this.journal.settle(noted);
  }

  async clear(prefix: string): Promise<void> {
    this.journal.noted(Object.fromEntries(this.journal.list(prefix).map(([key]) => [key, undefined])));
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
      // Now, rather than when the answers have come: a page that is being left hears none.
      if (mode === 'readwrite') transaction.commit();
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
