import { DELETED_USER } from '../../../protocol/limits.ts';
import { cleanGroupName } from '../../../protocol/names.ts';
import type { Conversation, Entry, Message, Participant, PublicUser, SystemNote } from '../../../protocol/resources.ts';
import { systemText } from '../../../protocol/system-text.ts';
import { excerptOf } from '../../../protocol/text.ts';
import type { Appended } from '../log/log-driver.ts';
import type { NewMessage } from '../log/message-log.ts';
import type { ConversationRow, MessageRow, ParticipantRow } from './rows.ts';

/** How conversations, participants and messages look to clients: one way each, for REST and WebSocket alike. */

export type Users = ReadonlyMap<string, PublicUser>;

export function presentConversation(row: ConversationRow): Conversation {
  return {
    id: row.id,
    type: row.type,
    name: row.name === null ? undefined : cleanGroupName(row.name), // one from before names were clean
    created_by: row.created_by ?? undefined,
    created_at: row.created_at,
    updated_at: row.updated_at,
    seq: row.seq,
    rev: row.rev,
  };
}

export function presentParticipant(row: ParticipantRow, users: Users): Participant {
  return {
    ...(users.get(row.user_id) ?? unknownUser(row.user_id)),
    participant_role: row.role,
    joined_at: row.joined_at,
    read_seq: row.read_seq,
    delivered_seq: row.delivered_seq,
    rev: row.rev,
    left: row.left_rev === null ? undefined : true,
  };
}

/** `rest`: what is kept beside the message. */
export function presentMessage(
  row: MessageRow,
  users: Users,
  rest: Pick<Message, 'reactions' | 'reply_to'> = {},
): Message {
  const note = noteOf(row);
  return {
    id: row.id,
    conversation_id: row.conversation_id,
    sender_id: row.sender_id,
    sender_username: users.get(row.sender_id)?.username ?? DELETED_USER,
    content: note ? textOf(note, users) : row.content,
    type: row.type,
    sent_at: row.sent_at,
    seq: row.seq,
    rev: row.rev,
    client_id: shownKey(row.client_id, row.id),
    edited_at: row.edited_at ?? undefined,
    deleted_at: row.deleted_at ?? undefined,
    reply_to: rest.reply_to,
    reactions: rest.reactions,
    system: note,
  };
}

/** What a message says to whoever reads it: system messages are made from their note, with the names of now. */
export function shownContent(row: Pick<MessageRow, 'content' | 'system'>, users: Users): string {
  const note = noteOf(row);
  return note ? textOf(note, users) : row.content;
}

/** What a system message tells; undefined of people's messages. */
export function noteOf({ system }: Pick<MessageRow, 'system'>): SystemNote | undefined {
  if (system === null) return undefined;
  const note: SystemNote = JSON.parse(system);
  if (note.name !== undefined) note.name = cleanGroupName(note.name);
  return note;
}

function textOf(note: SystemNote, users: Users): string {
  return systemText(note, (id) => users.get(id)?.username);
}

/** A message that was appended a moment ago, in the same shape. */
export function presentNewMessage(message: NewMessage, { seq, rev, quoted }: Appended): Message {
  return {
    id: message.id,
    conversation_id: message.conversationId,
    sender_id: message.senderId,
    sender_username: message.senderUsername,
    content: message.content,
    type: message.type,
    sent_at: message.sentAt,
    seq,
    rev,
    client_id: shownKey(message.clientId, message.id),
    reply_to: quoted && {
      id: message.replyToId!,
      sender_id: quoted.senderId,
      sender_username: message.quotedUsername ?? DELETED_USER,
      excerpt: excerptOf(message.quotedNote ?? quoted.content),
    },
  };
}

/** `membership` is the caller's own row, whose marks make what is unread. */
export function presentEntry(
  conversation: ConversationRow,
  membership: Pick<ParticipantRow, 'read_seq'>,
  rest: { participants: ParticipantRow[]; participantCount: number; lastMessage?: Message; users: Users },
): Entry {
  return {
    conversation: presentConversation(conversation),
    participants: rest.participants.map((row) => presentParticipant(row, rest.users)),
    participant_count: rest.participantCount,
    last_message: rest.lastMessage,
    unread_count: conversation.seq - membership.read_seq,
    read_seq: membership.read_seq,
  };
}

/** The key that a message without one gets is its own id, which says nothing new. */
function shownKey(clientId: string, id: string): string | undefined {
  return clientId === id ? undefined : clientId;
}

function unknownUser(id: string): PublicUser {
  return { id, username: DELETED_USER, display_name: DELETED_USER, is_active: false, created_at: 0 };
}
