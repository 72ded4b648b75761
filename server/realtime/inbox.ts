/** Handles one item; a promise where the next must wait for it. */
export type Handle<T> = (item: T) => Promise<void> | undefined;

/**
 * A socket's bounded inbox. Items are handled one at a time and in the order in which they came, also where handling waits
 * for something: Bun itself would call the handler again in the meantime.
 */
export class Inbox<T> {
  private readonly waiting: T[] = [];
  private busy = false;
  private held = false;

  constructor(
    private readonly limit: number,
    private readonly handle: Handle<T>,
  ) {}

  /** Returns false where too many wait already; then nothing was taken. */
  put(item: T): boolean {
    if (!this.busy && !this.held) {
      this.start(item);
      return true;
    }
    if (this.waiting.length >= this.limit) return false;
    this.waiting.push(item);
    return true;
  }

  /** Handles nothing more until `resume`; what comes waits. */
  hold(): void {
    this.held = true;
  }

  resume(): void {
    this.held = false;
    this.next();
  }

  /** Forgets what waits, for good. */
  close(): void {
    this.held = true;
    this.waiting.length = 0;
  }

  private start(item: T): void {
    const pending = this.handle(item);
    if (!pending) return;
    this.busy = true;
    const done = () => {
      this.busy = false;
      this.next();
    };
    // A handler answers its own failures; were one to slip through, the socket still goes on, and so does the process.
    void pending.then(done, done);
  }

  private next(): void {
    while (!this.busy && !this.held && this.waiting.length > 0) this.start(this.waiting.shift()!);
  }
}
