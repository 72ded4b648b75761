import { addressKey } from '../limits/rate-limits.ts';
import { ParleyError } from '../shared/errors.ts';

/** After how long one of too many connections may be gone, in milliseconds. */
const RETRY_MS = 10_000;

/** Counts what one address has open on this node: requests that are not answered or not read to their end, and sockets. */
export class Connections {
  private readonly counts = new Map<string, number>();

  constructor(private readonly most: number) {}

  /**
   * Counts one more of an address, until the function that this returns is called; once more does nothing. Fails with
   * `rate_limited` where there are too many.
   */
  open(address: string): () => void {
    const key = addressKey(address);
    const count = this.counts.get(key) ?? 0;
    if (count >= this.most) {
      throw new ParleyError('rate_limited', 'Too many connections from one address', { retryAfterMs: RETRY_MS });
    }
    this.counts.set(key, count + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = this.counts.get(key)! - 1;
      if (left > 0) this.counts.set(key, left);
      else this.counts.delete(key);
    };
  }
}
