/**
 * The drivers of the message log: `sqlite-log.ts` and `postgres-log.ts`.
 *
 * A batch is one transaction, durable when `append` resolves. In it each message, in the order of the batch:
 * 1. whose key `(conversation, sender, client_id)` is known, from an earlier batch or from this one, gets the first
 *    answer again, whatever the sender's membership is now;
 * 2. else, whose sender is no participant at this moment, is `not_found`;
 * 3. else, which answers a message that is not in the conversation, is `quoted_not_found`;
 * 4. else takes the conversation's next `seq` and `rev`, and moves its sender's own marks.
 * One outbox row is written for each conversation that advanced. No `seq` is ever left out.
 */
export interface LogDriver {
  /** Messages of one batch, at most: as few as cost little more each than many do, for those behind them wait. */
  readonly maxBatch: number;
  /**
   * Waits for its turn to write, then takes the rows by calling `take`, so that what arrives while another write is under
   * way joins the batch. Rejects with a BatchError when the transaction failed; then nothing of the batch is stored.
   */
  append(take: () => AppendRow[]): Promise<AppendAnswer[]>;
}

/** A message as it is written. */
export interface AppendRow {
  id: string;
  conversationId: string;
  senderId: string;
  clientId: string;
  type: 'text';
  content: string;
  /** Milliseconds since the Unix epoch. */
  sentAt: number;
  /** The message that this one answers. */
  replyToId?: string;
}

/** Where a message came to stand; `quoted` is what it answers, as that was at the commit. */
export interface Appended {
  seq: number;
  rev: number;
  quoted?: { senderId: string; content: string };
}

export type AppendAnswer =
  | ({ kind: 'appended' } & Appended)
  | { kind: 'known'; id: string; seq: number; rev: number; sentAt: number }
  | { kind: 'not_found' }
  | { kind: 'quoted_not_found' };

/** A whole batch failed. */
export class BatchError extends Error {
  /**
   * Whether one of the rows may be to blame, so that the others are worth another try; a full disk or a lost database
   * is nobody's fault.
   */
  readonly rowAtFault: boolean;

  constructor(rowAtFault: boolean, cause: unknown) {
    super(`a batch of the log failed: ${(cause as Error).message}`, { cause });
    this.name = 'BatchError';
    this.rowAtFault = rowAtFault;
  }
}
