import type { FrameOf } from '../../../protocol/events.ts';
import type { ParticipantRole, SystemNote } from '../../../protocol/resources.ts';
import type { Bus } from '../../bus/bus.ts';
import type { Change } from '../../bus/news.ts';
import { writeEvent } from '../../database/conversation-events.ts';
import type { Database, Executor } from '../../database/database.ts';
import type { StoredEventKind } from '../../database/schema.ts';
import type { Actor } from '../../shared/actor.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { UsersService } from '../../users/service.ts';
import { presentConversation, presentMessage, presentParticipant } from '../model/presenter.ts';
import type { ConversationPatch, ConversationRow, Membership, MessageRow, ParticipantRow } from '../model/rows.ts';
import { changeBytes, type NoteStored } from '../usage/stored-bytes.ts';
import type { ConversationRepository } from './conversation-repository.ts';
import { type ConversationRoom, requireConversationRoom } from './conversation-room.ts';

/** Writes the system message of a change into the history. */
export interface NoteWriter {
  insertSystemMessage(head: NoteHead, note: SystemNote, tx: Executor): Promise<MessageRow>;
}

/** Whose system message it is, and where it comes to stand. */
export interface NoteHead {
  id: string;
  conversationId: string;
  senderId: string;
  seq: number;
  rev: number;
  sentAt: number;
}

export interface ChangeDeps {
  database: Database;
  conversations: ConversationRepository;
  messages: NoteWriter;
  users: UsersService;
  bus: Bus;
  /** Who is in how many conversations, and how many one may be in; left out: any number. */
  room?: ConversationRoom;
  /** Told of what is stored by a change, once it is committed. */
  noteStored?: NoteStored;
}

/** What every change counts on or dates by itself. */
type Counted = 'seq' | 'rev' | 'meta_rev' | 'marks_rev' | 'updated_at';

/** What is to change: decided under the conversation's lock, from what is true there. */
export interface Decision {
  event: 'conversation.updated' | 'participant.joined' | 'participant.left' | 'participant.updated';
  /** Told in the history, where the change is of that kind. */
  note?: Omit<SystemNote, 'by'>;
  /** Its own fields that change. */
  fields?: Omit<ConversationPatch, Counted>;
  /** Who comes in. */
  joining?: string[];
  /** Who goes. */
  leaving?: string;
  /** Whose role changes. */
  roles?: { userId: string; role: ParticipantRole }[];
}

/** `undefined`: nothing changes, and no `rev` is taken. */
export type Decide = (membership: Membership, tx: Executor) => Promise<Decision | undefined>;

/**
 * One change of a conversation's name or people, whole: locked, decided, numbered, written with its system message and
 * outbox rows in one transaction, then published as one frame. Fails with `conversation_not_found` for who is not in it.
 */
export async function changeConversation(
  deps: ChangeDeps,
  conversationId: string,
  actor: Actor,
  decide: Decide,
): Promise<void> {
  const written = await deps.database.transaction(async (tx) => {
    const membership = await deps.conversations.lockForMember(conversationId, actor.userId, tx);
    if (!membership) throw new ParleyError('conversation_not_found');
    const decision = await decide(membership, tx);
    return decision && (await write(deps, membership.conversation, actor, decision, tx));
  });
  if (!written) return;
  // At once after the commit, so that it comes before what commits next.
  publishChange(deps.bus, conversationId, written.change);
  deps.noteStored?.(actor.userId, written.bytes);
}

