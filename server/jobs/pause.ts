/** A wait that can be ended from outside; a call that comes before the wait ends the next one at once. */
export class Pause {
  private end: (() => void) | undefined;
  private isOver = false;

  /** Resolves after so many milliseconds, or as soon as `cutShort` is called. */
  async wait(ms: number): Promise<void> {
    if (!this.isOver) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      this.end = resolve;
      await promise;
      clearTimeout(timer);
      this.end = undefined;
    }
    this.isOver = false;
  }

  cutShort(): void {
    this.isOver = true;
    this.end?.();
  }
}
