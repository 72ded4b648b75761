import type { CompiledQuery } from 'kysely';
import { MARKS_AT_ONCE, MAX_CHANGES_BEHIND, MAX_PARTICIPANTS_AT_ONCE } from '../../../protocol/limits.ts';
import type { Changes, Message, Participant } from '../../../protocol/resources.ts';
import { type Database, onlyIf, type RowsOf } from '../../database/database.ts';
import { prepared } from '../../database/prepared.ts';
import type { Actor } from '../../shared/actor.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { UsersService } from '../../users/service.ts';
import { type ConversationRepository, type MovedMark, wholeMarks } from '../conversations/conversation-repository.ts';
import type { MessagePresenter } from '../messages/message-presenter.ts';
import type { MessageRepository } from '../messages/message-repository.ts';
import { presentConversation, presentParticipant } from '../model/presenter.ts';
import type { ParticipantRow } from '../model/rows.ts';
import { jsonBytes, PAGE_BYTES, surelyFits } from './page-budget.ts';

export interface ChangesReaderOptions {
  database: Database;
  conversations: ConversationRepository;
  messages: MessageRepository;
  messagePresenter: MessagePresenter;
  users: UsersService;
  /** Which history the log tells (PROTOCOL.md §7.4). */
  epoch: { readonly current: string };
}

export interface ChangesQuery {
  /** The `rev` and, where marks are asked for, the `marks_rev` that the caller holds. */
  since: number;
  marks_since?: number;
  /** Messages at most. */
  limit: number;
  /** Bytes of JSON at most: what does not fit is for the next page. */
  bytes?: number;
}

/** What one read asks for. */
type Part = ChangesQuery & { bytes: number };

/** Values of its queries. */
interface Ask {
  conversationId: string;
  since: number;
  marksSince: number;
  limit: number;
  marksLimit: number;
}

/** What the queries of one read find. */
type Found = RowsOf<ReturnType<ChangesReader['changed']>>;

/** A stretch of changes. */
interface Stretch {
  changes: Changes;
  /** Whether there are changes behind it that may still fit into its answer. */
  goesOn: boolean;
  /** Whether marks are left for the next page. */
  marksAreCut: boolean;
}

/**
 * Messages of the first read of an answer. Most answers have fewer; of the others it tells how long they are, and with it how
 * many more to read: little more is read than is told, however long the messages are.
 */
const FIRST_READ = 40;
const LATER_READ = { min: 10, max: 400 };
/** Participants of one read: more than any one `rev` has. */
const PEOPLE_AT_ONCE = MAX_PARTICIPANTS_AT_ONCE + 1;
/** A mark as JSON, in bytes, and the part of an answer that marks may take where there are many. */
const MARK_BYTES = 120;
const MARKS_SHARE = 0.25;

/** What changed in a conversation since a `rev`, in pages that end at a whole `rev` (PROTOCOL.md §7.3). */
export class ChangesReader {
  private readonly queries;
  private readonly queriesForAll;

  constructor(private readonly options: ChangesReaderOptions) {
    this.queries = prepared((ask: Ask & { userId: string }) => [
      options.conversations.place(ask.conversationId, ask.userId),
      ...this.changed(ask, ask.userId),
    ]);
    this.queriesForAll = prepared((ask: Ask) => this.changed(ask));
  }

  /** For one participant, with their own reactions; whoever is none gets `conversation_not_found`. */
  async changes({ userId }: Actor, conversationId: string, query: ChangesQuery): Promise<Changes> {
    const changes = await this.gather(query, async (part) => {
      const ask = { ...askOf(conversationId, part), userId };
      const [[me], ...changed] = await this.options.database.readTogether(this.queries(ask));
      return me && this.stretch(part, changed);
    });
    if (!changes) throw new ParleyError('conversation_not_found');
    return changes;
  }

  /** The same for all who are in it: what the hub tells when the live stream had a gap. Undefined where there is none. */
  changesForAll(conversationId: string, query: ChangesQuery): Promise<Changes | undefined> {
    return this.gather(query, async (part) => {
      const changed = await this.options.database.readTogether(this.queriesForAll(askOf(conversationId, part)));
      return this.stretch(part, changed);
    });
  }

  private changed({ conversationId, since, marksSince, limit, marksLimit }: Ask, callerId?: string) {
    const { messages, conversations } = this.options;
    const marks = conversations.changedMarks(conversationId, marksSince, marksLimit);
    return [
      conversations.headWithMarks(conversationId, marksSince),
      onlyIf('marks_moved', marks) as CompiledQuery<MovedMark>,
      conversations.changedParticipants(conversationId, since, PEOPLE_AT_ONCE + 1),
      ...messages.whole(messages.selectChanged(conversationId, since, limit), callerId),
    ] as const;
  }

  /** Reads stretch after stretch until the answer is whole or full. Each of them is true as of its own moment. */
  private async gather(
    query: ChangesQuery,
    read: (part: Part) => Promise<Stretch | undefined>,
  ): Promise<Changes | undefined> {
    let bytes = query.bytes ?? PAGE_BYTES;
    let left = query.limit;
    let last = await read({ ...query, bytes, limit: Math.min(left, FIRST_READ) });
    let changes = last?.changes;
    const marksAreCut = last?.marksAreCut ?? false;
    while (changes && last?.goesOn) {
      const used = jsonBytes(last.changes);
      bytes -= used;
      left -= last.changes.messages.length;
      const average = used / Math.max(1, last.changes.messages.length);
      const fitting = Math.min(LATER_READ.max, Math.ceil(bytes / average));
      if (left <= 0 || fitting < LATER_READ.min) break;
      last = await read({ since: changes.rev, bytes, limit: Math.min(left, fitting) });
      if (!last || last.changes.reset) break;
      if (last.changes.epoch !== changes.epoch) throw new ParleyError('resync_required');
      changes = joined(changes, last.changes);
    }
    return changes && { ...changes, has_more: changes.has_more || marksAreCut };
  }

