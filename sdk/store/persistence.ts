import { ParleyError } from '../errors.ts';
import type { Batch, Storage } from '../storage/storage.ts';
import { Copy, type CopyRecord, type WindowRecord } from './copy.ts';
import type { Store } from './store.ts';

/** What changed is stored after so long, in milliseconds, in one batch. */
const WRITE_MS = 250;

/**
 * Keeps the store on the device. A record holds all of a conversation's copy as it was at one `rev`, so it is right
 * whichever of several tabs wrote it last: what it lacks is fetched like anything that was missed.
 */
export class Persistence {
  private readonly dirty = new Set<string>();
  /** What this tab has had a copy of: of anything else it cannot tell that it went. */
  private readonly held = new Set<string>();
  private prefix: string | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private storedEpoch: string | undefined;

  constructor(
    private readonly storage: Storage,
    private readonly store: Store,
    private readonly onError: (error: ParleyError) => void,
  ) {}

  /** Reads what was stored under this prefix, and stores there from now on. */
  async load(prefix: string): Promise<void> {
    const { storage } = this;
    const [stored, copies, messages] = await Promise.all([
      storage.get(`${prefix}epoch`),
      storage.list(`${prefix}conversation/`),
      storage.list(`${prefix}messages/`),
    ]);
    const epoch = stored as string | undefined;
    const windows = new Map(messages);
    this.held.clear();
    if (epoch !== undefined) {
      for (const [key, record] of copies) {
        this.held.add(key.slice(`${prefix}conversation/`.length));
        const window = windows.get(key.replace('conversation/', 'messages/')) as WindowRecord | undefined;
        this.store.put(Copy.restore(this.store.me.id, record as CopyRecord, window));
      }
    }
    this.store.epoch = epoch;
    this.storedEpoch = epoch;
    this.dirty.clear();
    this.prefix = prefix;
  }

  /** It is time, or the page is being left. */
  private readonly onDue = () => void this.flush();

  /** A copy changed, or went. */
  note(id: string): void {
    if (this.prefix === undefined) return;
    this.dirty.add(id);
    if (this.timer !== undefined) return;
    this.timer = setTimeout(this.onDue, WRITE_MS);
    globalThis.addEventListener?.('pagehide', this.onDue);
  }

  /** Stores what is not yet stored. */
  async flush(): Promise<void> {
    this.restTimer();
    const { prefix, store } = this;
    if (prefix === undefined) return;
    const batch: Batch = {};
    if (store.epoch !== this.storedEpoch) batch[`${prefix}epoch`] = store.epoch;
    for (const id of this.dirty) {
      const copy = store.get(id);
      // A message that waits is told to all tabs, also to one that has not read yet where it is to go.
      if (!copy && !this.held.delete(id)) continue;
      if (copy) this.held.add(id);
      batch[`${prefix}conversation/${id}`] = copy?.record();
      const window = copy?.windowRecord();
      // Where this tab has not read it, another may have.
      if (window || !copy) batch[`${prefix}messages/${id}`] = window;
    }
    if (Object.keys(batch).length === 0) return;
    this.dirty.clear();
    this.storedEpoch = store.epoch;
    try {
      await this.storage.write(batch);
    } catch (error) {
      this.onError(new ParleyError('storage', undefined, { cause: error }));
    }
  }

  /** Stores nothing more. */
  stop(): void {
    this.restTimer();
    this.prefix = undefined;
    this.dirty.clear();
  }

  private restTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    globalThis.removeEventListener?.('pagehide', this.onDue);
  }
}
