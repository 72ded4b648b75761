import { MAX_PARTICIPANTS_AT_ONCE } from '../../protocol/limits.ts';
import type { Mark, Message, ParticipantRole } from '../../protocol/resources.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { Actor } from '../shared/actor.ts';
import { invalidField, ParleyError } from '../shared/errors.ts';
import {
  addParticipants,
  changeRole,
  removeParticipant,
  renameGroup,
  requireRoom,
} from './conversations/change-participants.ts';
import { createGroup, openDirect } from './conversations/open-conversation.ts';
import type { MessageLog, NewMessage, SendResult } from './log/message-log.ts';
import type { Marks } from './marks/marks.ts';
import {
  deleteMessage,
  editMessage,
  type MessageChangeDeps,
  type MessageKey,
  react,
} from './messages/change-message.ts';
import { checkContent } from './messages/content.ts';
import type { CatchUpReader } from './reading/catch-up.ts';
import type { ChangesReader } from './reading/changes-reader.ts';
import type { ChatReader } from './reading/reader.ts';
import type { StoredBytes } from './usage/stored-bytes.ts';

export interface ChatServiceOptions extends MessageChangeDeps {
  read: ChatReader;
  changes: ChangesReader;
  catchUp: CatchUpReader;
  messageLog: MessageLog;
  marks: Marks;
  stored: StoredBytes;
  limits: Pick<RateLimits, 'messages' | 'conversations' | 'invitations' | 'email_lookup'>;
  /** Longest message, in characters. */
  maxMessageLength: number;
  /** People that a group may have. */
  maxGroupSize: number;
}

/** A message to send: to a conversation, or to a user, whose direct conversation is found or opened. */
export interface Send {
  conversation_id?: string;
  recipient?: string;
  content: string;
  client_id?: string;
  reply_to?: string;
}

/** A message that has its place in the log; the result comes with the commit. */
export interface Enqueued {
  result: Promise<SendResult>;
}

/** The rules of what people do in conversations. REST and WebSocket both call this, so that there is one of each. */
export class ChatService {
  constructor(private readonly options: ChatServiceOptions) {}

  /** What they read. */
  get read(): ChatReader {
    return this.options.read;
  }

  /** What changed since what they hold. */
  get changes(): ChangesReader {
    return this.options.changes;
  }

  /** What they missed, in one answer. */
  get catchUp(): CatchUpReader {
    return this.options.catchUp;
  }

  /** Sends a message; resolves once it is on stable storage. */
  async send(actor: Actor, message: Send): Promise<SendResult> {
    const { result } = await this.enqueue(actor, message);
    return result;
  }

  /**
   * Gives a message its place in the log, before every message that is placed after it. A `client_id` that this sender
   * used here before gets the first result again. `origin` is the socket that sent it. Returns a promise only where
   * something must be waited for first, so that a busy socket pays for none.
   */
  enqueue(actor: Actor, message: Send, origin?: number): Enqueued | Promise<Enqueued> {
    checkContent(message.content, this.options.maxMessageLength);
    const { conversation_id } = message;
    const { limits, stored } = this.options;
    const mustWait = message.reply_to !== undefined || limits.messages !== undefined || stored.isFull(actor.userId);
    if (conversation_id === undefined || mustWait) {
      return this.enqueueAfterChecks(actor, message, origin);
    }
    return this.append(actor, conversation_id, message, { origin });
  }

  private async enqueueAfterChecks(actor: Actor, message: Send, origin?: number): Promise<Enqueued> {
    await this.options.limits.messages?.take(actor.userId);
    if (this.options.stored.isFull(actor.userId)) await this.requireKnown(actor, message);
    const conversationId = message.conversation_id ?? (await this.openDirect(actor, message.recipient!)).id;
    const quoted = message.reply_to === undefined ? {} : await this.quoteOf(conversationId, message.reply_to);
    return this.append(actor, conversationId, message, { origin, ...quoted });
  }

  /** Those without room get the answer to what they sent before, and nothing more. */
  private async requireKnown({ userId }: Actor, { conversation_id, recipient, client_id }: Send): Promise<void> {
    const { conversations, messages } = this.options;
    const conversationId = conversation_id ?? (await conversations.findDirect(userId, recipient!))?.id;
    const isKnown =
      conversationId !== undefined &&
      client_id !== undefined &&
      (await messages.hasKey(conversationId, userId, client_id));
    if (!isKnown) throw new ParleyError('quota_exceeded');
  }

  private append(
    actor: Actor,
    conversationId: string,
    message: Send,
    rest: Pick<NewMessage, 'origin' | 'quotedUsername' | 'quotedNote'>,
  ): Enqueued {
    const id = Bun.randomUUIDv7();
    const result = this.options.messageLog.append({
      ...rest,
      id,
      conversationId,
      senderId: actor.userId,
      senderUsername: actor.username,
      clientId: message.client_id ?? id,
      type: 'text',
      content: message.content,
      sentAt: Date.now(),
      replyToId: message.reply_to,
    });
    return { result };
  }

