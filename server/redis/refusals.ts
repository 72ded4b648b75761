import type { Logger } from '../shared/logger.ts';

/** What was found in Redis. */
export type Found = 'publication' | 'session' | 'presence' | 'hint' | 'stream';

/**
 * Why it is not believed. `forged`: no node of this installation sealed it, or not for this place. `late`, `repeated`: one
 * did, and not just now. `oversized`, `malformed`: nobody reads it.
 */
export type Reason = 'forged' | 'late' | 'repeated' | 'oversized' | 'malformed';

/** Of each kind so often one line, however many are refused, in milliseconds. */
const EVERY_MS = 60_000;

/** Counts what is in Redis and is not believed, and says it in a line now and then: never what it was. */
export class Refusals {
  /** Told of each: for metrics. */
  observe: (found: Found, reason: Reason) => void = () => {};
  private readonly lines = new Map<string, { unsaid: number; next: number }>();

  constructor(private readonly log: Logger) {}

  refuse(found: Found, reason: Reason): void {
    this.observe(found, reason);
    const kind = `${found} ${reason}`;
    const line = this.lines.get(kind) ?? { unsaid: 0, next: 0 };
    this.lines.set(kind, line);
    line.unsaid++;
    const now = performance.now();
    if (now < line.next) return;
    const hint = reason === 'forged' ? ': somebody else writes there, or nodes differ in JWT_SECRET' : '';
    this.log.warn({ found, reason, count: line.unsaid }, `something in Redis is not believed${hint}`);
    line.unsaid = 0;
    line.next = now + EVERY_MS;
  }
}
