import type { Conversation, ErrorCode, Message, Participant, ParticipantRole } from './protocol.ts';

/**
 * How far a message of one's own has come: waiting in the outbox; stored by the server; received, then read by everybody
 * else in the conversation; refused.
 */
export type MessageStatus = 'pending' | 'sent' | 'delivered' | 'read' | 'failed';

/** A message as a client shows it. One that waits in the outbox has `seq` and `rev` 0, and its `client_id` as its id. */
export interface MessageView extends Message {
  /** Stays the same when a pending message becomes a stored one. */
  key: string;
  /** One's own. */
  mine: boolean;
  /** Only of one's own messages. */
  status?: MessageStatus;
  /** Why a message failed. */
  error?: { code: ErrorCode; message: string };
}

/** Somebody who is typing. */
export interface Typist {
  user_id: string;
  username: string;
}

/** A conversation as a client shows it. */
export interface ConversationView {
  id: string;
  type: Conversation['type'];
  /** The group's name, or the other person's display name. */
  title: string;
  conversation: Conversation;
  /** Who is in it, longest first: the first hundred until `loadParticipants` was asked for. */
  participants: readonly Participant[];
  participant_count: number;
  /** The other person of a direct conversation. */
  other?: Participant;
  role?: ParticipantRole;
  /** The newest message, one that waits in the outbox among them. */
  last_message?: MessageView;
  unread_count: number;
  read_seq: number;
  typing: readonly Typist[];
  /** Whether its messages were loaded, and whether there are older ones. */
  is_open: boolean;
  has_older: boolean;
}
