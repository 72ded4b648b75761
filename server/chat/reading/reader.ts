import { z } from 'zod';
import { ENTRY_PARTICIPANTS } from '../../../protocol/limits.ts';
import type { Entry, Message, Participant, Sync } from '../../../protocol/resources.ts';
import type { Database } from '../../database/database.ts';
import { prepared } from '../../database/prepared.ts';
import type { Actor } from '../../shared/actor.ts';
import { CursorCodec } from '../../shared/cursor.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { UsersService } from '../../users/service.ts';
import {
  type ConversationPlace,
  type ConversationRepository,
  membershipOf,
  type ParticipantPlace,
} from '../conversations/conversation-repository.ts';
import type { SendResult } from '../log/message-log.ts';
import type { MessagePresenter } from '../messages/message-presenter.ts';
import type { MessageRepository } from '../messages/message-repository.ts';
import { presentEntry, presentParticipant } from '../model/presenter.ts';
import type { Membership, ParticipantRow } from '../model/rows.ts';
import { aroundWithin, firstWithin, PAGE_BYTES } from './page-budget.ts';

export interface ChatReaderOptions {
  database: Database;
  conversations: ConversationRepository;
  messages: MessageRepository;
  messagePresenter: MessagePresenter;
  users: UsersService;
  /** Which history the log tells (PROTOCOL.md §7.4). */
  epoch: { readonly current: string };
}

export interface Page {
  limit: number;
  cursor?: string;
}

export interface HistoryPage extends Page {
  /** The message that is to be in the middle. */
  around?: string;
}

/** Where a page of history goes on: below this `seq`. */
const historyPlace = new CursorCodec(z.object({ before: z.int().positive() }));
const conversationPlace = new CursorCodec<ConversationPlace>(z.object({ updatedAt: z.int(), id: z.uuid() }));
const participantPlace = new CursorCodec<ParticipantPlace>(z.object({ joinedAt: z.int(), userId: z.uuid() }));
const headPlace = new CursorCodec(z.object({ after: z.uuid() }));

/** All that clients read of conversations. What somebody is not in does not exist for them. */
export class ChatReader {
  private readonly historyQueries;

  constructor(private readonly options: ChatReaderOptions) {
    const { conversations, messages } = options;
    this.historyQueries = prepared((ask: { conversationId: string; userId: string; before: number; limit: number }) => [
      ...conversations.membership(ask.conversationId, ask.userId),
      ...messages.whole(messages.selectBefore(ask.conversationId, ask.before, ask.limit), ask.userId),
    ]);
  }

  /** Fails with `conversation_not_found`, also for one that exists and that the actor is not in. */
  async requireMembership(actor: Actor, conversationId: string): Promise<Membership> {
    return requireFound(await this.options.conversations.findMembership(conversationId, actor.userId));
  }

  async entry(actor: Actor, conversationId: string): Promise<Entry> {
    const [entry] = await this.entries(actor, [conversationId]);
    if (!entry) throw new ParleyError('conversation_not_found');
    return entry;
  }

  /** A page of the caller's conversations, latest activity first. */
  async listConversations(actor: Actor, page: Page): Promise<{ entries: Entry[]; nextCursor?: string }> {
    const after = page.cursor === undefined ? undefined : conversationPlace.decode(page.cursor);
    const places = await this.options.conversations.listPlaces(actor.userId, page.limit + 1, after);
    const asked = places.slice(0, page.limit);
    const found = await this.entries(
      actor,
      asked.map(({ id }) => id),
    );
    const entries = firstWithin(found, PAGE_BYTES);
    const lastId = entries.length < found.length ? entries.at(-1)?.conversation.id : asked.at(-1)?.id;
    const last = asked.find(({ id }) => id === lastId);
    const hasMore = last !== undefined && last !== places.at(-1);
    return { entries, nextCursor: hasMore ? conversationPlace.encode(last) : undefined };
  }

  /** A page of a conversation's participants, longest in first. */
  async listParticipants(
    actor: Actor,
    conversationId: string,
    page: Page,
  ): Promise<{ participants: Participant[]; nextCursor?: string }> {
    const { database, conversations } = this.options;
    const after = page.cursor === undefined ? undefined : participantPlace.decode(page.cursor);
    const [conversation, me, rows] = await database.readTogether([
      ...conversations.membership(conversationId, actor.userId),
      conversations.participants(conversationId, page.limit + 1, after),
    ]);
    requireFound(membershipOf([conversation, me]));
    const asked = rows.slice(0, page.limit);
    const users = await this.options.users.publicUsers(asked.map((row) => row.user_id));
    const presented = asked.map((row) => presentParticipant(row, users));
    const participants = firstWithin(presented, PAGE_BYTES);
    const last = participants.length < rows.length ? asked[participants.length - 1] : undefined;
    return {
      participants,
      nextCursor: last && participantPlace.encode({ joinedAt: last.joined_at, userId: last.user_id }),
    };
  }

