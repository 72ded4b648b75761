import { z } from 'zod';
import { ENTRY_PARTICIPANTS, MAX_CHANGES_BEHIND } from '../../protocol/limits.ts';
import type { Changes, Entry, Message, Participant, Sync } from '../../protocol/resources.ts';
import { CursorCodec } from '../cursor.ts';
import { ParleyError } from '../errors.ts';
import type { UsersService } from '../users/service.ts';
import type { ConversationPlace, ConversationRepository, ParticipantPlace } from './conversation-repository.ts';
import type { Receipt } from './log/message-log.ts';
import type { MessageRepository } from './message-repository.ts';
import type { Actor, ConversationRow, Membership } from './model.ts';
import { presentConversation, presentEntry, presentParticipant } from './presenter.ts';
import type { MessageReader } from './read-messages.ts';

export interface ChatReaderOptions {
  conversations: ConversationRepository;
  messages: MessageRepository;
  messageReader: MessageReader;
  users: UsersService;
  /** Which history the log tells (contract §5.4). */
  epoch: string;
}

export interface Page {
  limit: number;
  cursor?: string;
}

/** Where a page of history goes on: below this `seq`. */
const historyPlace = new CursorCodec(z.object({ before: z.int().positive() }));
const conversationPlace = new CursorCodec<ConversationPlace>(z.object({ updatedAt: z.int(), id: z.uuid() }));
const participantPlace = new CursorCodec<ParticipantPlace>(z.object({ joinedAt: z.int(), userId: z.uuid() }));
const headPlace = new CursorCodec(z.object({ after: z.uuid() }));

/** All that clients read of conversations. What somebody is not in does not exist for them. */
export class ChatReader {
  constructor(private readonly options: ChatReaderOptions) {}

  /** Fails with `conversation_not_found`, also for one that exists and that the actor is not in. */
  async requireMembership(actor: Actor, conversationId: string): Promise<Membership> {
    const membership = await this.options.conversations.findMembership(conversationId, actor.userId);
    if (!membership) throw new ParleyError('conversation_not_found');
    return membership;
  }

  /**
   * Reads for a participant, who must be one before and after: what is read in between may hold what came after a removal.
   */
  private async asParticipant<T>(
    actor: Actor,
    conversationId: string,
    read: (membership: Membership) => Promise<T>,
  ): Promise<T> {
    const result = await read(await this.requireMembership(actor, conversationId));
    await this.requireMembership(actor, conversationId);
    return result;
  }

  entry(actor: Actor, conversationId: string): Promise<Entry> {
    return this.asParticipant(actor, conversationId, async (membership) => {
      const [entry] = await this.entries(actor, [membership]);
      return entry!;
    });
  }

  /** A page of the caller's conversations, latest activity first. */
  async listConversations(actor: Actor, page: Page): Promise<{ entries: Entry[]; nextCursor?: string }> {
    const after = page.cursor === undefined ? undefined : conversationPlace.decode(page.cursor);
    const memberships = await this.options.conversations.listMemberships(actor.userId, page.limit + 1, after);
    const shown = memberships.slice(0, page.limit);
    const last = memberships.length > page.limit ? shown.at(-1)?.conversation : undefined;
    const nextCursor = last && conversationPlace.encode({ updatedAt: last.updated_at, id: last.id });
    return { entries: await this.entries(actor, shown), nextCursor };
  }

  /** A page of a conversation's participants, longest in first. */
  async listParticipants(
    actor: Actor,
    conversationId: string,
    page: Page,
  ): Promise<{ participants: Participant[]; nextCursor?: string }> {
    await this.requireMembership(actor, conversationId);
    const after = page.cursor === undefined ? undefined : participantPlace.decode(page.cursor);
    const rows = await this.options.conversations.listParticipants(conversationId, page.limit + 1, after);
    const shown = rows.slice(0, page.limit);
    const last = rows.length > page.limit ? shown.at(-1) : undefined;
    const users = await this.options.users.publicUsers(shown.map((row) => row.user_id));
    return {
      participants: shown.map((row) => presentParticipant(row, users)),
      nextCursor: last && participantPlace.encode({ joinedAt: last.joined_at, userId: last.user_id }),
    };
  }

  /**
   * A page of history, the newest first, oldest to newest inside it, at least as new as its `rev`. With `around`, the page
   * in whose middle that message is.
   */
  async history(
    actor: Actor,
    conversationId: string,
    page: Page & { around?: string },
  ): Promise<{ messages: Message[]; nextCursor?: string; rev: number }> {
    // The head is read before the messages: what changes in between makes the page newer than it says, never older.
    return this.asParticipant(actor, conversationId, async ({ conversation }) => {
      const rows = await this.historyRows(conversation, page);
      const messages = await this.options.messageReader.present(rows, { callerId: actor.userId });
      const oldest = rows[0]?.seq ?? 1;
      return {
        messages,
        nextCursor: oldest > 1 ? historyPlace.encode({ before: oldest }) : undefined,
        rev: conversation.rev,
      };
    });
  }

