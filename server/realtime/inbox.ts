import { SLICE_MS, type Turns, type Work } from './turns.ts';

/** Handles one item; a promise where the next must wait for it. */
export type Handle<T> = (item: T) => Promise<void> | undefined;

/** How long a socket may hold the event loop at once while others wait for their turn, in milliseconds. */
const BUSY_SLICE_MS = 1;

export interface InboxOptions<T> {
  /** Items that may wait behind one that is not done. */
  limit: number;
  /** Bytes that may wait, whatever they wait for. */
  maxBytes: number;
  handle: Handle<T>;
  turns: Turns;
}

interface Waiting<T> {
  item: T;
  bytes: number;
  /** Not to be handled before this, as `performance.now()` tells it. */
  due: number;
}

/**
 * A socket's bounded inbox. Items are handled one at a time and in the order in which they came, also where handling waits
 * for something: Bun itself would call the handler again in the meantime. One that has many at once is handled in turn with
 * others: Bun calls for each frame of what it read, however many these are.
 */
export class Inbox<T> implements Work {
  /** What waits, from `first` on. */
  private waiting: Waiting<T>[] = [];
  private first = 0;
  private waitingBytes = 0;
  private busy = false;
  private held = false;
  /** Waits for a turn, or has it. */
  private inLine = false;
  /** Runs until the first of what waits is due. */
  private timer: Timer | undefined;
  /** For how long it has held the event loop lately, in milliseconds, and until when: what it lets pass is forgotten. */
  private spent = 0;
  private spentAt = 0;

  constructor(private readonly options: InboxOptions<T>) {}

  /** Takes an item that is not to be handled before `due`. Returns false where too many wait already; then nothing was taken. */
  put(item: T, bytes = 0, now = performance.now(), due = now): boolean {
    if (due <= now && this.isEmpty && this.mayStart && this.timeLeft(now) > 0) {
      this.start(item);
      this.spend(now, performance.now());
      return true;
    }
    if ((this.busy || this.held) && this.waiting.length - this.first >= this.options.limit) return false;
    if (this.waitingBytes + bytes > this.options.maxBytes) return false;
    this.waiting.push({ item, bytes, due });
    this.waitingBytes += bytes;
    if (this.timer === undefined) this.next();
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
    this.waiting = [];
    this.first = 0;
    clearTimeout(this.timer);
  }

  /** Has its turn. */
  run(deadline: number): boolean {
    const began = performance.now();
    this.inLine = false;
    this.inLine = this.handleUntil(deadline);
    this.spend(began, performance.now());
    return this.inLine;
  }

  private get isEmpty(): boolean {
    return this.first === this.waiting.length;
  }

  private get mayStart(): boolean {
    return !this.busy && !this.held && !this.inLine;
  }

  /** For how long it may still hold the event loop at once. */
  private timeLeft(now: number): number {
    this.spent = Math.max(0, this.spent - Math.max(0, now - this.spentAt));
    this.spentAt = now;
    return (this.options.turns.isBusy ? BUSY_SLICE_MS : SLICE_MS) - this.spent;
  }

  private spend(from: number, to: number): void {
    this.spent = Math.min(2 * SLICE_MS, this.spent + to - from);
    this.spentAt = to;
  }

  private start(item: T): void {
    const pending = this.options.handle(item);
    if (!pending) return;
    this.busy = true;
    const done = () => {
      this.busy = false;
      this.next();
    };
    // A handler answers its own failures; were one to slip through, the socket still goes on, and so does the process.
    void pending.then(done, done);
  }

  /** Goes on with what waits, as long as it may; what is left then waits for a turn. */
  private next(): void {
    if (this.isEmpty || !this.mayStart) return;
    const now = performance.now();
    const left = this.timeLeft(now);
    if (left > 0) {
      const isUndone = this.handleUntil(now + left);
      this.spend(now, performance.now());
      if (!isUndone) return;
    }
    this.inLine = true;
    this.options.turns.add(this);
  }

  /** Returns whether only the time has run out. */
  private handleUntil(deadline: number): boolean {
    while (!this.isEmpty && this.mayStart) {
      const now = performance.now();
      if (now >= deadline) return true;
      const { item, bytes, due } = this.waiting[this.first]!;
      if (due > now) {
        this.waitUntil(due, now);
        return false;
      }
      this.forgetFirst(bytes);
      this.start(item);
    }
    return false;
  }

  private forgetFirst(bytes: number): void {
    this.waitingBytes -= bytes;
    this.first++;
    // Not with each: what is behind would be moved each time.
    if (this.isEmpty || this.first >= 1024) {
      this.waiting = this.waiting.slice(this.first);
      this.first = 0;
    }
  }

  private waitUntil(due: number, now: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.next();
    }, due - now);
  }
}
