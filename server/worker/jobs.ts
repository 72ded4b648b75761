import type { Message } from '../../protocol/resources.ts';

/** How one try of a job ended. `reason` is for operators: a few words, nothing of the message and no secret. */
export type Outcome =
  | { kind: 'done' }
  /** It may succeed later; `afterMs`: not before, as the other side asked. */
  | { kind: 'failed'; reason: string; afterMs?: number }
  /** It will not succeed by being tried again. */
  | { kind: 'hopeless'; reason: string };

/**
 * What is to be done for every new message: outgoing webhooks; push and previews are to follow.
 *
 * The worker hands each message of a conversation over in the order of `seq`, the next when the one before is done or
 * parked, and conversations beside each other. At least once: after a crash a message may come again, and
 * `(conversation_id, seq)`, or the message's id, says that it is the same.
 */
export interface Consumer {
  /** Its name in tables, metrics and the stream's groups; never changed. */
  readonly name: string;
  /** The most that `handle` takes, in milliseconds: it ends by itself by then. */
  readonly timeoutMs: number;
  /** The message as it stands now, which may be edited or deleted since. Fails with `signal`'s reason once that is aborted. */
  handle(message: Message, signal: AbortSignal): Promise<Outcome>;
}

/** A conversation that may have new messages. */
export interface Hint {
  conversationId: string;
  /** The hint is no longer needed: what it says is kept in the database, or done. */
  done(): void;
}

/** What a source knows of the hints that nobody took. */
export interface SourceState {
  /** For how long the oldest has waited, in milliseconds; 0 for none. */
  oldestMs: number;
  /** How many the stream holds, where there is a stream. */
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