/** Writes what was decided, and makes the frame that tells it. */
async function write(
  { conversations, messages, users, room }: ChangeDeps,
  before: ConversationRow,
  actor: Actor,
  decision: Decision,
  tx: Executor,
): Promise<{ change: Change; bytes: number }> {
  const now = Date.now();
  const { note, fields, joining = [], leaving, roles = [] } = decision;
  const rev = before.rev + 1;
  const concerned = [...joining, ...roles.map(({ userId }) => userId), ...(leaving ? [leaving] : [])];
  // Where there is a system message, its creation is the event.
  if (!note) {
    const about = { conversationId: before.id, rev, actorId: actor.userId };
    const userIds = concerned.length > 0 ? concerned : undefined;
    await writeEvent(tx, { ...about, kind: silentEvent(decision.event), userIds });
  }
  const patch: ConversationPatch = { ...fields, rev, updated_at: now };
  if (fields) patch.meta_rev = rev;
  if (note) patch.seq = before.seq + 1;
  const conversation = await conversations.advanceConversation(before.id, patch, tx);

  const people = await users.publicUsers([actor.userId, ...concerned]);
  const message = note && (await writeNote({ conversations, messages }, conversation, actor, note, tx));

  await conversations.putParticipants(
    joining.map((userId) => newParticipant(conversation, userId, 'member', now)),
    tx,
  );
  await requireConversationRoom(room, { actor, joining, people, field: 'user_ids' }, tx);
  for (const { userId, role } of roles) await conversations.updateParticipant(before.id, userId, { rev, role }, tx);
  if (leaving) await conversations.updateParticipant(before.id, leaving, { rev, left_rev: rev }, tx);
  const participants = await conversations.findParticipants(before.id, concerned, tx);
  await conversations.tellOutbox(conversation, leaving ? [...joining, leaving] : joining, tx);

  const frame = {
    event: decision.event,
    conversation_id: conversation.id,
    rev,
    conversation: presentConversation(conversation),
    participants: participants.map((row) => presentParticipant(row, people)),
    message: message && presentMessage(message, people),
  } as FrameOf<Decision['event']>;
  const change = { rev, seq: message?.seq, frame, joined: joining, left: leaving ? [leaving] : [] };
  return { change, bytes: changeBytes(message, joining.length) };
}

/** What a change without a system message is to consumers of events: nobody comes or goes in silence. */
function silentEvent(event: Decision['event']): StoredEventKind {
  if (event === 'conversation.updated' || event === 'participant.updated') return event;
  throw new Error(`a change that is ${event} has a system message`);
}

/** The system message of a change, in the actor's name, with the actor's own marks moved over it. */
export async function writeNote(
  { conversations, messages }: Pick<ChangeDeps, 'conversations' | 'messages'>,
  conversation: ConversationRow,
  actor: Actor,
  untold: Omit<SystemNote, 'by'>,
  tx: Executor,
): Promise<MessageRow> {
  const { id: conversationId, seq, rev, updated_at: sentAt } = conversation;
  const note: SystemNote = { ...untold, by: actor.userId };
  const head = { id: Bun.randomUUIDv7(), conversationId, senderId: actor.userId, seq, rev, sentAt };
  const message = await messages.insertSystemMessage(head, note, tx);
  await conversations.moveMarks(conversationId, actor.userId, seq, tx);
  return message;
}

/** The row of somebody who comes in with the change that `conversation` stands at: both marks at the join's own seq. */
export function newParticipant(
  conversation: ConversationRow,
  userId: string,
  role: ParticipantRole,
  now: number,
): ParticipantRow {
  return {
    conversation_id: conversation.id,
    user_id: userId,
    role,
    joined_at: now,
    rev: conversation.rev,
    left_rev: null,
    read_seq: conversation.seq,
    delivered_seq: conversation.seq,
    marks_rev: 0,
  };
}

/** Where more come in at once, other nodes read of it from the log. */
const MAX_TOLD_ONE_BY_ONE = 20;

/**
 * Publishes a change that was committed. The nodes of who comes in with it are told first, so that they listen; those of
 * who leaves with it after, for they may have read just before that their user is in.
 */
export function publishChange(bus: Bus, conversationId: string, change: Change): void {
  const { rev, joined = [], left = [] } = change;
  const carried = joined.length <= MAX_TOLD_ONE_BY_ONE ? change : undefined;
  for (const userId of joined) {
    bus.publish(`user:${userId}`, { kind: 'joining', conversation_id: conversationId, rev, change: carried });
  }
  bus.publish(`conversation:${conversationId}`, { conversation_id: conversationId, changes: [change] });
  for (const userId of left) bus.publish(`user:${userId}`, { kind: 'left', conversation_id: conversationId, rev });
}
