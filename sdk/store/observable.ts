/** Something that changes. Works as a Svelte store, and with React's `useSyncExternalStore(view.subscribe, view.get)`. */
export interface Observable<T> {
  /** What it is now: the same object until it changes. */
  readonly get: () => T;
  /** Calls `listener` now and after each change; returns what ends that. */
  readonly subscribe: (listener: (value: T) => void) => () => void;
}

/** Tells what a listener threw, without harm to the others. */
export function callSafely<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    console.error('A listener failed', error);
  }
}

/**
 * A snapshot that is made when somebody looks. `compute` gives the previous one back where nothing changed: then nobody
 * is told. Changes that come together are told once.
 */
export class View<T> implements Observable<T> {
  private readonly listeners = new Set<(value: T) => void>();
  private current: T | undefined;
  private told: T | undefined;
  private isStale = true;
  private isDue = false;

  constructor(private readonly compute: (previous: T | undefined) => T) {}

  get isWatched(): boolean {
    return this.listeners.size > 0;
  }

  readonly get = (): T => {
    if (this.isStale) {
      this.isStale = false;
      this.current = this.compute(this.current);
    }
    return this.current as T;
  };

  readonly subscribe = (listener: (value: T) => void): (() => void) => {
    // A function of its own, so that one function that subscribes twice is told twice, and unsubscribes each by itself.
    const own = (value: T) => listener(value);
    if (this.listeners.size === 0) this.told = this.get();
    this.listeners.add(own);
    callSafely(own, this.get());
    return () => this.listeners.delete(own);
  };

  /** To be called when what it is made of may have changed. */
  invalidate(): void {
    this.isStale = true;
    if (this.isDue || this.listeners.size === 0) return;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      const value = this.get();
      if (value === this.told) return;
      this.told = value;
      for (const listener of [...this.listeners]) callSafely(listener, value);
    });
  }
}

/** A value that is set. */
export class Value<T> extends View<T> {
  constructor(private value: T) {
    super(() => this.value);
  }

  set(value: T): void {
    this.value = value;
    this.invalidate();
  }
}

/** The previous array or object where the next has the same things in it, so that its identity tells of changes. */
export function reuse<T extends object>(previous: T | undefined, next: T): T {
  if (!previous) return next;
  if (Array.isArray(next)) return isSameArray(previous as unknown[], next) ? previous : next;
  const keys = Object.keys(next);
  if (Object.keys(previous).length !== keys.length) return next;
  return keys.every((key) => Object.is(previous[key as keyof T], next[key as keyof T])) ? previous : next;
}

function isSameArray(previous: unknown[], next: unknown[]): boolean {
  return previous.length === next.length && next.every((item, index) => Object.is(item, previous[index]));
}
