import { ParleyError } from './errors.ts';

export interface BackoffOptions {
  /** The most that the first wait can be, in milliseconds; it doubles with each. */
  baseMs?: number;
  /** The most that any wait can be, in milliseconds. */
  capMs?: number;
}

/**
 * How long to wait before attempt number `attempt` (from 0), in milliseconds: anything between nothing and a bound that
 * doubles ("full jitter": AWS Architecture Blog, Exponential Backoff And Jitter), so that clients that lost the same
 * server do not come back together.
 */
export function backoff(
  attempt: number,
  { baseMs = 500, capMs = 30_000 }: BackoffOptions = {},
  random: () => number = Math.random,
): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** Resolves after a while; rejects with `aborted` at once when the signal says so. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(new ParleyError('aborted'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Does it again while it fails in a way that may pass, `attempts` times at most. */
export async function retrying<T>(
  work: () => Promise<T>,
  options: { attempts: number; signal?: AbortSignal; backoff?: BackoffOptions },
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const failure = ParleyError.from(error);
      if (!failure.retryable || attempt + 1 >= options.attempts) throw failure;
      await sleep(Math.max(failure.retryAfterMs ?? 0, backoff(attempt, options.backoff)), options.signal);
    }
  }
}

/** Does something with each item, some of them at once. The first failure ends it. */
export async function inParallel<T>(items: T[], limit: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
