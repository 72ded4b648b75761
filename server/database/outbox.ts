import type { Database, Executor } from './database.ts';
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

/** A stretch of the outbox. */
export interface OutboxPage {
  /** The conversations that advanced in it, each once. */
  conversationIds: string[];
  /** The row to read on behind. */
  lastId: number;
  /** When its oldest row was written, in milliseconds since the Unix epoch; undefined for no row. */
  oldestAt?: number;
  /** Whether there was nothing more to read at that moment. */
  isLast: boolean;
}

/** The id of the newest row; 0 where there is none. */
export async function newestOutboxId(database: Database): Promise<number> {
  const { id } = await database.read
    .selectFrom('outbox')
    .select((eb) => eb.fn.max('id').as('id'))
    .executeTakeFirstOrThrow();
  return Number(id ?? 0);
}

/** The rows behind `afterId` that tell of conversations, at most `limit` of them. */
export async function readOutbox(database: Database, afterId: number, limit: number): Promise<OutboxPage> {
  const rows = await database.read
    .selectFrom('outbox')
    .select(['id', 'conversation_id', 'created_at'])
    .where('id', '>', afterId)
    .where('kind', '=', 'conversation')
    .orderBy('id')
    .limit(limit)
    .execute();
  return {
    conversationIds: [...new Set(rows.map((row) => row.conversation_id!))],
    lastId: rows.at(-1)?.id ?? afterId,
    oldestAt: rows[0]?.created_at,
    isLast: rows.length < limit,
  };
}
