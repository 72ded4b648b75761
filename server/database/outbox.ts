import type { Executor } from './database.ts';
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
