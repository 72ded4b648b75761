import type { Message, Participant } from '../../../protocol/resources.ts';
import type { Database, RowsOf } from '../../database/database.ts';
import type { UsersService } from '../../users/service.ts';
import type { MessagePresenter } from '../messages/message-presenter.ts';
import type { MessageRepository, WholeQueries } from '../messages/message-repository.ts';
import { presentConversation, presentParticipant } from '../model/presenter.ts';
import type { ConversationRow } from '../model/rows.ts';
import type { ConversationEvent } from './event.ts';
import type { EventHead } from './event-head.ts';
import type { EventRepository } from './event-repository.ts';

export interface EventPresenterOptions {
  database: Database;
  messages: MessageRepository;
  messagePresenter: MessagePresenter;
  users: UsersService;
  events: EventRepository;
}

/** Kinds that tell of people. */
const OF_PEOPLE = ['conversation.created', 'participant.joined', 'participant.left', 'participant.updated'];

/** Adds to events the data as it stands now. */
export class EventPresenter {
  constructor(private readonly options: EventPresenterOptions) {}

  /**
   * The events of these heads, in their order; undefined for one whose message is not there. `read` is what was read of the
   * messages a moment ago: what it lacks is read now.
   */
  async present(
    conversation: ConversationRow,
    heads: EventHead[],
    read?: RowsOf<WholeQueries>,
  ): Promise<(ConversationEvent | undefined)[]> {
    if (heads.length === 0) return [];
    const seqs = [...new Set(heads.flatMap(({ seq, messageSeq }) => seq ?? messageSeq ?? []))];
    const messages = await this.messagesAt(conversation.id, seqs, read);
    const people = await this.peopleOf(conversation.id, heads);
    return heads.map((head) => toEvent(conversation, head, messages, people));
  }

  private async messagesAt(
    conversationId: string,
    seqs: number[],
    read?: RowsOf<WholeQueries>,
  ): Promise<Map<number, Message>> {
    if (seqs.length === 0) return new Map();
    const { database, messages, messagePresenter, events } = this.options;
    const isRead = read !== undefined && seqs.every((seq) => read[0].some((row) => row.seq === seq));
    const whole = isRead
      ? read
      : await database.readTogether(messages.whole(events.selectMessages(conversationId, seqs)));
    return new Map((await messagePresenter.present(whole)).map((message) => [message.seq, message]));
  }

  /** Whom events concern: those whom they name, and whose change at that `rev` is their latest, such as who became admin. */
  private async peopleOf(conversationId: string, heads: EventHead[]): Promise<Participant[]> {
    const told = heads.filter(({ kind }) => OF_PEOPLE.includes(kind));
    if (told.length === 0) return [];
    const userIds = [...new Set(told.flatMap((head) => head.userIds ?? []))];
    const revs = told.map(({ rev }) => rev);
    const places = this.options.events.placesOf(conversationId, userIds, revs);
    const [rows] = await this.options.database.readTogether([places]);
    const users = await this.options.users.publicUsers(rows.map((row) => row.user_id));
    return rows.map((row) => presentParticipant(row, users));
  }
}

function toEvent(
  row: ConversationRow,
  head: EventHead,
  messages: Map<number, Message>,
  people: Participant[],
): ConversationEvent | undefined {
  const { kind, rev, at, userIds = [] } = head;
  const happened = {
    conversation_id: row.id,
    rev,
    at,
    actor_id: head.actorId,
    coalesced: head.isCoalesced ? (true as const) : undefined,
  };
  const message = messages.get(head.seq ?? head.messageSeq ?? 0);
  const hasMessage = head.seq !== undefined || head.messageSeq !== undefined;
  if (hasMessage && !message) return undefined;
  switch (kind) {
    case 'message.created':
    case 'message.updated':
    case 'message.deleted':
      return message && { ...happened, kind, message };
    case 'reaction.added':
    case 'reaction.removed':
      return message && { ...happened, kind, message, emoji: head.emoji ?? '' };
    case 'conversation.updated':
      return { ...happened, kind, conversation: presentConversation(row), message };
    default: {
      const participants = people.filter((one) => one.rev === rev || userIds.includes(one.id));
      return { ...happened, kind, conversation: presentConversation(row), participants, message };
    }
  }
}
