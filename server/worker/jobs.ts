import type { ConversationEvent, EventKind, Position } from '../chat/events/event.ts';
import type { Outcome } from '../shared/outcome.ts';

/** Cursors that a consumer keeps itself, such as beside what it makes of the events. */
export interface OwnCursors {
  /** Where it stands in these conversations; without an entry: before everything. */
  cursorsOf(conversationIds: string[]): Promise<Map<string, Position>>;
  /** Everything up to here is passed over or parked. What it handled it has moved its cursor over itself. */
  advance(conversationId: string, position: Position): Promise<void>;
}

/**
 * What is to be done for what happens in conversations: outgoing webhooks are one.
 *
 * The worker hands the events of a conversation over in the order of `rev`, the next when the one before is done or parked,
 * and conversations beside each other. At least once: after a crash an event may come again, and `(conversation_id, rev)`
 * says that it is the same. What is told is the data as it stands.
 */
export interface Consumer {
  /** Its name in tables, metrics and the stream's groups; never changed. */
  readonly name: string;
  /** The most that `handle` takes, in milliseconds: it ends by itself by then. */
  readonly timeoutMs: number;
  /**
   * Where its cursors live. `each`, which is the default: in the database, moved after each event, and one worker at a time
   * has a conversation. `behind`, for one to which repeats do no harm: in the database, at most a second late, so that a
   * crash repeats what came in it, and where nodes have lost Redis several may do the same. Or where it keeps them itself;
   * it then moves its cursor in `handle`, and repeats are as for `behind`.
   */
  readonly cursor?: 'each' | 'behind' | OwnCursors;
  /** Other events are passed over; the answer is always the same. */
  wants(kind: EventKind): boolean;
  /**
   * `position` is where it stands once this is done; undefined where a parked event is tried again, which moves nothing.
   * Fails with `signal`'s reason once that is aborted.
   */
  handle(event: ConversationEvent, signal: AbortSignal, position?: Position): Promise<Outcome>;
}

/** A conversation in which something may have happened. */
export interface Hint {
  conversationId: string;
  /** The hint is no longer needed: what it says is kept in the database, or done. */
  done(): void;
}

/** What a source knows of the hints that nobody took. */
export interface SourceState {
  /** For how long the oldest has waited, in milliseconds; 0 for none. */
  oldestMs: number;
  /** How many the stream holds for this consumer, where there is a stream. */
  streamLength?: number;
}

/**
 * Where the worker hears which conversations have news. Hints may come late, twice and for nothing; one that was taken and
 * not `done` when its worker dies comes again. That none is lost for good is the source's to see to: it compares the
 * cursors with the log (catch-up.ts) whenever hints may have been lost.
 */
export interface JobSource {
  /** Begins, or begins anew: with a comparison, where the source makes one. */
  start(): Promise<void>;
  /** At most `limit` hints, as soon as there is one, or none after `waitMs`. Called again only when it has resolved. */
  take(limit: number, waitMs: number): Promise<Hint[]>;
  state(): SourceState;
  stop(): Promise<void>;
}
