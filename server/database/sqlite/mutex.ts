import { ParleyError } from '../../shared/errors.ts';

/** Who waits beyond this is told to come back: a queue without a limit only hides that nothing moves. */
export const MAX_WAITING = 10_000;

/** Turns at one thing, in the order they were asked for. */
export class Mutex {
  private locked = false;
  private readonly queue: (() => void)[] = [];

  /** Resolves with the function that ends the turn, to be called once. */
  acquire(): Promise<() => void> {
    if (this.queue.length >= MAX_WAITING) return Promise.reject(new ParleyError('unavailable'));
    return new Promise((resolve) => {
      const start = () => resolve(() => this.release());
      if (this.locked) this.queue.push(start);
      else {
        this.locked = true;
        start();
      }
    });
  }

  /** Runs `work` as one turn. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const release = await this.acquire();
    try {
      return await work();
    } finally {
      release();
    }
  }

  private release(): void {
    const next = this.queue.shift();
    if (next) next();
    else this.locked = false;
  }
}
