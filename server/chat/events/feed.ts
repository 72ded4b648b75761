import { MAX_PARTICIPANTS_AT_ONCE } from '../../../protocol/limits.ts';
import type { Database } from '../../database/database.ts';
import type { ConversationRepository } from '../conversations/conversation-repository.ts';
import type { MessageRepository } from '../messages/message-repository.ts';
import type { ConversationRow } from '../model/rows.ts';
import { type ConversationEvent, type EventKind, kindsOf, type Position } from './event.ts';
import {
  type EventHead,
  headOfChanged,
  headOfConversation,
  headOfMessage,
  headOfOpening,
  headOfPlace,
  headOfRow,
} from './event-head.ts';
import type { EventPage } from './event-page.ts';
import type { EventPresenter } from './event-presenter.ts';
import type { EventRepository, Stretch } from './event-repository.ts';

/** Where a conversation stands: the numbers of its newest message and of its latest change. */
export interface ConversationPosition extends Position {
  id: string;
}

export interface EventFeedOptions {
  database: Database;
  conversations: ConversationRepository;
  messages: MessageRepository;
  events: EventRepository;
  presenter: EventPresenter;
}

/** Where to read on, and for whom. */
export interface FeedQuery extends Position {
  /** `rev` follows from `seq`: what changed before the next thing that is known happened before events were kept. */
  isDerived?: boolean;
  wants(kind: EventKind): boolean;
}

/** Events of one page, and so messages that are read for it. */
const PAGE = 10;
/** Of what brought no message so much is looked through for a page. */
const LOOKED_THROUGH = 100;
/** More people than any one `rev` has. */
const PEOPLE_AT_ONCE = MAX_PARTICIPANTS_AT_ONCE + 1;
/** What happens without a message. */
const SILENT: EventKind[] = [
  'message.updated',
  'message.deleted',
  'reaction.added',
  'reaction.removed',
  'conversation.created',
  'conversation.updated',
  'participant.updated',
];

/**
 * All conversations, for the program's own consumers of events: nobody's membership is asked. Nothing of it may reach a
 * client.
 *
 * Each `rev` is either the creation of a message or a row of what happened without one; a page merges both. A `rev` that is
 * neither, from before rows were written or long gone, is told as what stands, or passed over where nothing does.
 */
export class EventFeed {
  constructor(private readonly options: EventFeedOptions) {}

  /** Where every conversation stands, in id order, in pages of so many; the next is read when it is asked for. */
  async *positions(pageSize: number): AsyncGenerator<ConversationPosition[]> {
    let after: string | undefined;
    for (;;) {
      const page = await this.options.conversations.listPositions(pageSize, after);
      if (page.length === 0) return;
      after = page.at(-1)!.id;
      yield page;
    }
  }

  async positionsOf(conversationIds: string[]): Promise<Map<string, Position>> {
    const positions = await this.options.conversations.findPositions(conversationIds);
    return new Map(positions.map(({ id, seq, rev }) => [id, { seq, rev }]));
  }

