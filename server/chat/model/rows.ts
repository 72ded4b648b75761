import type { Selectable, Updateable } from 'kysely';
import type { ConversationsTable, MessagesTable, ParticipantsTable } from '../../database/schema.ts';

export type ConversationRow = Selectable<ConversationsTable>;
export type ParticipantRow = Selectable<ParticipantsTable>;
export type MessageRow = Selectable<MessagesTable>;

/**
 * What a change sets: columns that may change, and no others. It is written as it is, and the row that the database answers
 * is what is presented: so nothing is presented that is not stored.
 */
export type ConversationPatch = Updateable<ConversationsTable>;
export type ParticipantPatch = Updateable<ParticipantsTable>;
export type MessagePatch = Updateable<MessagesTable>;

/** A conversation, and the actor's own place in it. */
export interface Membership {
  conversation: ConversationRow;
  me: ParticipantRow;
}
