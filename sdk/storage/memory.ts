import { uuidv7 } from '../uuid.ts';
import { type Batch, entriesUnder, type Storage } from './storage.ts';

/** Keeps everything as long as the process lives. */
export class MemoryStorage implements Storage {
  private readonly entries = new Map<string, unknown>();

  constructor(readonly name = `memory ${uuidv7()}`) {}

  async get(key: string): Promise<unknown> {
    return this.entries.get(key);
  }

  async list(prefix: string): Promise<[string, unknown][]> {
    return entriesUnder(this.entries, prefix);
  }

  async write(batch: Batch): Promise<void> {
    for (const [key, value] of Object.entries(batch)) {
      if (value === undefined) this.entries.delete(key);
      else this.entries.set(key, value);
    }
  }

  async clear(prefix: string): Promise<void> {
    for (const key of [...this.entries.keys()]) if (key.startsWith(prefix)) this.entries.delete(key);
  }

  async close(): Promise<void> {}
}
