import type { FrameOf } from '../../../protocol/events.ts';
import { ENTRY_PARTICIPANTS } from '../../../protocol/limits.ts';
import { writeEvent } from '../../database/conversation-events.ts';
import type { Actor } from '../../shared/actor.ts';
import { ParleyError } from '../../shared/errors.ts';
import { presentEntry, presentMessage, type Users } from '../model/presenter.ts';
import type { ConversationRow, MessageRow, ParticipantRow } from '../model/rows.ts';
import { changeBytes } from '../usage/stored-bytes.ts';
import { type ChangeDeps, newParticipant, publishChange, writeNote } from './change-conversation.ts';
import { inOrder } from './conversation-repository.ts';
import { requireConversationRoom } from './conversation-room.ts';

/** The direct conversation of the actor and another, and whether it was made now. There is one per pair, for ever. */
export async function openDirect(
  deps: ChangeDeps,
  actor: Actor,
  otherId: string,
): Promise<{ id: string; isNew: boolean }> {
  const standing = await deps.conversations.findDirect(actor.userId, otherId);
  if (standing) return { id: standing.id, isNew: false };

  const people = await activePeople(deps, actor, [otherId]);
  const [low, high] = inOrder(actor.userId, otherId);
  const conversation = newConversation(actor, { type: 'direct', low_user_id: low, high_user_id: high });
  const members = [...new Set([low, high])];
  const participants = members.map((id) => newParticipant(conversation, id, 'member', conversation.created_at));

  const isNew = await deps.database.transaction(async (tx) => {
    await deps.users.requireActive(tx, members);
    if (!(await deps.conversations.insertConversation(conversation, tx))) return false;
    const { id, rev } = conversation;
    const about = { conversationId: id, rev, actorId: actor.userId };
    await writeEvent(tx, { ...about, kind: 'conversation.created', userIds: members });
    await deps.conversations.putParticipants(participants, tx);
    await requireConversationRoom(deps.room, { actor, joining: members, people, field: 'participant_id' }, tx);
    await deps.conversations.tellOutbox(conversation, members, tx);
    return true;
  });
  if (isNew) {
    deps.noteStored?.(actor.userId, changeBytes(undefined, members.length));
    publishCreation(deps, conversation, participants, people);
    return { id: conversation.id, isNew };
  }
  // Both sides opened it at the same instant, and the other's commit was first.
  const first = await deps.conversations.findDirect(actor.userId, otherId);
  return { id: first!.id, isNew };
}

/** Makes a group with the actor as its admin, and returns its id. */
export async function createGroup(
  deps: ChangeDeps,
  actor: Actor,
  group: { name: string; memberIds: string[] },
): Promise<string> {
  const others = [...new Set(group.memberIds)].filter((id) => id !== actor.userId);
  const people = await activePeople(deps, actor, others);
  const conversation = newConversation(actor, { type: 'group', name: group.name });
  conversation.seq = 1; // its own creation is its first message
  const join = (id: string) =>
    newParticipant(conversation, id, id === actor.userId ? 'admin' : 'member', conversation.created_at);
  // All join at the same time: in id order, as they are listed.
  const participants = [actor.userId, ...others].sort().map(join);

  const message = await deps.database.transaction(async (tx) => {
    await deps.users.requireActive(tx, [actor.userId, ...others]);
    await deps.conversations.insertConversation(conversation, tx);
    await deps.conversations.putParticipants(participants, tx);
    const joining = [actor.userId, ...others];
    await requireConversationRoom(deps.room, { actor, joining, people, field: 'participant_ids' }, tx);
    const note = { kind: 'group_created' as const, name: group.name, user_ids: others };
    await deps.conversations.tellOutbox(conversation, joining, tx);
    return writeNote(deps, conversation, actor, note, tx);
  });
  publishCreation(deps, conversation, participants, people, message);
  deps.noteStored?.(actor.userId, changeBytes(message, participants.length));
  return conversation.id;
}

/** The people of a new conversation; fails with `user_not_found` where one of them is not there, or not any more. */
async function activePeople({ users }: ChangeDeps, actor: Actor, others: string[]): Promise<Users> {
  const people = await users.publicUsers([actor.userId, ...others]);
  if (others.some((id) => !people.get(id)?.is_active)) throw new ParleyError('user_not_found');
  return people;
}

function newConversation(
  actor: Actor,
  kind: Partial<ConversationRow> & Pick<ConversationRow, 'type'>,
): ConversationRow {
  const now = Date.now();
  return {
    id: Bun.randomUUIDv7(),
    name: null,
    created_by: actor.userId,
    low_user_id: null,
    high_user_id: null,
    created_at: now,
    updated_at: now,
    seq: 0,
    rev: 1,
    meta_rev: 1,
    marks_rev: 0,
    ...kind,
  };
}

/** All who are in it join with its first change, and to each of them the entry is the same: nothing is unread. */
function publishCreation(
  { bus }: ChangeDeps,
  conversation: ConversationRow,
  participants: ParticipantRow[],
  users: Users,
  row?: MessageRow,
): void {
  const { id, rev } = conversation;
  const shown = participants.slice(0, ENTRY_PARTICIPANTS);
  const lastMessage = row && presentMessage(row, users);
  const rest = { participants: shown, participantCount: participants.length, lastMessage, users };
  const frame: FrameOf<'conversation.created'> = {
    event: 'conversation.created',
    conversation_id: id,
    rev,
    entry: presentEntry(conversation, participants[0]!, rest),
    message: lastMessage,
  };
  publishChange(bus, id, { rev, seq: conversation.seq, frame, joined: participants.map((row) => row.user_id) });
}
