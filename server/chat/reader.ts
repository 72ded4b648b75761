import { z } from 'zod';
import { ENTRY_PARTICIPANTS, MAX_CHANGES_BEHIND } from '../../protocol/limits.ts';
import type { Changes, Entry, Message, Participant, Sync } from '../../protocol/resources.ts';
import { CursorCodec } from '../cursor.ts';
import type { Database, RowsOf } from '../database/database.ts';
import { prepared } from '../database/prepared.ts';
import { ParleyError } from '../errors.ts';
import type { UsersService } from '../users/service.ts';
import {
  type ConversationPlace,
  type ConversationRepository,
  membershipOf,
  movedMarks,
  type ParticipantPlace,
} from './conversation-repository.ts';
import type { Receipt } from './log/message-log.ts';
import type { MessagePresenter } from './message-presenter.ts';
import type { MessageRepository } from './message-repository.ts';
import type { Actor, ConversationRow, Membership } from './model.ts';
import { presentConversation, presentEntry, presentParticipant } from './presenter.ts';

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

export interface ChangesQuery {
  /** The `rev` and, where marks are asked for, the `marks_rev` that the caller holds. */
  since: number;
  marks_since?: number;
  /** Messages at most. */
  limit: number;
}

/** What of a conversation is asked for. */
interface ChangedSince {
  conversationId: string;
  since: number;
  marksSince: number;
  limit: number;
}

/** Where a page of history goes on: below this `seq`. */
const historyPlace = new CursorCodec(z.object({ before: z.int().positive() }));
const conversationPlace = new CursorCodec<ConversationPlace>(z.object({ updatedAt: z.int(), id: z.uuid() }));
const participantPlace = new CursorCodec<ParticipantPlace>(z.object({ joinedAt: z.int(), userId: z.uuid() }));
const headPlace = new CursorCodec(z.object({ after: z.uuid() }));

/** All that clients read of conversations. What somebody is not in does not exist for them. */
export class ChatReader {
  private readonly historyQueries;
  private readonly changedQueries;
  private readonly changedForAllQueries;

