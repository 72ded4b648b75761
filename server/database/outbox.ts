import type { Database, Executor } from './database.ts';
import { type OutboxMoment, outboxMoment, writtenAfter } from './outbox-moment.ts';
import type { OutboxKind } from './schema.ts';

/** What an outbox row tells; its kind says which of the fields it has. */
export interface OutboxNote {
  kind: OutboxKind;
  conversation_id?: string;
  user_id?: string;
  session_id?: string;
  rev?: number;
}

/** Writes rows of the outbox, to be called in the transaction of what they tell. */
export async function writeOutbox(tx: Executor, notes: OutboxNote[], now: number): Promise<void> {
  if (notes.length === 0) return;
  const rows = notes.map(({ kind, ...note }) => ({
    kind,
    conversation_id: note.conversation_id ?? null,
    user_id: note.user_id ?? null,
    session_id: note.session_id ?? null,
    rev: note.rev ?? null,
    created_at: now,
  }));
  await tx.insertInto('outbox').values(rows).execute();
}

/** What is new in the outbox since a moment. */
export interface OutboxNews {
  /** The conversations that advanced, each once. */
  conversationIds: string[];
  /** Whether there were more than were asked for: then these are only some. */
  isCut: boolean;
  /** The moment from which to read on. */
  moment: OutboxMoment;
  /** When the first of it was written, in milliseconds since the Unix epoch; undefined where there is nothing. */
  oldestAt?: number;
}

/** This moment: what is committed from now on is after it. */
export async function currentOutboxMoment(database: Database): Promise<OutboxMoment> {
  const [[now]] = await database.readTogether([outboxMoment(database)]);
  return now!.moment;
}

/** The conversations that advanced since a moment, at most `limit` of them. */
export async function readOutbox(database: Database, since: OutboxMoment, limit: number): Promise<OutboxNews> {
  const [[now], rows] = await database.readTogether([
    outboxMoment(database),
    database.read
      .selectFrom('outbox')
      .select((eb) => ['conversation_id', eb.fn.min('created_at').as('oldest')])
      .where(writtenAfter(database.engine, since))
      .where('kind', '=', 'conversation')
      .groupBy('conversation_id')
      .limit(limit + 1)
      .compile(),
  ]);
  return {
    conversationIds: rows.slice(0, limit).map((row) => row.conversation_id!),
    isCut: rows.length > limit,
    moment: now!.moment,
    oldestAt: rows.length === 0 ? undefined : Math.min(...rows.map((row) => Number(row.oldest))),
  };
}
