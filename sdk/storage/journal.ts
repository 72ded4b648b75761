import type { Batch } from './storage.ts';

/** What of a batch stands in the journal: its texts by their keys. */
type Noted = Map<string, string>;

/**
 * What a page has written and its database has not yet stored. `localStorage` takes an entry before the call returns, so
 * it survives a page that is gone in the next moment, with which every open transaction of IndexedDB goes. Tabs share it.
 * Where there is none (forbidden, or full) nothing is noted, and the database alone has to be in time.
 */
export class Journal {
  private readonly prefix: string;

  constructor(name: string) {
    this.prefix = `${name} journal `;
  }

  /** Notes what is in the batch, as far as there is room; returns whether there was for all of it. */
  put(batch: Batch): boolean {
    return this.attempt((entries) => {
      for (const [key, value] of Object.entries(batch)) {
        if (value !== undefined) entries.setItem(this.prefix + key, JSON.stringify(value));
      }
    });
  }

  /** What is noted under the keys of a batch, once what the batch deletes is gone. */
  noted(batch: Batch): Noted {
    const noted: Noted = new Map();
    this.attempt((entries) => {
      for (const [key, value] of Object.entries(batch)) {
        const text = entries.getItem(this.prefix + key);
        if (text === null) continue;
        if (value === undefined) entries.removeItem(this.prefix + key);
        else noted.set(key, text);
      }
    });
    return noted;
  }

  /** The database has it, or something newer. What was noted since stays. */
  settle(noted: Noted): void {
    this.attempt((entries) => {
      for (const [key, text] of noted) {
        if (entries.getItem(this.prefix + key) === text) entries.removeItem(this.prefix + key);
      }
    });
  }

  get(key: string): unknown {
    return this.list(key).find(([found]) => found === key)?.[1];
  }

  /** All that is noted under a prefix. */
  list(prefix: string): [key: string, value: unknown][] {
    const found: [string, unknown][] = [];
    this.attempt((entries) => {
      for (const name of Object.keys(entries)) {
        if (!name.startsWith(this.prefix + prefix)) continue;
        found.push([name.slice(this.prefix.length), JSON.parse(entries.getItem(name)!)]);
      }
    });
    return found;
  }

  private attempt(work: (entries: globalThis.Storage) => void): boolean {
    try {
      work(localStorage);
      return true;
    } catch {
      return false;
    }
  }
}
