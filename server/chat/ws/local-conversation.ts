import type { Change } from '../news.ts';
import type { Client } from './client.ts';

/** How long a change waits for the ones before it, in milliseconds. */
const MAX_WAIT_MS = 50;
/** Changes that may wait; beyond it they are left to the repair, which reads them from the log. */
const MAX_EARLY = 1000;

export interface LocalConversationOptions {
  id: string;
  /** Where it stands: what is not above was told before. */
  rev: number;
  /** Its newest message, where that is known. */
  seq?: number;
  /** Where its marks stand; 0 where that is not known. */
  marks_rev?: number;
  publish(change: Change): void;
  /** Called when a change is missing and did not come in time. */
  onGap(): void;
}

/** A conversation with somebody connected to this node: what was published last, and who listens. */
export class LocalConversation {
  readonly id: string;
  /** Users on this node that are in it. */
  users = 0;
  stopListening = () => {};
  /** Whether a repair is under way. */
  repairing = false;
  /** Marks up to here were told, with none left out. */
  marksRev: number;
  private currentRev: number;
  private currentSeq: number | undefined;
  /** Where the log says that it stands, at least. */
  private knownRev = 0;
  /** Changes that came ahead of their turn, by `rev`. */
  private readonly early = new Map<number, Change>();
  private timer: Timer | undefined;

  constructor(private readonly options: LocalConversationOptions) {
    this.id = options.id;
    this.currentRev = options.rev;
    this.currentSeq = options.seq;
    this.marksRev = options.marks_rev ?? 0;
  }

  /** The last change that was told here. */
  get rev(): number {
    return this.currentRev;
  }

  /** The newest message that was told here, or undefined before the first is known. */
  get seq(): number | undefined {
    return this.currentSeq;
  }

  /** Whether changes wait for others that are missing, or the log is known to have more. */
  get hasGap(): boolean {
    return this.early.size > 0 || this.currentRev < this.knownRev;
  }

  get topic(): string {
    return this.id;
  }

  get plainTopic(): string {
    return `${this.id}/plain`;
  }

  topicFor(client: Client): string {
    return client.isPlain ? this.plainTopic : this.topic;
  }

  /** Next in order: published. Ahead: waits for what is missing. Behind: was told before. */
  take(change: Change): void {
    if (change.rev <= this.currentRev) return;
    if (change.rev > this.currentRev + 1) {
      if (this.early.size < MAX_EARLY) this.early.set(change.rev, change);
      this.timer ??= setTimeout(() => this.stopWaiting(), MAX_WAIT_MS);
      return;
    }
    this.advance(change);
    this.takeEarly();
  }

  /** The log says that it stands at `rev`; returns whether that was not told here. */
  isBehind(rev: number): boolean {
    this.knownRev = Math.max(this.knownRev, rev);
    return this.currentRev < rev;
  }

  /** Marks were told that lead up to `marksRev`. Where others are missing between, they are left to the outbox. */
  toldMarks(marksRev: number): void {
    if (marksRev === this.marksRev + 1) this.marksRev = marksRev;
  }

  /** Everything up to `rev` was told in another way; `seq` is the newest message in it, where there was one. */
  skipTo(rev: number, seq?: number): void {
    this.currentRev = Math.max(this.currentRev, rev);
    if (seq !== undefined) this.currentSeq = Math.max(this.currentSeq ?? 0, seq);
    for (const early of this.early.keys()) if (early <= this.currentRev) this.early.delete(early);
    this.takeEarly();
  }

  close(): void {
    this.stopListening();
    this.stopListening = () => {};
    this.clearTimer();
    this.early.clear();
  }

  private takeEarly(): void {
    for (let next = this.early.get(this.currentRev + 1); next; next = this.early.get(this.currentRev + 1)) {
      this.early.delete(next.rev);
      this.advance(next);
    }
    if (this.early.size === 0) this.clearTimer();
  }

  private advance(change: Change): void {
    this.currentRev = change.rev;
    this.options.publish(change);
    // A repair may have told newer messages than its `rev` says: they are not told again.
    if (change.seq !== undefined) this.currentSeq = Math.max(this.currentSeq ?? 0, change.seq);
  }

  private stopWaiting(): void {
    this.timer = undefined;
    this.options.onGap();
  }

  private clearTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
