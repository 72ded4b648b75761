import type { ColumnType, Generated } from 'kysely';
import type { ConversationType, MessageType, ParticipantRole, UserRole } from '../../protocol/resources.ts';

/**
 * The tables, as repositories see them on either engine. Ids are UUIDv7 text here, 16-byte blobs in SQLite and native
 * `uuid` in PostgreSQL; times are milliseconds since the Unix epoch. docs/DATABASE.md says why each is as it is.
 */
export interface Schema {
  users: UsersTable;
  sessions: SessionsTable;
  account_links: AccountLinksTable;
  mfa_tickets: MfaTicketsTable;
  totp: TotpTable;
  recovery_codes: RecoveryCodesTable;
  audit: AuditTable;
  username_claims: UsernameClaimsTable;
  conversations: ConversationsTable;
  participants: ParticipantsTable;
  messages: MessagesTable;
  reactions: ReactionsTable;
  reaction_kinds: ReactionKindsTable;
  conversation_totals: ConversationTotalsTable;
  account_totals: AccountTotalsTable;
  conversation_events: ConversationEventsTable;
  last_seen: LastSeenTable;
  outbox: OutboxTable;
  meta: MetaTable;
  job_cursors: JobCursorsTable;
  parked_jobs: ParkedJobsTable;
  jobs: JobsTable;
  duties: DutiesTable;
}

/** Written once, never changed. */
type Fixed<T> = ColumnType<T, T, never>;
/** SQLite has no boolean: 0 or 1. */
export type Flag = 0 | 1;

export interface UsersTable {
  id: Fixed<string>;
  /** Lower case; null once the account is deleted, so that the address is free again. */
  email: string | null;
  /** As the user writes it; null once the account is deleted. */
  username: string | null;
  /** Lower case: usernames are unique whatever the case. */
  username_key: string | null;
  display_name: string;
  /** Lower case, for the search by prefix. */
  display_name_key: string;
  /** E.164. */
  phone_number: string | null;
  password_hash: string | null;
  avatar_url: string | null;
  status: string | null;
  role: UserRole;
  is_active: Flag;
  created_at: Fixed<number>;
  deleted_at: number | null;
  /** Lower case; not unique, and found by nobody: whoever typed it has not shown that it is theirs. */
  unverified_email: Generated<string | null>;
  /** Whether `email` is known to be theirs: 0 where the installation had no mail to ask there. */
  email_proven: Generated<Flag>;
  /** Whether it has a second factor, as `totp` says too. */
  has_factor: Generated<Flag>;
  /** Whether the number is a log-in name too, as it was before there was mail: nobody has shown that it is theirs. */
  phone_signs_in: Generated<Flag>;
  /** Whether the password is one that an operator made, and is to be changed before anything else. */
  must_change_password: Generated<Flag>;
}

/** Who has a username, and with it all that look like it, or had it until lately. */
export interface UsernameClaimsTable {
  /** Of what the name looks like. The name itself stands with its user only. */
  name_hash: Fixed<string>;
  user_id: string;
  /** Until when nobody else may take it, since it was given up; null while it is in use. */
  held_until: number | null;
}

export interface SessionsTable {
  id: Fixed<string>;
  user_id: Fixed<string>;
  created_at: Fixed<number>;
  /** When its latest refresh token expires; moves with every refresh, never beyond `SESSION_MAX_AGE`. */
  expires_at: number;
  ended_at: number | null;
  /** Number of the refresh token that is valid now. */
  generation: number;
  /** When the token before it was exchanged: its last use. */
  rotated_at: number;
  /** What the device called itself, such as "Firefox on Linux". */
  device: Generated<string | null>;
  /** Where it was signed in from. */
  address: Generated<string | null>;
  /** What was shown for it, comma-separated: `password`, `totp`, … */
  proofs: Generated<string>;
  /** When that was last shown: what is dangerous asks for it anew. */
  proved_at: Generated<number>;
  /** Why it ended, where its device is told: `revoked` from the list of sessions. */
  end_reason: Generated<string | null>;
}

/** A link or a code in a letter, which shows that its reader has the address. What it says is computed from its id. */
export interface AccountLinksTable {
  id: Fixed<string>;
  user_id: Fixed<string>;
  purpose: Fixed<LinkPurpose>;
  /** The address that it was sent to; empty where an operator made it, who hands it over by other ways. */
  email: Fixed<string>;
  /** A digest of the account's password hash: a link to reset it dies with the password. */
  password_mark: Fixed<string | null>;
  created_at: Fixed<number>;
  expires_at: Fixed<number>;
  used_at: number | null;
  /** Codes that were tried. */
  tries: Generated<number>;
}

/** `verify`: an address, which is the account's or is to be. `reset`: a new password. */
export type LinkPurpose = 'verify' | 'reset';

