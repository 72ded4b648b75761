import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Batch, entriesUnder, type Storage } from './storage.ts';

/** A file is written anew once it is this much larger than what is in it, in characters. */
const WASTE_LIMIT = 4 * 1024 * 1024;

/**
 * Keeps everything in one file, for Node and Bun: a journal of batches, one a line, of which a torn last line is left
 * out when it is read. It holds tokens, so only its owner may read it. For one process at a time.
 */
export class FileStorage implements Storage {
  readonly name: string;
  private readonly path: string;
  private readonly entries = new Map<string, unknown>();
  private isRead = false;
  private waste = 0;
  /** Everything that was asked for, in order. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = resolve(path);
    this.name = `file ${this.path}`;
  }

  get(key: string): Promise<unknown> {
    return this.inOrder(async () => this.entries.get(key));
  }

  list(prefix: string): Promise<[string, unknown][]> {
    return this.inOrder(async () => entriesUnder(this.entries, prefix));
  }

  write(batch: Batch): Promise<void> {
    return this.inOrder(() => this.append(batch));
  }

  clear(prefix: string): Promise<void> {
    return this.inOrder(async () => {
      const keys = [...this.entries.keys()].filter((key) => key.startsWith(prefix));
      if (keys.length === 0) return;
      await this.append(Object.fromEntries(keys.map((key) => [key, undefined])));
      // What was deleted is not to stay readable in the journal.
      await this.rewrite();
    });
  }

  close(): Promise<void> {
    const closed = this.last.then(() => {
      this.isRead = false;
    });
    this.last = closed;
    return closed;
  }

  private inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.last.then(async () => {
      await this.read();
      return work();
    });
    this.last = done.catch(() => {});
    return done;
  }

  private async append(batch: Batch): Promise<void> {
    const line = JSON.stringify(
      Object.entries(batch).map(([key, value]) => (value === undefined ? [key] : [key, value])),
    );
    await this.put('a', `${line}\n`, this.path);
    this.apply(line);
    this.waste += line.length;
    if (this.waste > WASTE_LIMIT) await this.rewrite();
  }

  private apply(line: string): void {
    for (const [key, ...value] of JSON.parse(line) as [string, unknown?][]) {
      if (value.length === 0) this.entries.delete(key);
      else this.entries.set(key, value[0]);
    }
  }

  private async read(): Promise<void> {
    if (this.isRead) return;
    await mkdir(dirname(this.path), { recursive: true });
    this.entries.clear();
    const text = await readFile(this.path, 'utf8').catch((error) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    // What follows the last line break was not finished.
    for (const line of text.split('\n').slice(0, -1)) this.apply(line);
    await this.rewrite();
    this.isRead = true;
  }

  /** Writes what is there into a new file, and puts it in the place of the old one. */
  private async rewrite(): Promise<void> {
    const next = `${this.path}.new`;
    await this.put('w', this.entries.size > 0 ? `${JSON.stringify([...this.entries])}\n` : '', next);
    await rename(next, this.path);
    this.waste = 0;
  }

  private async put(flags: 'a' | 'w', text: string, path: string): Promise<void> {
    const file = await open(path, flags, 0o600);
    try {
      await file.appendFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}