  /**
   * A page of history, the newest first, oldest to newest inside it, at least as new as its `rev`. With `around`, the page
   * in whose middle that message is. Where the messages are long it has fewer than were asked for.
   */
  async history(
    actor: Actor,
    conversationId: string,
    page: HistoryPage,
  ): Promise<{ messages: Message[]; nextCursor?: string; rev: number }> {
    const before = await this.endOfPage(actor, conversationId, page);
    const { database, messagePresenter } = this.options;
    const [found, me, ...whole] = await database.readTogether(
      this.historyQueries({ conversationId, userId: actor.userId, before, limit: page.limit }),
    );
    const { conversation } = requireFound(membershipOf([found, me]));
    const newestFirst = await messagePresenter.present(whole);
    const middle = newestFirst.findIndex(({ id }) => id === page.around);
    const fitting = middle < 0 ? firstWithin(newestFirst, PAGE_BYTES) : aroundWithin(newestFirst, middle, PAGE_BYTES);
    const shown = fitting.reverse();
    const oldest = shown[0]?.seq ?? 1;
    return {
      messages: shown,
      nextCursor: oldest > 1 ? historyPlace.encode({ before: oldest }) : undefined,
      rev: conversation.rev,
    };
  }

  /** The `seq` that a page lies below. */
  private async endOfPage(actor: Actor, id: string, { limit, cursor, around }: HistoryPage): Promise<number> {
    if (around === undefined) {
      return cursor === undefined ? Number.MAX_SAFE_INTEGER : historyPlace.decode(cursor).before;
    }
    const middle = await this.options.messages.findMessage(id, around);
    if (!middle) {
      await this.requireMembership(actor, id);
      throw new ParleyError('message_not_found');
    }
    // A page that would begin before the first message begins with it.
    return Math.max(limit, middle.seq + Math.floor(limit / 2)) + 1;
  }

  /**
   * A message that the actor changed, as it now stands. Who was removed since gets it as they left it, and sees nothing of
   * what became of it.
   */
  async afterChange(actor: Actor, committed: Message): Promise<Message> {
    return (await this.ifMember(actor, committed)) ?? committed;
  }

  /**
   * A message that the actor sent, as it now stands. Who was removed since gets a retry's first answer, and sees nothing of
   * what became of the message.
   */
  async sent(actor: Actor, { content }: { content: string }, receipt: SendResult): Promise<Message> {
    const { known: _, ...first } = receipt;
    const sender = { sender_id: actor.userId, sender_username: actor.username };
    return (await this.ifMember(actor, receipt)) ?? { ...first, ...sender, content, type: 'text' };
  }

  /** A message with the actor's own reactions, where they are in the conversation at that moment. */
  private async ifMember(
    actor: Actor,
    { conversation_id, id }: Pick<Message, 'conversation_id' | 'id'>,
  ): Promise<Message | undefined> {
    const { database, conversations, messages, messagePresenter } = this.options;
    const [found, me, ...whole] = await database.readTogether([
      ...conversations.membership(conversation_id, actor.userId),
      ...messages.whole(messages.selectOne(conversation_id, id), actor.userId),
    ]);
    if (!membershipOf([found, me])) return undefined;
    const [message] = await messagePresenter.present(whole);
    return message;
  }

  /** A page of where all of the caller's conversations stand, in id order. */
  async sync(actor: Actor, page: Page): Promise<Sync> {
    const after = page.cursor === undefined ? undefined : headPlace.decode(page.cursor).after;
    const heads = await this.options.conversations.listSyncHeads(actor.userId, page.limit + 1, after);
    const shown = heads.slice(0, page.limit);
    const last = heads.length > page.limit ? shown.at(-1) : undefined;
    return {
      epoch: this.options.epoch.current,
      conversations: shown,
      next_cursor: last && headPlace.encode({ after: last.id }),
    };
  }

  /** The entries of those conversations that the actor is in, all as of one moment, in the order of `ids`. */
  private async entries(actor: Actor, ids: string[]): Promise<Entry[]> {
    if (ids.length === 0) return [];
    const { database, conversations, messages, messagePresenter } = this.options;
    const [found, places, participants, sizes, ...lastMessages] = await database.readTogether([
      ...conversations.memberships(ids, actor.userId),
      conversations.participantsOfEach(ids, ENTRY_PARTICIPANTS),
      conversations.sizes(ids),
      ...messages.whole(messages.selectLast(ids), actor.userId),
    ]);
    const conversationOf = new Map(found.map((row) => [row.id, row]));
    const placeOf = new Map(places.map((row) => [row.conversation_id, row]));
    const sizeOf = new Map(sizes.map((row) => [row.conversation_id, row.participants]));
    const participantsOf = Map.groupBy(participants.sort(longestFirst), (row) => row.conversation_id);
    const shown = await messagePresenter.present(lastMessages);
    const lastMessageOf = new Map(shown.map((message) => [message.conversation_id, message]));
    const users = await this.options.users.publicUsers(participants.map((row) => row.user_id));
    return ids.flatMap((id) => {
      const [conversation, me] = [conversationOf.get(id), placeOf.get(id)];
      if (!conversation || !me) return [];
      return presentEntry(conversation, me, {
        participants: participantsOf.get(id) ?? [],
        participantCount: sizeOf.get(id) ?? 0,
        lastMessage: lastMessageOf.get(id),
        users,
      });
    });
  }
}

/** The order in which participants are listed. */
function longestFirst(one: ParticipantRow, other: ParticipantRow): number {
  return one.joined_at - other.joined_at || (one.user_id < other.user_id ? -1 : 1);
}

/** What somebody is not in does not exist for them. */
function requireFound(membership: Membership | undefined): Membership {
  if (!membership) throw new ParleyError('conversation_not_found');
  return membership;
}