  constructor(private readonly options: ChatReaderOptions) {
    const { conversations, messages } = options;
    this.historyQueries = prepared((ask: { conversationId: string; userId: string; before: number; limit: number }) => [
      ...conversations.membership(ask.conversationId, ask.userId),
      ...messages.whole(messages.selectBefore(ask.conversationId, ask.before, ask.limit), ask.userId),
    ]);
    this.changedQueries = prepared((ask: ChangedSince & { userId: string }) => [
      ...conversations.membership(ask.conversationId, ask.userId),
      ...this.changed(ask, ask.userId),
    ]);
    this.changedForAllQueries = prepared((ask: ChangedSince) => [
      conversations.conversation(ask.conversationId),
      ...this.changed(ask),
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
    const shown = places.slice(0, page.limit);
    const last = places.length > page.limit ? shown.at(-1) : undefined;
    const ids = shown.map(({ id }) => id);
    return { entries: await this.entries(actor, ids), nextCursor: last && conversationPlace.encode(last) };
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
    page: HistoryPage,
  ): Promise<{ messages: Message[]; nextCursor?: string; rev: number }> {
    const before = await this.endOfPage(actor, conversationId, page);
    const { database, messagePresenter } = this.options;
    const [found, me, ...whole] = await database.readTogether(
      this.historyQueries({ conversationId, userId: actor.userId, before, limit: page.limit }),
    );
    const { conversation } = requireFound(membershipOf([found, me]));
    const shown = (await messagePresenter.present(whole, actor.userId)).reverse();
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
  async sent(actor: Actor, { content }: { content: string }, receipt: Receipt): Promise<Message> {
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
    const [message] = await messagePresenter.present(whole, actor.userId);
    return message;
  }

  /** What changed since a `rev` that the caller holds (PROTOCOL.md §7.3). */
  async changes(actor: Actor, conversationId: string, query: ChangesQuery): Promise<Changes> {
    const { userId } = actor;
    const [found, me, ...changed] = await this.options.database.readTogether(
      this.changedQueries({ ...changedSince(conversationId, query), userId }),
    );
    const { conversation } = requireFound(membershipOf([found, me]));
    return this.presentChanges(conversation, query, changed, userId);
  }

  /** The same for all who are in a conversation: what the hub tells when the live stream had a gap. */
  async changesForAll(conversationId: string, query: ChangesQuery): Promise<Changes | undefined> {
    const [[conversation], ...changed] = await this.options.database.readTogether(
      this.changedForAllQueries(changedSince(conversationId, query)),
    );
    return conversation && this.presentChanges(conversation, query, changed);
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

  private changed({ conversationId, since, marksSince, limit }: ChangedSince, callerId?: string) {
    const { messages, conversations } = this.options;
    return [
      conversations.changedParticipants(conversationId, since, marksSince),
      ...messages.whole(messages.selectChanged(conversationId, since, limit), callerId),
    ] as const;
  }

  private async presentChanges(
    conversation: ConversationRow,
    { since, marks_since, limit }: ChangesQuery,
    [places, rows, ...shownWith]: RowsOf<ReturnType<ChatReader['changed']>>,
    callerId?: string,
  ): Promise<Changes> {
    const { messagePresenter, users } = this.options;
    const { rev, marks_rev } = conversation;
    const epoch = this.options.epoch.current;
    if (since > rev || (marks_since ?? 0) > marks_rev) throw new ParleyError('resync_required');
    if (rev - since > MAX_CHANGES_BEHIND) {
      return { epoch, reset: true, messages: [], rev, marks_rev, has_more: false };
    }
    const shown = rows.slice(0, limit);
    const hasMore = rows.length > limit;
    const participants = places.filter((row) => row.rev > since).sort((one, other) => one.rev - other.rev);
    const people = await users.publicUsers(participants.map((row) => row.user_id));
    const marks = marks_since === undefined ? undefined : movedMarks(places, marks_since);
    return {
      epoch,
      messages: await messagePresenter.present([shown, ...shownWith], callerId),
      conversation: conversation.meta_rev > since ? presentConversation(conversation) : undefined,
      participants: participants.length > 0 ? participants.map((row) => presentParticipant(row, people)) : undefined,
      marks,
      rev: hasMore ? shown.at(-1)!.rev : rev,
      marks_rev,
      has_more: hasMore,
    };
  }

  /** The entries of those conversations that the actor is in, all as of one moment, in the order of `ids`. */
  private async entries(actor: Actor, ids: string[]): Promise<Entry[]> {
    if (ids.length === 0) return [];
    const { database, conversations, messages, messagePresenter } = this.options;
    const [found, places, participants, counts, ...lastMessages] = await database.readTogether([
      ...conversations.memberships(ids, actor.userId),
      ...conversations.participantsOfEach(ids, ENTRY_PARTICIPANTS),
      ...messages.whole(messages.selectLast(ids), actor.userId),
    ]);
    const conversationOf = new Map(found.map((row) => [row.id, row]));
    const placeOf = new Map(places.map((row) => [row.conversation_id, row]));
    const participantsOf = Map.groupBy(participants, (row) => row.conversation_id);
    const countOf = new Map(counts.map((row) => [row.conversation_id, Number(row.count)]));
    const shown = await messagePresenter.present(lastMessages, actor.userId);
    const lastMessageOf = new Map(shown.map((message) => [message.conversation_id, message]));
    const users = await this.options.users.publicUsers(participants.map((row) => row.user_id));
    return ids.flatMap((id) => {
      const [conversation, me] = [conversationOf.get(id), placeOf.get(id)];
      if (!conversation || !me) return [];
      return presentEntry(conversation, me, {
        participants: participantsOf.get(id) ?? [],
        participantCount: countOf.get(id) ?? 0,
        lastMessage: lastMessageOf.get(id),
        users,
      });
    });
  }
}

/** What somebody is not in does not exist for them. */
function requireFound(membership: Membership | undefined): Membership {
  if (!membership) throw new ParleyError('conversation_not_found');
  return membership;
}

/** One message more than asked for, to see whether there are more; and no marks where none were asked for. */
function changedSince(conversationId: string, { since, marks_since, limit }: ChangesQuery): ChangedSince {
  return { conversationId, since, marksSince: marks_since ?? Number.MAX_SAFE_INTEGER, limit: limit + 1 };
}
