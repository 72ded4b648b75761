export interface RetryPolicyOptions {
  /** Tries of one event before it is parked. */
  tries: number;
  /** The most that the first wait can be, in milliseconds; it doubles with each. */
  baseMs: number;
  /** The most that any wait can be, in milliseconds. */
  capMs: number;
}

/** When a job that failed is tried again, and when it is given up. */
export class RetryPolicy {
  constructor(
    private readonly options: RetryPolicyOptions,
    private readonly random: () => number = Math.random,
  ) {}

  isOver(attempts: number): boolean {
    return attempts >= this.options.tries;
  }

  /**
   * How long to wait after so many failures, in milliseconds: anything up to a bound that doubles ("full jitter": AWS
   * Architecture Blog, Exponential Backoff And Jitter), so that conversations that failed together do not come back
   * together. `atLeastMs` is what the other side asked for; it counts up to the cap.
   */
  delay(attempts: number, atLeastMs = 0): number {
    const { baseMs, capMs } = this.options;
    const bound = Math.min(capMs, baseMs * 2 ** Math.min(attempts - 1, 30));
    return Math.round(Math.max(this.random() * bound, Math.min(atLeastMs, capMs)));
  }
}
