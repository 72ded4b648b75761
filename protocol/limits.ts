/** Sizes and counts of the contract that are the same in every installation. */

/** Largest WebSocket frame from a client, in bytes. */
export const MAX_FRAME_BYTES = 64 * 1024;
/** Largest JSON body of a request, in bytes. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Largest body of a call that signs in or names a password, in bytes: whoever sends it is nobody yet. */
export const MAX_CREDENTIALS_BYTES = 16 * 1024;
/** How long a body may take to come, from when it is waited for, in milliseconds. */
export const BODY_MS = 20_000;
/** How deep JSON of a client may be nested, and how many values it may hold: fields, elements, and what holds them. */
export const MAX_JSON_DEPTH = 32;
export const MAX_JSON_VALUES = 20_000;
/** Sends of one socket that may wait for their `ack`. */
export const MAX_UNANSWERED_SENDS = 64;
/** Frames of one socket that may wait to be handled. */
export const MAX_WAITING_FRAMES = 256;
/** Largest frame of an event that needs no more, in bytes: those that do are `LARGE_EVENTS`. */
export const SMALL_FRAME_BYTES = 1024;
/** Bytes that all sockets of one account on one node may send at once, and each second from then on. */
export const FRAME_BURST_BYTES = 1024 * 1024;
export const FRAME_BYTES_A_SECOND = 256 * 1024;
/** Bytes as which every frame counts at least, pings and pongs too. */
export const MIN_FRAME_BYTES = 64;
/** Bytes beyond those whose frames wait until they may have been sent; more closes the socket. */
export const MAX_WAITING_BYTES = 3 * 1024 * 1024;
/** Frames in a row that are no valid request; the next one closes the socket. */
export const MAX_BAD_FRAMES = 100;
/** Bytes that a socket's reader may lag behind before it is cut. */
export const MAX_BACKLOG_BYTES = 1024 * 1024;

/** Largest answer of the API, in bytes: a page ends early rather than be longer. Files are their own size. */
export const MAX_ANSWER_BYTES = 1024 * 1024;
/** Answers of more bytes than this are compressed, where the client takes that. */
export const MIN_COMPRESSED_BYTES = 1024;
/** Answers beyond this many bytes, as they are sent, are long: they wait for their reader. */
export const LONG_ANSWER_BYTES = 64 * 1024;
/** Long answers of one account that are read at once; others wait for their turn. */
export const MAX_LONG_ANSWERS = 2;
/** How long an answer may go unread before it is cut, in milliseconds. */
export const UNREAD_MS = 15_000;

/** Sockets of one account on one node: more tabs and devices than people have. */
export const MAX_SOCKETS_PER_USER = 100;

export const MAX_CLIENT_ID_LENGTH = 64;
export const MAX_PARTICIPANTS_AT_ONCE = 1000;
/** Participants of an entry; the rest are a page of their own. */
export const ENTRY_PARTICIPANTS = 100;
export const GROUP_NAME_LENGTH = { min: 1, max: 100 } as const;
export const DISPLAY_NAME_LENGTH = { min: 1, max: 100 } as const;
export const STATUS_LENGTH = { min: 0, max: 200 } as const;
export const PASSWORD_LENGTH = { min: 8, max: 128 } as const;
export const USERNAME_LENGTH = { min: 3, max: 50 } as const;

/** How many things a page has that asks for no number, and at most. */
export const PAGE_SIZES = {
  users: { fallback: 50, max: 100 },
  conversations: { fallback: 100, max: 100 },
  participants: { fallback: 100, max: 500 },
  sync: { fallback: 1000, max: 1000 },
  messages: { fallback: 50, max: 100 },
  changes: { fallback: 500, max: 1000 },
} as const;

/** Longest cursor, in characters: that of a search holds a name in the form in which names are compared, which can be far longer than it. */
export const MAX_CURSOR_LENGTH = 6000;

/** Changes behind which a copy is loaded anew rather than brought up to date. */
export const MAX_CHANGES_BEHIND = 1000;
/** Conversations that a client can name in one `sync`. */
export const MAX_SYNC_CONVERSATIONS = 1000;
/** Messages of one conversation in the answer to a `sync`; what is more is asked for by itself. */
export const SYNC_MESSAGES = 200;
/** Bytes of changes in the answer to a `sync`, and of one conversation's in it: the rest is asked for by itself, too. */
export const SYNC_BYTES = 512 * 1024;
export const SYNC_CONVERSATION_BYTES = 128 * 1024;
/** Bytes of a live `changes` frame; other frames that would be longer become one that says `reset`. */
export const MAX_CHANGES_FRAME_BYTES = 256 * 1024;
export const MAX_LIVE_FRAME_BYTES = 512 * 1024;
/** Marks of one conversation that share a `marks_rev`, at most. */
export const MARKS_AT_ONCE = 500;
/** Marks in one `receipts` frame. */
export const MAX_FRAME_MARKS = 2000;
/** Wrong fields that a `validation_failed` names. */
export const MAX_NAMED_ERRORS = 100;
/** Users named with each kind of reaction; `count` says how many there are. */
export const REACTION_USERS = 20;
/** Different kinds of reactions that a message can have. */
export const MAX_REACTION_KINDS = 50;
/** Characters of a message that a reply to it quotes. */
export const EXCERPT_LENGTH = 120;
/** Users that one socket may watch. */
export const MAX_WATCHED_USERS = 1000;
/** Conversations in which somebody can be typing at once. */
export const MAX_TYPING_CONVERSATIONS = 10;
/** After how long somebody who says nothing more has stopped typing, in milliseconds. */
export const TYPING_MS = 6000;
/** How long somebody is away from all sockets before they are told to be offline, in milliseconds. */
export const OFFLINE_AFTER_MS = 10_000;

/** Shown as the name of whoever deleted the account. */
export const DELETED_USER = 'deleted user';

/** The subprotocol of the full event protocol, and the prefix under which a browser hands its token over. */
export const SUBPROTOCOL = 'parley.v1';
export const TOKEN_SUBPROTOCOL_PREFIX = 'parley.token.';
