import type { Cause } from '../../../protocol/events.ts';
import { MAX_REACTION_KINDS } from '../../../protocol/limits.ts';
import type { Message } from '../../../protocol/resources.ts';
import { writeEvent } from '../../database/conversation-events.ts';
import type { Executor } from '../../database/database.ts';
import type { StoredEventKind } from '../../database/schema.ts';
import type { Actor } from '../../shared/actor.ts';
import { invalidField, ParleyError } from '../../shared/errors.ts';
import { type ChangeDeps, publishChange } from '../conversations/change-conversation.ts';
import type { Membership, MessagePatch, MessageRow } from '../model/rows.ts';
import { checkContent } from './content.ts';
import type { MessagePresenter } from './message-presenter.ts';
import type { MessageRepository } from './message-repository.ts';

export interface MessageChangeDeps extends ChangeDeps {
  messages: MessageRepository;
  messagePresenter: MessagePresenter;
}

/** Names a message. */
export interface MessageKey {
  conversationId: string;
  messageId: string;
}

/** What is to become of a message: the fields that change, and why; `undefined`: nothing, and no `rev` is taken. */
type Decide = (
  message: MessageRow,
  membership: Membership,
  tx: Executor,
) => Promise<{ fields: Omit<MessagePatch, 'rev'>; cause: Omit<Cause, 'user_id'> } | undefined>;

/** What consumers of events are told of each. */
const EVENT_OF_CAUSE: Record<Cause['kind'], StoredEventKind> = {
  edit: 'message.updated',
  delete: 'message.deleted',
  'reaction.add': 'reaction.added',
  'reaction.remove': 'reaction.removed',
};

/** The sender edits. With `ifRev`, only what still stands at that `rev`; the same content again changes nothing. */
export function editMessage(
  deps: MessageChangeDeps,
  actor: Actor,
  key: MessageKey,
  edit: { content: string; ifRev?: number; maxLength: number },
): Promise<Message> {
  checkContent(edit.content, edit.maxLength);
  return changeMessage(deps, actor, key, async (message) => {
    requireSender(message, actor);
    if (message.deleted_at !== null) throw new ParleyError('stale', 'The message was deleted');
    if (message.content === edit.content) return undefined;
    if (edit.ifRev !== undefined && edit.ifRev !== message.rev) throw new ParleyError('stale');
    return { fields: { content: edit.content, edited_at: Date.now() }, cause: { kind: 'edit' } };
  });
}

/** The sender deletes, or an admin of the group. What stays is a tombstone: when, and by whom it was written. */
export function deleteMessage(deps: MessageChangeDeps, actor: Actor, key: MessageKey): Promise<Message> {
  return changeMessage(deps, actor, key, async (message, { conversation, me }, tx) => {
    const isAdmin = conversation.type === 'group' && me.role === 'admin';
    if (!isAdmin) requireSender(message, actor);
    if (message.type === 'system') throw new ParleyError('forbidden', 'System messages stay as they are');
    if (message.deleted_at !== null) return undefined;
    await deps.messages.deleteReactions(message, tx);
    return { fields: { content: '', deleted_at: Date.now() }, cause: { kind: 'delete' } };
  });
}

/** Adds or takes back one's own reaction of a kind. */
export function react(
  deps: MessageChangeDeps,
  actor: Actor,
  key: MessageKey,
  { emoji, add }: { emoji: string; add: boolean },
): Promise<Message> {
  const { messages } = deps;
  return changeMessage(deps, actor, key, async (message, _membership, tx) => {
    const reaction = { conversation_id: key.conversationId, message_id: message.id, emoji, user_id: actor.userId };
    if (!add) {
      const removed = await messages.deleteReaction(reaction, tx);
      return removed ? { fields: {}, cause: { kind: 'reaction.remove', emoji } } : undefined;
    }
    if (message.deleted_at !== null) throw new ParleyError('stale', 'The message was deleted');
    const added = await messages.insertReaction({ ...reaction, created_at: Date.now() }, tx);
    if (!added) return undefined;
    if ((await messages.countReactionKinds(message, tx)) > MAX_REACTION_KINDS) {
      throw invalidField('emoji', `a message can have at most ${MAX_REACTION_KINDS} kinds of reactions`);
    }
    return { fields: {}, cause: { kind: 'reaction.add', emoji } };
  });
}

/** One change of a message, whole: locked, decided, numbered and written in one transaction, then published. */
async function changeMessage(
  deps: MessageChangeDeps,
  actor: Actor,
  { conversationId, messageId }: MessageKey,
  decide: Decide,
): Promise<Message> {
  const { database, conversations, messages, messagePresenter, bus } = deps;
  const { message, cause, stored } = await database.transaction(async (tx) => {
    const membership = await conversations.lockForMember(conversationId, actor.userId, tx);
    if (!membership) throw new ParleyError('conversation_not_found');
    const before = await messages.findMessage(conversationId, messageId, tx);
    if (!before) throw new ParleyError('message_not_found');
    const decision = await decide(before, membership, tx);
    if (!decision) return { message: await messagePresenter.presentIn(tx, before) };

    // The conversation's own time stays: an edit does not bring it to the top of anybody's list.
    const rev = membership.conversation.rev + 1;
    const { kind, emoji } = decision.cause;
    const about = { conversationId, rev, messageSeq: before.seq, actorId: actor.userId };
    await writeEvent(tx, { ...about, kind: EVENT_OF_CAUSE[kind], emoji });
    const conversation = await conversations.advanceConversation(conversationId, { rev }, tx);
    const after = await messages.updateMessage(before, { ...decision.fields, rev }, tx);
    await conversations.tellOutbox(conversation, [], tx);
    return {
      message: await messagePresenter.presentIn(tx, after),
      cause: { ...decision.cause, user_id: actor.userId },
      stored: Buffer.byteLength(after.content) - Buffer.byteLength(before.content),
    };
  });
  if (cause) {
    const frame = { event: 'message.updated' as const, ...message, cause };
    publishChange(bus, conversationId, { rev: message.rev, frame });
    // Whoever deletes it, the room was its sender's.
    deps.noteStored?.(message.sender_id, stored ?? 0);
  }
  return message;
}

function requireSender(message: MessageRow, actor: Actor): void {
  if (message.type === 'system') throw new ParleyError('forbidden', 'System messages stay as they are');
  if (message.sender_id !== actor.userId) throw new ParleyError('forbidden', 'This message is somebody else’s');
}
