/** What is to be stored, by key; `undefined` deletes. */
export type Batch = Record<string, unknown>;

export interface WriteOptions {
  /**
   * It should survive even a program that ends before `write` has resolved, where the device has a way to keep it at
   * once. For what nobody could fetch again, and little of it.
   */
  isUrgent?: boolean;
}

/**
 * Where a client keeps what must outlive it: the session, what it holds of conversations, the outbox. Values are plain
 * data, such as JSON can hold. Calls take effect in the order in which they were made.
 */
export interface Storage {
  /** Clients whose storage has the same name share what is in it, and act as tabs of one another. */
  readonly name: string;
  get(key: string): Promise<unknown>;
  /** All under a prefix, in the order of their keys. */
  list(prefix: string): Promise<[key: string, value: unknown][]>;
  /** All of it or, should the device fail, nothing. */
  write(batch: Batch, options?: WriteOptions): Promise<void>;
  /** Deletes all under a prefix. */
  clear(prefix: string): Promise<void>;
  /** Lets go of files and connections; a later call may open them again. */
  close(): Promise<void>;
}

/** Entries of a map under a prefix, in the order of their keys. */
export function entriesUnder(entries: ReadonlyMap<string, unknown>, prefix: string): [string, unknown][] {
  return [...entries].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
}
