import type { ClientFrame } from './protocol.ts';

/** Marks are gathered for so long, in milliseconds; then as many are told as a socket takes at once. */
const GATHER_MS = 200;
const AT_ONCE = 50;

type Kind = 'delivered' | 'read';

/**
 * Tells the server how far one has received and read. What could not be told is not kept here: after each reconnect the
 * client compares its own marks with the server's, and says again what is missing.
 */
export class MarkSender {
  private readonly due = new Map<string, { event: Kind; conversation_id: string; seq: number }>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly send: (frame: ClientFrame) => boolean) {}

  note(event: Kind, conversation_id: string, seq: number): void {
    const key = `${event} ${conversation_id}`;
    const before = this.due.get(key)?.seq ?? 0;
    this.due.set(key, { event, conversation_id, seq: Math.max(before, seq) });
    this.timer ??= setTimeout(() => this.tell(), GATHER_MS);
  }

  /** Tells now what waits: the connection is about to end. */
  flush(): void {
    clearTimeout(this.timer);
    this.tell();
    this.forget();
  }

  forget(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.due.clear();
  }

  private tell(): void {
    this.timer = undefined;
    for (const [key, frame] of [...this.due].slice(0, AT_ONCE)) {
      if (!this.send(frame)) {
        this.forget();
        return;
      }
      this.due.delete(key);
    }
    if (this.due.size > 0) this.timer = setTimeout(() => this.tell(), GATHER_MS);
  }
}
