import { z } from 'zod';
import { ERRORS, type ErrorCode } from './errors.ts';
import { MAX_CLIENT_ID_LENGTH, MAX_WATCHED_USERS } from './limits.ts';
import { Changes, Conversation, Entry, Mark, Message, Participant, PresenceStatus } from './resources.ts';
import { Counter, content, eachRequires, Id, Milliseconds } from './schemas.ts';
import { isStorableText } from './text.ts';

/** The frames of `parley.v1`, and the smaller set of plain mode. */

/** A key that the client makes: with it a send can be repeated for ever without a second message. */
export const ClientId = z
  .string()
  .min(1)
  .max(MAX_CLIENT_ID_LENGTH)
  .refine(isStorableText, { error: 'must be well-formed Unicode without NUL' })
  .meta({ description: 'Unique for each conversation and sender', example: '0199a3f0-8c00-7a00-8000-000000000001' });

/** Only text may be sent until uploads exist; `system` is the server's own. */
export const SendableType = z.enum(['text'], { error: 'only "text" can be sent' });

/** An emoji, as Unicode recommends them for interchange, or a pictograph without its variation selector. */
export const Emoji = z
  .string()
  .max(64)
  .refine((text) => /^(?:\p{RGI_Emoji}|\p{Extended_Pictographic})$/v.test(text), { error: 'must be one emoji' })
  .meta({ minLength: 1, example: '👍' });

/** Where to: a conversation, or a user, whose direct conversation is found or opened. */
export const MessageSend = z
  .object({
    event: z.literal('message.send').optional(),
    client_id: ClientId.optional(),
    conversation_id: Id.optional(),
    recipient: Id.optional(),
    content,
    type: SendableType.optional(),
    reply_to: Id.optional().meta({ description: 'A message of the same conversation' }),
  })
  .refine((frame) => (frame.conversation_id === undefined) !== (frame.recipient === undefined), {
    error: 'give either conversation_id or recipient',
    path: ['conversation_id'],
  })
  .meta({ id: 'MessageSend', oneOf: eachRequires('conversation_id', 'recipient') });
export type MessageSend = z.infer<typeof MessageSend>;

/** Names a message; the `client_id` only marks the answer. */
const messageFrame = { client_id: ClientId.optional(), conversation_id: Id, message_id: Id };
const markFrame = { conversation_id: Id, seq: Counter };

export const MessageEdit = z
  .object({
    event: z.literal('message.edit'),
    ...messageFrame,
    content,
    if_rev: Counter.optional().meta({ description: 'Edit only what still stands at this `rev`' }),
  })
  .meta({ id: 'MessageEdit' });
export const MessageDelete = z
  .object({ event: z.literal('message.delete'), ...messageFrame })
  .meta({ id: 'MessageDelete' });
export const ReactionAdd = z
  .object({ event: z.literal('reaction.add'), ...messageFrame, emoji: Emoji })
  .meta({ id: 'ReactionAdd' });
export const ReactionRemove = z
  .object({ event: z.literal('reaction.remove'), ...messageFrame, emoji: Emoji })
  .meta({ id: 'ReactionRemove' });
export const Delivered = z.object({ event: z.literal('delivered'), ...markFrame }).meta({ id: 'Delivered' });
export const Read = z.object({ event: z.literal('read'), ...markFrame }).meta({ id: 'Read' });
export const Typing = z
  .object({ event: z.literal('typing'), conversation_id: Id, active: z.boolean() })
  .meta({ id: 'Typing' });
export const PresenceSet = z
  .object({ event: z.literal('presence.set'), status: z.enum(['online', 'away', 'dnd']) })
  .meta({ id: 'PresenceSet' });
export const PresenceWatch = z
  .object({
    event: z.literal('presence.watch'),
    user_ids: z.array(Id).max(MAX_WATCHED_USERS, { error: `at most ${MAX_WATCHED_USERS} users` }),
  })
  .meta({ id: 'PresenceWatch', description: 'Whom this socket watches from now on, instead of those before' });
export const Ping = z.object({ event: z.literal('ping') }).meta({ id: 'Ping' });

