/** What of the Web Locks API the SDK uses; `navigator.locks` is one. */
export interface Locks {
  /**
   * Runs `work` while nobody else holds `name`, after those who asked before. Rejects where the signal is aborted while
   * it waits.
   */
  request<T>(name: string, options: { signal?: AbortSignal }, work: () => Promise<T>): Promise<T>;
}

/** The end of the queue for each lock of this process. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Locks within one process: all there is to agree with in Node and Bun. Browsers without Web Locks (pages that are not
 * served securely) use it too: each tab then does by itself what one would do for all, which costs some requests and
 * breaks nothing, for every send has its key.
 */
export const processLocks: Locks = {
  async request<T>(name: string, { signal }: { signal?: AbortSignal }, work: () => Promise<T>): Promise<T> {
    const before = queues.get(name) ?? Promise.resolve();
    let release!: () => void;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const mine = before.then(() => held);
    queues.set(name, mine);
    try {
      await orAborted(before, signal);
      return await work();
    } finally {
      release();
      if (queues.get(name) === mine) queues.delete(name);
    }
  },
};

function orAborted(wait: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (!signal) return wait;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void wait.then(() => {
      signal.removeEventListener('abort', abort);
      resolve(undefined);
    });
  });
}

/** The locks of the browser where it has them. */
export function defaultLocks(): Locks {
  const manager = (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
  return manager ? (manager as unknown as Locks) : processLocks;
}
