import type { Selectable } from 'kysely';
import type { ConversationsTable, MessagesTable, ParticipantsTable } from '../../database/schema.ts';

export type ConversationRow = Selectable<ConversationsTable>;
export type ParticipantRow = Selectable<ParticipantsTable>;
export type MessageRow = Selectable<MessagesTable>;

/** Who acts, as far as conversations care. */
export interface Actor {
  userId: string;
  username: string;
}

/** A conversation, and the actor's own place in it. */
export interface Membership {
  conversation: ConversationRow;
  me: ParticipantRow;
}
