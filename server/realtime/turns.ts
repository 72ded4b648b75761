/** How long one piece of work may hold the event loop before others have their turn, in milliseconds. */
export const SLICE_MS = 5;

/** Items that are worked through at once where the work is no burden to anybody. */
const AT_ONCE = 500;
/** Items between two looks at the clock. */
const STEP = 64;

/** Something that can be left and taken up again. */
export interface Work {
  /** Goes on until `deadline`, as `performance.now()` tells it; returns whether something is left to do. */
  run(deadline: number): boolean;
}

/**
 * Shares the event loop among those who have much to do. In each of its turns they have a slice together, one after the other,
 * and between two turns everybody else is served: whoever asks for little never waits behind them.
 */
export class Turns {
  private readonly waiting: Work[] = [];

  /** Whether anybody waits for a turn. */
  get isBusy(): boolean {
    return this.waiting.length > 0;
  }

  /** Runs `work` in turn with all others, until it is done. */
  add(work: Work): void {
    if (this.waiting.push(work) === 1) setImmediate(this.serve);
  }

  /** Does `step` for each item: for some at once, for the rest in turn with others. Resolves when all are done. */
  each<T>(items: Iterable<T>, step: (item: T) => void): Promise<void> {
    const rest = items[Symbol.iterator]();
    const done = Promise.withResolvers<void>();
    /** Returns whether something may be left. */
    const some = (count: number): boolean => {
      try {
        for (; count > 0; count--) {
          const next = rest.next();
          if (next.done) {
            done.resolve();
            return false;
          }
          step(next.value);
        }
        return true;
      } catch (error) {
        done.reject(error);
        return false;
      }
    };
    const run = (deadline: number): boolean => {
      while (some(STEP)) if (performance.now() >= deadline) return true;
      return false;
    };
    if (some(AT_ONCE)) this.add({ run });
    return done.promise;
  }

  private readonly serve = (): void => {
    const deadline = performance.now() + SLICE_MS;
    try {
      do this.serveFirst(deadline);
      while (this.waiting.length > 0 && performance.now() < deadline);
    } finally {
      // Also after work that failed: the others have nothing to do with it.
      if (this.waiting.length > 0) setImmediate(this.serve);
    }
  };

  private serveFirst(deadline: number): void {
    // It stays among those who wait while it runs: what is added meanwhile does not ask for another turn.
    const work = this.waiting[0]!;
    let isUndone = false;
    try {
      isUndone = work.run(deadline);
    } finally {
      this.waiting.shift();
      if (isUndone) this.waiting.push(work);
    }
  }
}
