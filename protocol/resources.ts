import { z } from 'zod';
import { PASSWORD_LENGTH } from './limits.ts';
import { Counter, Id, Milliseconds } from './schemas.ts';

/** The resources as clients see them, over REST and WebSocket alike. */

export const UserRole = z.enum(['user', 'admin']).meta({ description: 'Role in the whole installation' });
export type UserRole = z.infer<typeof UserRole>;

/** A user as others see it. */
export const PublicUser = z
  .object({
    id: Id,
    username: z.string().meta({ example: 'alice' }),
    display_name: z.string().meta({ example: 'Alice' }),
    avatar_url: z.string().optional(),
    status: z.string().optional().meta({ description: 'A line that the user wrote about themselves' }),
    is_active: z.boolean(),
    created_at: Milliseconds,
  })
  .meta({ id: 'PublicUser' });
export type PublicUser = z.infer<typeof PublicUser>;

/** A user as it sees itself. */
export const User = PublicUser.extend({
  email: z.string().meta({ example: 'alice@example.com' }),
  phone_number: z.string().optional().meta({ description: 'E.164', example: '+14155552671' }),
  role: UserRole,
  email_verified: z.boolean().meta({ description: 'Whether the address is known to be theirs' }),
  pending_email: z.string().optional().meta({ description: 'An address that waits to be confirmed' }),
  has_second_factor: z.boolean(),
  restriction: z.enum(['password', 'email', 'factor']).optional().meta({
    description:
      'What has to be done before anything else: choose a `password`, confirm the `email` address, set up a second `factor`',
  }),
}).meta({ id: 'User' });
export type User = z.infer<typeof User>;

export const Tokens = z
  .object({
    access_token: z.string(),
    refresh_token: z.string(),
    expires_in: z.int().meta({ description: 'Seconds until the access token expires', example: 900 }),
  })
  .meta({ id: 'Tokens' });
export type Tokens = z.infer<typeof Tokens>;

/** What an authenticator app is given, once. */
export const TotpSetup = z
  .object({
    secret: z.string().meta({ description: 'Base32, for who types it', example: 'JBSWY3DPEHPK3PXP' }),
    uri: z.string().meta({ description: 'otpauth:// address that the picture holds' }),
    qr: z.string().meta({ description: 'The picture: an SVG' }),
  })
  .meta({ id: 'TotpSetup' });
export type TotpSetup = z.infer<typeof TotpSetup>;

/** Codes for who has lost the app: each is good once. They are shown this one time. */
export const RecoveryCodes = z
  .object({ codes: z.array(z.string().meta({ example: 'K7QM-2XWD-9HTP' })) })
  .meta({ id: 'RecoveryCodes' });
export type RecoveryCodes = z.infer<typeof RecoveryCodes>;

/** What everybody may know of an installation before they sign in. */
export const ServerInfo = z
  .object({
    name: z.string().optional().meta({
      description: 'Whose server it is: the host of `PUBLIC_URL`. Left out where that is not set',
      example: 'chat.example.com',
    }),
    mail: z.enum(['sent', 'printed', 'none']).meta({
      description:
        'What becomes of letters with links: `sent`; `printed` where the server was started, and to nobody else; or `none`, ' +
        'and what needs one is `mail_unavailable`',
    }),
    verified_email_required: z.boolean().meta({
      description: 'Whether an account can do nothing before its address is confirmed',
    }),
    password: z.object({
      min_length: z.int().meta({ example: PASSWORD_LENGTH.min }),
      max_length: z.int().meta({ example: PASSWORD_LENGTH.max }),
      strength: z.enum(['refuse', 'warn']).meta({ description: 'What becomes of one that guessers try first' }),
    }),
  })
  .meta({ id: 'ServerInfo' });
export type ServerInfo = z.infer<typeof ServerInfo>;

/** A session, as its owner sees it in the list. */
export const SessionInfo = z
  .object({
    id: Id,
    device: z.string().meta({ description: 'What the device calls itself', example: 'Firefox on Linux' }),
    address: z.string().optional().meta({ description: 'Where it signed in from', example: '203.0.113.7' }),
    created_at: Milliseconds,
    last_used_at: Milliseconds.meta({ description: 'When its tokens were exchanged last' }),
    is_current: z.boolean().meta({ description: 'Whether it is the one that asks' }),
  })
  .meta({ id: 'SessionInfo' });
export type SessionInfo = z.infer<typeof SessionInfo>;

export const ConversationType = z.enum(['direct', 'group']);
export type ConversationType = z.infer<typeof ConversationType>;

export const ParticipantRole = z.enum(['admin', 'member']);
export type ParticipantRole = z.infer<typeof ParticipantRole>;

export const Conversation = z
  .object({
    id: Id,
    type: ConversationType,
    name: z.string().optional(),
    created_by: Id.optional(),
    created_at: Milliseconds,
    updated_at: Milliseconds.meta({ description: 'Time of the latest change, a message among them' }),
    seq: Counter.meta({ description: 'Number of the newest message; 0 before the first' }),
    rev: Counter.meta({ description: 'Number of the latest change' }),
  })
  .meta({ id: 'Conversation' });
export type Conversation = z.infer<typeof Conversation>;

export const Participant = PublicUser.extend({
  participant_role: ParticipantRole,
  joined_at: Milliseconds,
  read_seq: Counter.meta({ description: 'Read up to this message' }),
  delivered_seq: Counter.meta({ description: 'Received up to this message' }),
  rev: Counter.meta({ description: 'Number of the change in which they last came, went or changed role' }),
  left: z.literal(true).optional().meta({ description: 'Is no participant any more' }),
}).meta({ id: 'Participant' });
export type Participant = z.infer<typeof Participant>;

