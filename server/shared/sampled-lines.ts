/** How long it takes until the same key may be logged again, in milliseconds. */
const PERIOD_MS = 10_000;
/** Keys that are logged in that time, at most. */
const MAX_KEYS = 100;

/**
 * Lines that strangers can cause as often as they like: of each key the first in a while is written, of all others only how many
 * they were.
 */
export class SampledLines {
  private readonly written = new Set<string>();
  private leftOut = 0;
  private timer: Timer | undefined;

  constructor(
    /** Told how many lines were not written, after the time in which they were. */
    private readonly summarize: (leftOut: number) => void,
    private readonly periodMs = PERIOD_MS,
  ) {}

  /** Writes a line, or counts it. */
  log(key: string, write: () => void): void {
    this.timer ??= setTimeout(() => this.begin(), this.periodMs);
    if (this.written.has(key) || this.written.size >= MAX_KEYS) {
      this.leftOut++;
      return;
    }
    this.written.add(key);
    write();
  }

  /** Says what was left out until now. */
  stop(): void {
    clearTimeout(this.timer);
    this.begin();
  }

  private begin(): void {
    const leftOut = this.leftOut;
    this.timer = undefined;
    this.leftOut = 0;
    this.written.clear();
    if (leftOut > 0) this.summarize(leftOut);
  }
}
