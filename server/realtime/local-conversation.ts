import type { Change } from '../bus/news.ts';

/** How long a change waits for the ones before it, in milliseconds. */
const MAX_WAIT_MS = 50;
/** Changes that may wait; beyond it they are left to the repair, which reads them from the log. */
const MAX_EARLY = 1000;

export interface LocalConversationStart {
  id: string;
  /** Where it stands: what is not above was told before. */
  rev: number;
  /** Its newest message, where that is known. */
  seq?: number;
  /** Where its marks stand; 0 where that is not known. */
  marks_rev?: number;
}

/** What all conversations of a node have in common. There are very many of them: none has functions of its own. */
export interface LocalConversationHooks {
  publish(conversation: LocalConversation, change: Change): void;
  /** Called when a change is missing and did not come in time. */
  onGap(conversation: LocalConversation): void;
}

const nothing = () => {};

/** A conversation with somebody connected to this node: what was published last, and who listens. */
export class LocalConversation {
  readonly id: string;
  /** Users on this node that are in it. */
  users = 0;
  stopListening = nothing;
  /** Whether a repair is under way. */
  repairing = false;
  /** Marks up to here were told, with none left out. */
  marksRev: number;
  private currentRev: number;
  private currentSeq: number | undefined;
  /** Where the log says that it stands, at least. */
  private knownRev = 0;
  /** Changes that came ahead of their turn, by `rev`; made with the first, which few ever have. */
  private early: Map<number, Change> | undefined;
  private timer: Timer | undefined;

  constructor(
    { id, rev, seq, marks_rev = 0 }: LocalConversationStart,
    private readonly hooks: LocalConversationHooks,
  ) {
    this.id = id;
    this.currentRev = rev;
    this.currentSeq = seq;
    this.marksRev = marks_rev;
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
    return this.early !== undefined || this.currentRev < this.knownRev;
  }

  /** Next in order: published. Ahead: waits for what is missing. Behind: was told before. */
  take(change: Change): void {
    if (change.rev <= this.currentRev) return;
    if (change.rev > this.currentRev + 1) {
      this.early ??= new Map();
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
    for (const early of this.early?.keys() ?? []) if (early <= this.currentRev) this.early?.delete(early);
    this.takeEarly();
  }

  close(): void {
    this.stopListening();
    this.stopListening = nothing;
    this.clearTimer();
    this.early = undefined;
  }

  private takeEarly(): void {
    const { early } = this;
    if (!early) return;
    for (let next = early.get(this.currentRev + 1); next; next = early.get(this.currentRev + 1)) {
      early.delete(next.rev);
      this.advance(next);
    }
    if (early.size > 0) return;
    this.early = undefined;
    this.clearTimer();
  }

  private advance(change: Change): void {
    this.currentRev = change.rev;
    this.hooks.publish(this, change);
    // A repair may have told newer messages than its `rev` says: they are not told again.
    if (change.seq !== undefined) this.currentSeq = Math.max(this.currentSeq ?? 0, change.seq);
  }

  private stopWaiting(): void {
    this.timer = undefined;
    this.hooks.onGap(this);
  }

  private clearTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