  /** What is wanted of what happened behind a position. */
  async eventsAfter(conversationId: string, query: FeedQuery): Promise<EventPage> {
    const { database, conversations, messages, events, presenter } = this.options;
    const wantsSilent = SILENT.some((kind) => query.wants(kind));
    const [[conversation], rows, ...whole] = await database.readTogether([
      conversations.conversation(conversationId),
      events.eventsAfter(conversationId, query.rev, wantsSilent ? LOOKED_THROUGH + 1 : 0),
      ...messages.whole(messages.selectFrom(conversationId, query.seq + 1, PAGE + 1)),
    ]);
    if (!conversation) return { events: [], end: query, isWhole: true };

    const created = whole[0].slice(0, PAGE).map(headOfMessage);
    const noted = rows.slice(0, LOOKED_THROUGH).map(headOfRow);
    // All that happened up to here was read.
    let last = conversation.rev;
    if (whole[0].length > PAGE) last = Math.min(last, created.at(-1)!.rev);
    if (rows.length > LOOKED_THROUGH) last = Math.min(last, noted.at(-1)!.rev);
    let heads = inOrder([...created, ...noted], last);
    const first = query.isDerived ? (heads[0]?.rev ?? last + 1) : query.rev + 1;
    if (wantsSilent && heads.length < last - first + 1) {
      const untold = await this.untold(conversation, { first, last }, new Set(heads.map(({ rev }) => rev)));
      last = untold.last;
      heads = inOrder([...heads, ...untold.heads], last);
    }

    const wanted = wantedOf(heads, query);
    const shown = wanted.slice(0, PAGE);
    const told = await presenter.present(
      conversation,
      shown.map(({ head }) => head),
      whole,
    );
    const isCut = wanted.length > PAGE;
    return {
      events: shown.flatMap((one, index) => (told[index] ? { ...one, event: told[index] } : [])),
      end: isCut ? shown.at(-1)!.position : { seq: lastSeq(heads, query.seq), rev: Math.max(last, query.rev) },
      isWhole: !isCut && last === conversation.rev,
    };
  }

  /** The event of a head that was kept; undefined where there is nothing to be told any more. */
  async event(conversationId: string, head: EventHead): Promise<ConversationEvent | undefined> {
    const { database, conversations, presenter } = this.options;
    const [[conversation]] = await database.readTogether([conversations.conversation(conversationId)]);
    return conversation && (await presenter.present(conversation, [head]))[0];
  }

  /** The creation of a message, of which only its number is known. */
  async creation(conversationId: string, seq: number): Promise<EventHead | undefined> {
    const { database, messages } = this.options;
    const [[row]] = await database.readTogether(messages.whole(messages.selectFrom(conversationId, seq, 1)));
    return row && row.seq === seq ? { ...headOfMessage(row), kind: 'message.created' } : undefined;
  }

  /** What stands of the changes in a stretch of which nothing is known. */
  private async untold(
    conversation: ConversationRow,
    stretch: Stretch,
    known: Set<number>,
  ): Promise<{ heads: EventHead[]; last: number }> {
    const { id, meta_rev, updated_at } = conversation;
    const { database, events } = this.options;
    const [messages, places] = await database.readTogether([
      events.messagesChangedIn(id, stretch, LOOKED_THROUGH + 1),
      events.placesChangedIn(id, stretch, PEOPLE_AT_ONCE + 1),
    ]);
    let { last } = stretch;
    if (messages.length > LOOKED_THROUGH) last = Math.min(last, messages.at(-1)!.rev - 1);
    if (places.length > PEOPLE_AT_ONCE) last = Math.min(last, places.at(-1)!.rev - 1);
    const heads = [
      ...(stretch.first === 1 ? [headOfOpening(conversation)] : []),
      ...(meta_rev > 1 && meta_rev >= stretch.first ? [headOfConversation(conversation)] : []),
      ...messages.map(headOfChanged),
      ...places.filter(({ rev }) => rev > 1).map((place) => headOfPlace(place, updated_at)),
    ];
    return { heads: heads.filter(({ rev }) => !known.has(rev)), last };
  }
}

function inOrder(heads: EventHead[], last: number): EventHead[] {
  return heads.filter(({ rev }) => rev <= last).sort((one, other) => one.rev - other.rev);
}

/** Those that are wanted, each with the position behind it. Of what is wanted as a message only, no more is told. */
function wantedOf(heads: EventHead[], { seq, rev, wants }: FeedQuery): { head: EventHead; position: Position }[] {
  const position = { seq, rev };
  return heads.flatMap((head) => {
    position.seq = head.seq ?? position.seq;
    position.rev = Math.max(position.rev, head.rev);
    const kind = kindsOf({ kind: head.kind, message: head.seq }).findLast((one) => wants(one));
    return kind === undefined ? [] : { head: { ...head, kind }, position: { ...position } };
  });
}

function lastSeq(heads: EventHead[], before: number): number {
  return heads.reduce((seq, head) => head.seq ?? seq, before);
}
