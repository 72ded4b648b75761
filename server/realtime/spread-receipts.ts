import type { FrameOf } from '../../protocol/events.ts';
import { MAX_FRAME_MARKS } from '../../protocol/limits.ts';
import type { Mark } from '../../protocol/resources.ts';

type Frame = FrameOf<'receipts'>;
type Marks = Map<string, Mark>;

/** What one turn of the event loop tells, and what a second tells of each conversation, in bytes over all sockets. */
const MAX_AT_ONCE = 256 * 1024;
const MAX_A_SECOND = 16 * 1024 * 1024;
/** What a socket costs beside its frame, as bytes: each is written to by itself. */
const BYTES_PER_SOCKET = 2048;

/** A socket that may hear a conversation. */
export interface Listener {
  hears(conversationId: string): boolean;
  sendText(text: string): void;
}

export interface SpreadReceiptsOptions {
  /** Tells all sockets that listen, at once. */
  publish(conversationId: string, text: string): void;
  /** How many sockets listen, and which. */
  countListeners(conversationId: string): number;
  listeners(conversationId: string): Listener[];
}

/** What is being told of a conversation, and what comes after that. */
interface Spread {
  text: string;
  /** Whom it is still to be told. */
  untold: Listener[];
  /** What moved meanwhile, by user, from `since` to `marks_rev`. */
  next: { marks: Marks; since: number; marks_rev: number };
  timer: Timer;
}

/**
 * Tells the marks of a large group to some of its sockets at a time: hundreds of marks, told to hundreds of sockets in one go,
 * would hold up every message behind them. What moves on meanwhile is told in one frame after it. Each socket hears every
 * mark, in the order of `marks_rev`.
 */
export class SpreadReceipts {
  private readonly spreads = new Map<string, Spread>();

  constructor(private readonly options: SpreadReceiptsOptions) {}

  /** Tells marks to all who listen: at once where that is little, else in turns, after what is being told. */
  tell({ conversation_id: id, marks_rev, since = marks_rev - 1, marks }: Frame): void {
    const spread = this.spreads.get(id);
    if (!spread) this.begin(id, { marks: byUser(marks), since, marks_rev });
    else {
      const { next } = spread;
      for (const mark of marks) merge(next.marks, mark);
      // A batch in between was not heard here: nobody may take this one as leading on from before it.
      if (since > next.marks_rev) next.since = since;
      next.marks_rev = Math.max(next.marks_rev, marks_rev);
    }
  }

  /** Leaves untold what is still to be told: nobody listens any more. */
  drop(id: string): void {
    clearTimeout(this.spreads.get(id)?.timer);
    this.spreads.delete(id);
  }

  private begin(id: string, told: Spread['next']): void {
    const marks = [...told.marks.values()];
    const rest = byUser(marks.splice(MAX_FRAME_MARKS));
    // Only with the last of its frames is all of it told.
    const { since } = told;
    const marks_rev = rest.size > 0 ? since : told.marks_rev;
    const frame: Frame = { event: 'receipts', conversation_id: id, marks_rev, marks };
    // One more than before needs no saying.
    if (since !== marks_rev - 1) frame.since = since;
    const text = JSON.stringify(frame);
    const next = { marks: rest, since: marks_rev, marks_rev: told.marks_rev };
    if (this.options.countListeners(id) * costOf(text) > MAX_AT_ONCE) {
      this.tellSome(id, { text, untold: this.options.listeners(id), next });
      return;
    }
    this.options.publish(id, text);
    if (rest.size > 0) this.begin(id, next);
    else this.spreads.delete(id);
  }

  private tellSome(id: string, { text, untold, next }: Omit<Spread, 'timer'>): void {
    const cost = costOf(text);
    const some = untold.splice(0, Math.max(1, Math.floor(MAX_AT_ONCE / cost)));
    for (const listener of some) if (listener.hears(id)) listener.sendText(text);
    const go = () => {
      if (untold.length > 0) this.tellSome(id, { text, untold, next });
      else if (next.marks.size > 0) this.begin(id, next);
      else this.spreads.delete(id);
    };
    const timer = setTimeout(go, (some.length * cost * 1000) / MAX_A_SECOND);
    this.spreads.set(id, { text, untold, next, timer });
  }
}

function costOf(text: string): number {
  return text.length + BYTES_PER_SOCKET;
}

function byUser(marks: Mark[]): Marks {
  return new Map(marks.map((mark) => [mark.user_id, mark]));
}

/** Marks never go back. */
function merge(marks: Marks, { user_id, delivered_seq, read_seq }: Mark): void {
  const known = marks.get(user_id);
  marks.set(user_id, {
    user_id,
    delivered_seq: Math.max(delivered_seq, known?.delivered_seq ?? 0),
    read_seq: Math.max(read_seq, known?.read_seq ?? 0),
  });
}