  private async historyRows({ id, seq }: ConversationRow, { limit, cursor, around }: Page & { around?: string }) {
    const { messages } = this.options;
    if (around === undefined) {
      const before = cursor === undefined ? undefined : historyPlace.decode(cursor).before;
      return (await messages.listMessages(id, limit, before)).reverse();
    }
    const middle = await messages.findMessage(id, around);
    if (!middle) throw new ParleyError('message_not_found');
    const highest = Math.min(seq, middle.seq + Math.floor(limit / 2));
    return messages.listMessagesFrom(id, Math.max(1, highest - limit + 1), limit);
  }

  async message(actor: Actor, conversationId: string, id: string): Promise<Message> {
    const row = await this.options.messages.findMessage(conversationId, id);
    if (!row) throw new ParleyError('message_not_found');
    return this.options.messageReader.presentOne(row, { callerId: actor.userId });
  }

  /**
   * A message that the actor sent, as it now stands. Who was removed since gets a retry's first answer, and sees nothing of
   * what became of the message.
   */
  async sent(actor: Actor, { content }: { content: string }, receipt: Receipt): Promise<Message> {
    const { conversation_id, id } = receipt;
    if (await this.options.conversations.findMembership(conversation_id, actor.userId)) {
      return this.message(actor, conversation_id, id);
    }
    const { known: _, ...first } = receipt;
    return { ...first, sender_id: actor.userId, sender_username: actor.username, content, type: 'text' };
  }

  /** What changed since a `rev` that the caller holds (contract §5.3). */
  async changes(
    actor: Actor,
    conversationId: string,
    query: { since: number; marks_since?: number; limit: number },
  ): Promise<Changes> {
    return this.asParticipant(actor, conversationId, ({ conversation }) =>
      this.changesOf(conversation, query, actor.userId),
    );
  }

  /** The same for all who are in a conversation: what the hub tells when the live stream had a gap. */
  async changesForAll(conversationId: string, since: number, limit: number): Promise<Changes | undefined> {
    const conversation = await this.options.conversations.findConversation(conversationId);
    return conversation && this.changesOf(conversation, { since, limit });
  }

  /** A page of where all of the caller's conversations stand, in id order. */
  async sync(actor: Actor, page: Page): Promise<Sync> {
    const after = page.cursor === undefined ? undefined : headPlace.decode(page.cursor).after;
    const heads = await this.options.conversations.listSyncHeads(actor.userId, page.limit + 1, after);
    const shown = heads.slice(0, page.limit);
    const last = heads.length > page.limit ? shown.at(-1) : undefined;
    return {
      epoch: this.options.epoch,
      conversations: shown,
      next_cursor: last && headPlace.encode({ after: last.id }),
    };
  }

  private async changesOf(
    { id, rev, marks_rev }: ConversationRow,
    { since, marks_since, limit }: { since: number; marks_since?: number; limit: number },
    callerId?: string,
  ): Promise<Changes> {
    const { epoch, messages, conversations, messageReader, users } = this.options;
    if (since > rev || (marks_since ?? 0) > marks_rev) throw new ParleyError('resync_required');
    if (rev - since > MAX_CHANGES_BEHIND) {
      return { epoch, reset: true, messages: [], rev, marks_rev, has_more: false };
    }
    // The head was read first: whatever is read after it is at least as new, and newer does no harm.
    const rows = await messages.listChangedMessages(id, since, limit + 1);
    const shown = rows.slice(0, limit);
    const hasMore = rows.length > limit;
    const [participants, marks, conversation] = await Promise.all([
      conversations.listChangedParticipants(id, since),
      marks_since === undefined ? undefined : conversations.listChangedMarks(id, marks_since),
      conversations.findConversation(id),
    ]);
    const people = await users.publicUsers(participants.map((row) => row.user_id));
    return {
      epoch,
      messages: await messageReader.present(shown, { callerId }),
      conversation: conversation && conversation.meta_rev > since ? presentConversation(conversation) : undefined,
      participants: participants.length > 0 ? participants.map((row) => presentParticipant(row, people)) : undefined,
      marks,
      rev: hasMore ? Math.min(rev, shown.at(-1)!.rev) : rev,
      marks_rev,
      has_more: hasMore,
    };
  }

  /** Entries cost a handful of queries, however many there are. */
  private async entries(actor: Actor, memberships: Membership[]): Promise<Entry[]> {
    const { conversations, messages, messageReader } = this.options;
    const ids = memberships.map(({ conversation }) => conversation.id);
    const [participants, counts, lastRows] = await Promise.all([
      conversations.firstParticipants(ids, ENTRY_PARTICIPANTS),
      conversations.countParticipants(ids),
      messages.lastMessages(ids),
    ]);
    const lastMessages = await messageReader.present(lastRows, { callerId: actor.userId });
    const users = await this.options.users.publicUsers(participants.map((row) => row.user_id));
    const participantsOf = Map.groupBy(participants, (row) => row.conversation_id);
    const lastMessageOf = new Map(lastMessages.map((message) => [message.conversation_id, message]));
    return memberships.map(({ conversation, me }) =>
      presentEntry(conversation, me, {
        participants: participantsOf.get(conversation.id) ?? [],
        participantCount: counts.get(conversation.id) ?? 0,
        lastMessage: lastMessageOf.get(conversation.id),
        users,
      }),
    );
  }
}