  /** The names to quote a message with. Whether it is there, and may be quoted, is the commit's to say. */
  private async quoteOf(
    conversationId: string,
    messageId: string,
  ): Promise<Pick<NewMessage, 'quotedUsername' | 'quotedNote'>> {
    const { messages, messagePresenter } = this.options;
    const row = await messages.findMessage(conversationId, messageId);
    if (!row) return {};
    const [quoted] = await messagePresenter.present([[row], [], []]);
    return { quotedUsername: quoted!.sender_username, quotedNote: quoted!.system && quoted!.content };
  }

  async edit(actor: Actor, key: MessageKey, edit: { content: string; if_rev?: number }): Promise<Message> {
    await this.options.limits.messages?.take(actor.userId);
    this.options.stored.requireRoom(actor.userId);
    const { maxMessageLength: maxLength } = this.options;
    return editMessage(this.options, actor, key, { content: edit.content, ifRev: edit.if_rev, maxLength });
  }

  async delete(actor: Actor, key: MessageKey): Promise<Message> {
    await this.options.limits.messages?.take(actor.userId);
    return deleteMessage(this.options, actor, key);
  }

  async react(actor: Actor, key: MessageKey, reaction: { emoji: string; add: boolean }): Promise<Message> {
    await this.options.limits.messages?.take(actor.userId);
    return react(this.options, actor, key, reaction);
  }

  /** Moves the actor's read mark, never back and never beyond the end; resolves once it is written, with those of others. */
  async markRead(actor: Actor, conversationId: string, seq: number): Promise<Mark> {
    await this.read.requireMembership(actor, conversationId);
    await this.options.marks.noteUntilWritten(conversationId, actor.userId, { read_seq: seq });
    const { me } = await this.read.requireMembership(actor, conversationId);
    return { user_id: actor.userId, delivered_seq: me.delivered_seq, read_seq: me.read_seq };
  }

  /** The direct conversation with another, opened where there is none. */
  async openDirect(actor: Actor, otherId: string): Promise<{ id: string; isNew: boolean }> {
    const standing = await this.options.conversations.findDirect(actor.userId, otherId);
    if (standing) return { id: standing.id, isNew: false };
    await this.options.limits.conversations?.take(actor.userId);
    return openDirect(this.options, actor, otherId);
  }

  async createGroup(actor: Actor, group: { name: string; memberIds: string[] }): Promise<string> {
    if (group.memberIds.length > MAX_PARTICIPANTS_AT_ONCE) {
      throw invalidField('participant_ids', `at most ${MAX_PARTICIPANTS_AT_ONCE} people at once`);
    }
    requireRoom(this.options.maxGroupSize, new Set([actor.userId, ...group.memberIds]).size);
    await this.options.limits.conversations?.take(actor.userId);
    await this.takeInvitations(actor, group.memberIds);
    this.options.stored.requireRoom(actor.userId);
    return createGroup(this.options, actor, group);
  }

  /** The ids behind addresses; fails with `user_not_found` where one has no account that can be found. */
  async findByEmails(actor: Actor, emails: string[]): Promise<string[]> {
    if (emails.length === 0) return [];
    await this.options.limits.email_lookup?.take(actor.userId, emails.length);
    const found = await this.options.users.findIdsByEmails(emails);
    return emails.map((email) => {
      const id = found.get(email);
      if (!id) throw new ParleyError('user_not_found');
      return id;
    });
  }

  // A change of a group is heard by all who are in it, and most leave a message: it counts as one.

  async rename(actor: Actor, conversationId: string, name: string | undefined): Promise<void> {
    await this.options.limits.messages?.take(actor.userId);
    this.options.stored.requireRoom(actor.userId);
    return renameGroup(this.options, actor, conversationId, name);
  }

  async addParticipants(actor: Actor, conversationId: string, userIds: string[]): Promise<void> {
    await this.options.limits.messages?.take(actor.userId);
    await this.takeInvitations(actor, userIds);
    this.options.stored.requireRoom(actor.userId);
    return addParticipants(this.options, actor, conversationId, userIds);
  }

  async removeParticipant(actor: Actor, conversationId: string, userId: string): Promise<void> {
    await this.options.limits.messages?.take(actor.userId);
    return removeParticipant(this.options, actor, conversationId, userId);
  }

  async changeRole(
    actor: Actor,
    conversationId: string,
    target: { userId: string; role: ParticipantRole },
  ): Promise<void> {
    await this.options.limits.messages?.take(actor.userId);
    return changeRole(this.options, actor, conversationId, target);
  }

  /** Each person counts, for each is looked up, written and told to. */
  private async takeInvitations(actor: Actor, userIds: string[]): Promise<void> {
    if (userIds.length > 0) await this.options.limits.invitations?.take(actor.userId, userIds.length);
  }
}
