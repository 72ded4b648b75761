import type { Selectable } from 'kysely';
import { sweep } from '../shared/sweep.ts';
import type { Database, Executor } from './database.ts';
import type { ConversationEventsTable, StoredEventKind } from './schema.ts';

/** For how long rows are kept: a consumer that is further behind is told what stands. */
const KEPT_MS = 7 * 24 * 3_600_000;
const SWEEP_CHUNK = 5000;

export type ConversationEventRow = Selectable<ConversationEventsTable>;

/** What happened at a `rev` that brought no message. */
export interface EventNote {
  conversationId: string;
  rev: number;
  kind: StoredEventKind;
  actorId: string;
  messageSeq?: number;
  userIds?: string[];
  emoji?: string;
}

/**
 * Notes what takes a `rev`, to be called in the transaction of the change and before the conversation's head is moved: where
 * a read may see a transaction half done, it sees no head without its event.
 */
export async function writeEvent(tx: Executor, note: EventNote): Promise<void> {
  await tx
    .insertInto('conversation_events')
    .values({
      conversation_id: note.conversationId,
      rev: note.rev,
      kind: note.kind,
      actor_id: note.actorId,
      message_seq: note.messageSeq ?? null,
      user_ids: note.userIds === undefined ? null : JSON.stringify(note.userIds),
      emoji: note.emoji ?? null,
      created_at: Date.now(),
    })
    .execute();
}

/** Deletes old rows; to be called now and then. */
export async function sweepEvents(
  database: Database,
  { signal, now = Date.now() }: { signal?: AbortSignal; now?: number } = {},
): Promise<void> {
  await sweep(SWEEP_CHUNK, (limit) => deleteEvents(database, now - KEPT_MS, limit), signal);
}

async function deleteEvents({ write, engine }: Database, before: number, limit: number): Promise<number> {
  let oldest = write
    .selectFrom('conversation_events')
    .select(['conversation_id', 'rev'])
    .where('created_at', '<', before)
    .orderBy('created_at')
    .limit(limit);
  // Of several nodes one sweeps, but for one that does not know yet that it lost this duty: rows are left to who has them.
  if (engine === 'postgres') oldest = oldest.forUpdate().skipLocked();
  const { numDeletedRows } = await write
    .deleteFrom('conversation_events')
    .where(({ eb, refTuple, selectFrom }) =>
      eb(
        refTuple('conversation_id', 'rev'),
        'in',
        selectFrom(oldest.as('oldest')).select(['conversation_id', 'rev']).$asTuple('conversation_id', 'rev'),
      ),
    )
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}
