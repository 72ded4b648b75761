import type { SystemNote } from '../../../protocol/resources.ts';
import type { ConversationEventRow } from '../../database/conversation-events.ts';
import type { ConversationRow, MessageRow, ParticipantRow } from '../model/rows.ts';
import type { EventKind } from './event.ts';

/** An event without its data: what is known of it before anything is looked up, and what of a parked one is kept. */
export interface EventHead {
  kind: EventKind;
  rev: number;
  at: number;
  /** Of the message that it brought. */
  seq?: number;
  /** Of the message that it is about, which stood already. */
  messageSeq?: number;
  actorId?: string;
  /** Whom it concerns. */
  userIds?: string[];
  emoji?: string;
  isCoalesced?: boolean;
}

/** The creation of a message, which may tell of another change. */
export function headOfMessage(row: Pick<MessageRow, 'system' | 'created_rev' | 'seq' | 'sent_at' | 'sender_id'>) {
  const head = { rev: row.created_rev, seq: row.seq, at: row.sent_at, actorId: row.sender_id };
  if (row.system === null) return { ...head, kind: 'message.created' as const };
  const note: SystemNote = JSON.parse(row.system);
  return { ...head, kind: kindOfNote(note.kind), userIds: concernedBy(note) };
}

export function headOfRow(row: ConversationEventRow): EventHead {
  return {
    kind: row.kind,
    rev: row.rev,
    at: row.created_at,
    messageSeq: row.message_seq ?? undefined,
    actorId: row.actor_id,
    userIds: row.user_ids === null ? undefined : JSON.parse(row.user_ids),
    emoji: row.emoji ?? undefined,
  };
}

/** A change of a message that left no trace but the message. */
export function headOfChanged(
  row: Pick<MessageRow, 'rev' | 'seq' | 'deleted_at' | 'edited_at' | 'sent_at'>,
): EventHead {
  const kind = row.deleted_at === null ? 'message.updated' : 'message.deleted';
  const at = row.deleted_at ?? row.edited_at ?? row.sent_at;
  return { kind, rev: row.rev, at, messageSeq: row.seq, isCoalesced: true };
}

/** The opening of a conversation, where nothing is left of it but the conversation. */
export function headOfOpening({ low_user_id, high_user_id, created_at }: ConversationRow): EventHead {
  const userIds = [low_user_id, high_user_id].filter((id) => id !== null);
  return { kind: 'conversation.created', rev: 1, at: created_at, userIds, isCoalesced: true };
}

/** A change of a conversation's own fields that left no trace but the conversation. */
export function headOfConversation({ meta_rev, updated_at }: ConversationRow): EventHead {
  return { kind: 'conversation.updated', rev: meta_rev, at: updated_at, isCoalesced: true };
}

/** A change of somebody's role that left no trace but their place. */
export function headOfPlace({ rev, user_id }: ParticipantRow, at: number): EventHead {
  return { kind: 'participant.updated', rev, at, userIds: [user_id], isCoalesced: true };
}

function kindOfNote(kind: SystemNote['kind']): EventKind {
  switch (kind) {
    case 'group_created':
      return 'conversation.created';
    case 'participant_joined':
      return 'participant.joined';
    case 'participant_left':
    case 'participant_removed':
      return 'participant.left';
    case 'renamed':
      return 'conversation.updated';
  }
}

function concernedBy({ kind, by, user_ids = [] }: SystemNote): string[] {
  if (kind === 'group_created') return [by, ...user_ids.filter((id) => id !== by)];
  return kind === 'participant_left' ? [by] : user_ids;
}