/** A sign-in that lacks the second factor. */
export interface MfaTicketsTable {
  id: Fixed<string>;
  user_id: Fixed<string>;
  /** The session that lacks it; null where one is to begin. */
  session_id: Fixed<string | null>;
  /** What was shown already. */
  proofs: Fixed<string>;
  /** A digest of the password hash that was shown: with another password the ticket is worth nothing. */
  password_mark: Fixed<string | null>;
  created_at: Fixed<number>;
  expires_at: Fixed<number>;
  tries: Generated<number>;
  used_at: number | null;
}

/** The secrets of an authenticator app (RFC 6238), sealed with a key that is not in the database. */
export interface TotpTable {
  user_id: Fixed<string>;
  /** The one in use; null before the first. */
  secret: string | null;
  confirmed_at: number | null;
  /** The newest time step of which a code was taken: none is taken twice. */
  last_step: Generated<number>;
  /** The one that takes its place once a code of it is shown. */
  pending_secret: string | null;
  pending_at: number | null;
}

/** One of ten codes for who has lost the app. */
export interface RecoveryCodesTable {
  user_id: Fixed<string>;
  /** How the code begins, by which it is found. */
  hint: Fixed<string>;
  code_hash: Fixed<string>;
  created_at: Fixed<number>;
  used_at: number | null;
}

/** What happened to an account. Rows are never changed. */
export interface AuditTable {
  id: Fixed<string>;
  at: Fixed<number>;
  kind: Fixed<string>;
  outcome: Fixed<'done' | 'refused'>;
  actor_id: Fixed<string | null>;
  subject_id: Fixed<string | null>;
  session_id: Fixed<string | null>;
  address: Fixed<string | null>;
  request_id: Fixed<string | null>;
  /** JSON. */
  detail: Fixed<string | null>;
}

export interface ConversationsTable {
  id: Fixed<string>;
  type: Fixed<ConversationType>;
  name: string | null;
  created_by: Fixed<string | null>;
  /** The two of a direct conversation, in id order, so that a pair has one row whoever opens it. */
  low_user_id: Fixed<string | null>;
  high_user_id: Fixed<string | null>;
  created_at: Fixed<number>;
  updated_at: number;
  /** Number of the newest message. */
  seq: number;
  /** Number of the latest change. */
  rev: number;
  /** The `rev` at which its own fields last changed. */
  meta_rev: number;
  /** Moves with every batch of delivered and read marks. */
  marks_rev: Generated<number>;
}

export interface ParticipantsTable {
  conversation_id: Fixed<string>;
  user_id: Fixed<string>;
  role: ParticipantRole;
  joined_at: number;
  /** The `rev` at which this row last changed. */
  rev: number;
  /** The `rev` at which they left; null for who is in. The row stays, and with it the marks. */
  left_rev: number | null;
  read_seq: number;
  delivered_seq: number;
  /** The conversation's `marks_rev` at which these marks last moved, other than by the user's own messages. */
  marks_rev: Generated<number>;
}

export interface MessagesTable {
  conversation_id: Fixed<string>;
  seq: Fixed<number>;
  /** The `rev` of its latest change. */
  rev: number;
  /** The `rev` at which it came: what a retry of the send is answered. */
  created_rev: Fixed<number>;
  id: Fixed<string>;
  sender_id: Fixed<string>;
  /** Unique for a conversation and sender; the server makes one where the client gave none. */
  client_id: Fixed<string>;
  type: Fixed<MessageType>;
  content: string;
  /** JSON of what a system message tells; its `content` is empty, for what it says is made where it is read. */
  system: Fixed<string | null>;
  reply_to_id: Fixed<string | null>;
  sent_at: Fixed<number>;
  edited_at: number | null;
  deleted_at: number | null;
}

/** One of a kind for each user and message. They are gone with the message's deletion. */
export interface ReactionsTable {
  conversation_id: Fixed<string>;
  message_id: Fixed<string>;
  emoji: Fixed<string>;
  user_id: Fixed<string>;
  created_at: Fixed<number>;
}

/** Which kinds of reactions a message has, and how many of each: triggers count them. */
export interface ReactionKindsTable {
  conversation_id: Fixed<string>;
  message_id: Fixed<string>;
  emoji: Fixed<string>;
  total: number;
}

/** How many are in a conversation: triggers count them. */
export interface ConversationTotalsTable {
  conversation_id: Fixed<string>;
  participants: number;
}

/** What an account has of that of which it may not have any number. No row: nothing yet. */
export interface AccountTotalsTable {
  user_id: Fixed<string>;
  /** How many it is in: triggers count them. */
  conversations: ColumnType<number, number | undefined, never>;
  /** Bytes of its messages, about: written behind, and what a crash loses of it is not made good. */
  stored_bytes: Generated<number>;
}

/** What took a `rev` without bringing a message. */
export type StoredEventKind =
  | 'message.updated'
  | 'message.deleted'
  | 'reaction.added'
  | 'reaction.removed'
  | 'conversation.created'
  | 'conversation.updated'
  | 'participant.updated';

/**
 * One row for each `rev` that brought no message, written in the transaction of the change and kept for days. It says what
 * happened, never what was said: consumers are told the data as it stands.
 */