  private async stretch(
    { since, marks_since, limit, bytes: budget }: Part,
    [[conversation], movedMarks, places, rows, ...shownWith]: Found,
  ): Promise<Stretch | undefined> {
    if (!conversation) return undefined;
    const { rev, marks_rev } = conversation;
    const epoch = this.options.epoch.current;
    if (since > rev || (marks_since ?? 0) > marks_rev) throw new ParleyError('resync_required');
    const reset: Stretch = {
      changes: { epoch, reset: true, messages: [], rev, marks_rev, has_more: false },
      goesOn: false,
      marksAreCut: false,
    };
    if (rev - since > MAX_CHANGES_BEHIND) return reset;

    const marks = marks_since === undefined ? undefined : wholeMarks(movedMarks, marksLimitOf(budget), marks_rev);
    const shown = rows.slice(0, limit);
    const messages = await this.options.messagePresenter.present([shown, ...shownWith]);
    const participants = await this.presentPeople(places);
    // All that changed up to here was read.
    const readTo = Math.min(
      rows.length > limit ? shown.at(-1)!.rev : rev,
      places.length > PEOPLE_AT_ONCE ? places.at(-1)!.rev - 1 : rev,
    );
    const told = upToBudget({ messages, participants, readTo }, budget - (marks?.marks.length ?? 0) * MARK_BYTES);
    // One change that no page has room for, such as a thousand people with long names: it is loaded anew.
    if (told.rev === since && since < rev) return reset;
    const changes: Changes = {
      epoch,
      messages: told.messages,
      conversation: conversation.meta_rev > since ? presentConversation(conversation) : undefined,
      participants: told.participants.length > 0 ? told.participants : undefined,
      marks: marks?.marks,
      rev: told.rev,
      marks_rev: marks?.marks_rev ?? marks_rev,
      has_more: told.rev < rev,
    };
    const goesOn = told.rev === readTo && readTo < rev;
    return { changes, goesOn, marksAreCut: marks?.has_more ?? false };
  }

  private async presentPeople(places: ParticipantRow[]): Promise<Participant[]> {
    if (places.length === 0) return [];
    const people = await this.options.users.publicUsers(places.map((row) => row.user_id));
    return places.map((row) => presentParticipant(row, people));
  }
}

function askOf(conversationId: string, { since, marks_since, limit, bytes = PAGE_BYTES }: ChangesQuery): Ask {
  return {
    conversationId,
    since,
    // No marks where none are asked for.
    marksSince: marks_since ?? Number.MAX_SAFE_INTEGER,
    // One more than is told, to see whether there are more.
    limit: limit + 1,
    marksLimit: marksLimitOf(bytes) + 1,
  };
}

/** How many marks an answer may have: at least those that share one `marks_rev`. */
function marksLimitOf(bytes: number): number {
  return Math.max(MARKS_AT_ONCE, Math.floor((bytes * MARKS_SHARE) / MARK_BYTES));
}

interface Told {
  messages: Message[];
  participants: Participant[];
  /** All changes up to this one are in it. */
  rev: number;
}

/** Of changes in the order of their `rev`, those up to the last whole `rev` that fits into `budget` bytes. */
function upToBudget(
  { messages, participants, readTo }: { messages: Message[]; participants: Participant[]; readTo: number },
  budget: number,
): Told {
  const changed = [...messages, ...participants]
    .filter((one) => one.rev <= readTo)
    .sort((one, other) => one.rev - other.rev);
  const rev = surelyFits(changed, budget) ? readTo : lastWithin(changed, budget, readTo);
  const isTold = (one: { rev: number }) => one.rev <= rev;
  return { messages: messages.filter(isTold), participants: participants.filter(isTold), rev };
}

/** The last whole `rev` that fits. */
function lastWithin(changed: { rev: number }[], budget: number, readTo: number): number {
  let bytes = 0;
  for (const one of changed) {
    bytes += jsonBytes(one) + 1; // its comma
    if (bytes > budget) return one.rev - 1;
  }
  return readTo;
}

/** Two stretches, one after the other: of what changed in both, as it stands after the later one. */
function joined(before: Changes, after: Changes): Changes {
  const messages = lastOfEach([...before.messages, ...after.messages]);
  const participants = lastOfEach([...(before.participants ?? []), ...(after.participants ?? [])]);
  return {
    ...before,
    messages,
    conversation: after.conversation ?? before.conversation,
    participants: participants.length > 0 ? participants : undefined,
    rev: after.rev,
    marks_rev: before.marks ? before.marks_rev : after.marks_rev,
    has_more: after.has_more,
  };
}

function lastOfEach<T extends { id: string }>(things: T[]): T[] {
  const last = new Map(things.map((one) => [one.id, one]));
  return last.size === things.length ? things : things.filter((one) => last.get(one.id) === one);
}