/** Every frame that a client may send, by its event. A frame without one is a message to send. */
export const CLIENT_FRAMES = {
  'message.send': MessageSend,
  'message.edit': MessageEdit,
  'message.delete': MessageDelete,
  'reaction.add': ReactionAdd,
  'reaction.remove': ReactionRemove,
  delivered: Delivered,
  read: Read,
  typing: Typing,
  'presence.set': PresenceSet,
  'presence.watch': PresenceWatch,
  ping: Ping,
} as const;
export type ClientEvent = keyof typeof CLIENT_FRAMES;

/** Events whose frames may have `MAX_FRAME_BYTES`; those of all others have `SMALL_FRAME_BYTES` at most. */
export const LARGE_EVENTS: readonly ClientEvent[] = ['message.send', 'message.edit', 'presence.watch'];
export type ClientFrame = z.infer<(typeof CLIENT_FRAMES)[ClientEvent]>;

/** What made a message change. */
export const Cause = z
  .object({
    kind: z.enum(['edit', 'delete', 'reaction.add', 'reaction.remove']),
    user_id: Id,
    emoji: z.string().optional(),
  })
  .meta({ id: 'Cause' });
export type Cause = z.infer<typeof Cause>;

const conversationFrame = { conversation_id: Id, rev: Counter };

export const ServerFrame = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('ready'),
    user_id: Id,
    session_id: Id,
    server_time: Milliseconds,
    heartbeat_ms: z.int(),
    max_message_length: z.int(),
    epoch: z.string(),
  }),
  Message.extend({ event: z.literal('message') }),
  z.object({
    event: z.literal('ack'),
    client_id: z.string().optional(),
    id: Id,
    conversation_id: Id,
    seq: Counter,
    rev: Counter,
    sent_at: Milliseconds,
  }),
  z.object({
    event: z.literal('error'),
    error: z.literal(true),
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    retryable: z.boolean(),
    client_id: z.string().optional(),
  }),
  Message.extend({ event: z.literal('message.updated'), cause: Cause }),
  Changes.extend({ event: z.literal('changes'), conversation_id: Id, since: Counter }),
  z.object({
    event: z.literal('receipts'),
    conversation_id: Id,
    marks_rev: Counter,
    since: Counter.optional().meta({
      description: 'Whoever holds this `marks_rev` or more is led to the frame’s; absent where that is one more',
    }),
    marks: z.array(Mark),
  }),
  z.object({
    event: z.literal('typing'),
    conversation_id: Id,
    user_id: Id,
    username: z.string(),
    active: z.boolean(),
  }),
  z.object({
    event: z.literal('presence'),
    user_id: Id,
    status: PresenceStatus,
    last_seen_at: Milliseconds.optional().meta({ description: 'When they were last connected; absent while they are' }),
  }),
  z.object({ event: z.literal('pong') }),
  z.object({ event: z.literal('draining'), retry_in_ms: z.int() }),
  z.object({
    event: z.literal('conversation.created'),
    ...conversationFrame,
    entry: Entry,
    message: Message.optional(),
  }),
  z.object({
    event: z.literal('conversation.updated'),
    ...conversationFrame,
    conversation: Conversation,
    participants: z.array(Participant).optional().meta({ description: 'Empty: nobody came, went or changed role' }),
    message: Message.optional(),
  }),
  z.object({
    event: z.literal('participant.joined'),
    ...conversationFrame,
    conversation: Conversation,
    participants: z.array(Participant),
    message: Message,
  }),
  z.object({
    event: z.literal('participant.left'),
    ...conversationFrame,
    conversation: Conversation.optional(),
    participants: z.array(Participant),
    message: Message.optional(),
  }),
  z.object({
    event: z.literal('participant.updated'),
    ...conversationFrame,
    conversation: Conversation,
    participants: z.array(Participant),
  }),
]);
export type ServerFrame = z.infer<typeof ServerFrame>;

/** A frame of one event. */
export type FrameOf<E extends ServerFrame['event']> = Extract<ServerFrame, { event: E }>;

/** The only other thing that plain mode ever sends beside flat messages. */
export interface PlainError {
  error: true;
  code: ErrorCode;
  message: string;
}