export const MessageType = z.enum(['text', 'image', 'file', 'audio', 'system']);
export type MessageType = z.infer<typeof MessageType>;

/** What a system message tells, for clients that say it in the user's own language. */
export const SystemNote = z
  .object({
    kind: z.enum(['group_created', 'participant_joined', 'participant_left', 'participant_removed', 'renamed']),
    by: Id.meta({ description: 'Who did it' }),
    user_ids: z.array(Id).optional().meta({ description: 'To whom' }),
    name: z.string().optional(),
  })
  .meta({ id: 'SystemNote' });
export type SystemNote = z.infer<typeof SystemNote>;

export const Reaction = z
  .object({
    emoji: z.string().meta({ example: '👍' }),
    count: z.int(),
    user_ids: z.array(Id).meta({ description: 'The first 20 who reacted so' }),
    me: z.literal(true).optional().meta({ description: 'Only where one caller is answered: they did, too' }),
  })
  .meta({ id: 'Reaction' });
export type Reaction = z.infer<typeof Reaction>;

/** What a reply answers. `excerpt` is made from that message as it stands now, and empty once it is deleted. */
export const ReplyTo = z
  .object({ id: Id, sender_id: Id, sender_username: z.string(), excerpt: z.string() })
  .meta({ id: 'ReplyTo' });
export type ReplyTo = z.infer<typeof ReplyTo>;

export const Message = z
  .object({
    id: Id,
    conversation_id: Id,
    sender_id: Id,
    sender_username: z.string(),
    content: z.string(),
    type: MessageType,
    sent_at: Milliseconds,
    seq: Counter,
    rev: Counter,
    client_id: z.string().optional(),
    edited_at: Milliseconds.optional(),
    deleted_at: Milliseconds.optional().meta({ description: 'A tombstone: its content is empty' }),
    reply_to: ReplyTo.optional(),
    reactions: z.array(Reaction).optional(),
    system: SystemNote.optional(),
  })
  .meta({ id: 'Message' });
export type Message = z.infer<typeof Message>;

/** A conversation as its caller sees it: with participants, the newest message, and what is unread. */
export const Entry = z
  .object({
    conversation: Conversation,
    participants: z.array(Participant).meta({ description: 'The first 100' }),
    participant_count: z.int(),
    last_message: Message.optional(),
    unread_count: z.int(),
    read_seq: Counter,
  })
  .meta({ id: 'Entry' });
export type Entry = z.infer<typeof Entry>;

/** How far somebody has received and read. Marks only ever grow; a message implies its sender's own. */
export const Mark = z.object({ user_id: Id, delivered_seq: Counter, read_seq: Counter }).meta({ id: 'Mark' });
export type Mark = z.infer<typeof Mark>;

const epoch = z.string().meta({ description: 'Which history this is: another one, and all copies are dropped' });

/**
 * What changed in a conversation since a `rev`: each message, participant and the conversation itself as they now stand.
 * Applying it twice changes nothing: for each thing the higher `rev` stays.
 */
export const Changes = z
  .object({
    epoch,
    reset: z.literal(true).optional().meta({ description: 'Too far behind: drop the copy, load the newest page' }),
    messages: z.array(Message).meta({ description: 'Oldest change first' }),
    conversation: Conversation.optional().meta({ description: 'Where its own fields changed' }),
    participants: z.array(Participant).optional().meta({ description: 'Who changed; `left: true` for who went' }),
    marks: z.array(Mark).optional().meta({ description: 'Where `marks_since` was behind' }),
    rev: Counter.meta({ description: 'The last change covered' }),
    marks_rev: Counter,
    has_more: z.boolean(),
  })
  .meta({ id: 'Changes' });
export type Changes = z.infer<typeof Changes>;

/** Where one of the caller's conversations stands, and the caller's own marks in it. */
export const Head = z
  .object({
    id: Id,
    seq: Counter,
    rev: Counter,
    marks_rev: Counter,
    read_seq: Counter,
    delivered_seq: Counter,
  })
  .meta({ id: 'Head' });
export type Head = z.infer<typeof Head>;

/** All of the caller's conversations, in id order; one that is absent was left. */
export const Sync = z
  .object({ epoch, conversations: z.array(Head), next_cursor: z.string().optional() })
  .meta({ id: 'Sync' });
export type Sync = z.infer<typeof Sync>;

/** A head and, where the caller is behind it, what changed; without them `changes` is to be asked for. */
export const CaughtUpHead = Head.extend({
  changes: Changes.optional().meta({
    description:
      'Since what the caller holds; as in frames, `me` is left to `user_ids`. Absent where nothing changed, or where the answer would become too large',
  }),
}).meta({ id: 'CaughtUpHead' });
export type CaughtUpHead = z.infer<typeof CaughtUpHead>;

/** All of the caller's conversations, in id order, with what changed in them; one that is absent was left. */
export const CatchUp = z
  .object({ epoch, conversations: z.array(CaughtUpHead), next_cursor: z.string().optional() })
  .meta({ id: 'CatchUp' });
export type CatchUp = z.infer<typeof CatchUp>;

export const PresenceStatus = z.enum(['online', 'away', 'dnd', 'offline']);
export type PresenceStatus = z.infer<typeof PresenceStatus>;

export const ErrorBodySchema = z
  .object({
    code: z.string().meta({ example: 'validation_failed' }),
    message: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    request_id: z.string(),
  })
  .meta({ id: 'Error' });