export interface ConversationEventsTable {
  conversation_id: Fixed<string>;
  rev: Fixed<number>;
  kind: Fixed<StoredEventKind>;
  /** Who did it. */
  actor_id: Fixed<string>;
  /** The message that it is about, where it is about one. */
  message_seq: Fixed<number | null>;
  /** JSON of the ids of those whom it concerns, where it concerns some. */
  user_ids: Fixed<string | null>;
  /** Of a reaction. */
  emoji: Fixed<string | null>;
  created_at: Fixed<number>;
}

/** When users who are not connected last were. */
export interface LastSeenTable {
  user_id: Fixed<string>;
  at: number;
}

/**
 * What other parts of the program, and other nodes, must hear of: written in the transaction of what it tells,
 * so that a publication on the bus may be lost.
 */
export interface OutboxTable {
  id: Generated<number>;
  kind: Fixed<OutboxKind>;
  conversation_id: Fixed<string | null>;
  user_id: Fixed<string | null>;
  session_id: Fixed<string | null>;
  rev: Fixed<number | null>;
  created_at: Fixed<number>;
}

/**
 * `conversation`: it advanced to `rev`. `marks`: its marks did. `membership`: `user_id` joined or left at `rev`. `session`: it ended.
 * `user`: their name, role or state changed.
 */
export type OutboxKind = 'conversation' | 'marks' | 'membership' | 'session' | 'user';

/**
 * Single values: `epoch`; `history`, PostgreSQL's cluster and timeline when the epoch was last looked at; `jobs:<consumer>`,
 * when that consumer began; `system_texts`, up to which conversation texts that a version before kept were taken out of messages, until all are.
 */
export interface MetaTable {
  key: Fixed<string>;
  value: string;
}

/**
 * How far a consumer of events has come in a conversation. A row with `next_at` has work: it waits for its next try, or
 * a worker holds it (`owner`) until then.
 */
export interface JobCursorsTable {
  conversation_id: Fixed<string>;
  consumer: Fixed<string>;
  /** Every message up to this one is done, or parked. */
  seq: number;
  /** Every change up to this one is done, parked or passed over; null of a version that knew messages only. */
  rev: number | null;
  /** Tries of the event behind `rev` that failed. */
  attempts: Generated<number>;
  /** The turn that works on it now; null for nobody. */
  owner: string | null;
  /** By the database's clock: when to look again, or until when `owner` holds it; null where all is done. */
  next_at: number | null;
  /** Whether there was news while `owner` held it. */
  again: Generated<Flag>;
  /** Since when an event has been failing; null where none is. */
  waiting_since: number | null;
}

/** An event that a consumer gave up on: an operator looks, and tries it again or discards it. */
export interface ParkedJobsTable {
  id: Fixed<string>;
  consumer: Fixed<string>;
  conversation_id: Fixed<string>;
  /** Of a message's creation: its number. Null for all other events. */
  seq: Fixed<number | null>;
  attempts: number;
  /** Why the last try failed: a few words, without anything of the message. */
  reason: string;
  parked_at: number;
  /** When it is tried again; null while it is parked. */
  next_at: number | null;
  /** With what follows, null of a version that knew messages only: the event is the creation of the message at `seq`. */
  rev: Fixed<number | null>;
  kind: Fixed<string | null>;
  /** From here on a copy of the event's row, which is swept. */
  message_seq: Fixed<number | null>;
  /** Null where what happened was not kept, and the event tells what stands. */
  actor_id: Fixed<string | null>;
  user_ids: Fixed<string | null>;
  emoji: Fixed<string | null>;
  event_at: Fixed<number | null>;
}

/**
 * A job that belongs to no conversation, from the commit of its cause until it is done: then the row goes. It waits; or a
 * runner holds it (`owner`); or it is parked. All times are by the database's clock.
 */
export interface JobsTable {
  id: Fixed<string>;
  /** Which handler it is for. */
  kind: Fixed<string>;
  /** JSON of what the handler is given. */
  payload: string;
  /** 0 goes before 1, and 1 before 2. */
  priority: number;
  /** Of a kind there is one job with this key, but for a parked one. */
  dedupe_key: Fixed<string | null>;
  /** Tries that began, the one that runs among them: one that took its process with it counts. */
  attempts: Generated<number>;
  /** Not before. */
  due_at: number;
  /** The try that runs; null for none. */
  owner: string | null;
  /** When `owner` is taken for dead. */
  lease_until: number | null;
  /** When it goes again, because it was asked for once more while it ran; null where it was not. */
  again_at: number | null;
  parked_at: number | null;
  /** Why the last try failed: a few words, without anything of the payload. */
  reason: string | null;
  created_at: Fixed<number>;
}

/** What is done again and again by the clock, on one node at a time. */
export interface DutiesTable {
  name: Fixed<string>;
  /** The run that is under way; null for none. */
  owner: string | null;
  /** When `owner` is taken for dead, unless it renews this. */
  lease_until: number | null;
  /** When it was last done. */
  last_run_at: number | null;
  next_at: number;
}
