import type { CompiledQuery } from 'kysely';
import type { ConversationEventRow } from '../../database/conversation-events.ts';
import type { Database } from '../../database/database.ts';
import type { MessageSelection } from '../messages/message-repository.ts';
import type { MessageRow, ParticipantRow } from '../model/rows.ts';

/** A stretch of revs, both ends included. */
export interface Stretch {
  first: number;
  last: number;
}

type ChangedMessage = Pick<MessageRow, 'rev' | 'seq' | 'deleted_at' | 'edited_at' | 'sent_at'>;

/** What the log keeps of what happened, for consumers of events: nobody's membership is asked. */
export class EventRepository {
  constructor(private readonly database: Database) {}

  /** What happened after `rev` without bringing a message, in order. */
  eventsAfter(conversationId: string, rev: number, limit: number): CompiledQuery<ConversationEventRow> {
    return this.database.read
      .selectFrom('conversation_events')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .where('rev', '>', rev)
      .orderBy('rev')
      .limit(limit)
      .compile();
  }

  /** Messages whose latest change lies in a stretch and is not their creation, in the order of these changes. */
  messagesChangedIn(conversationId: string, { first, last }: Stretch, limit: number): CompiledQuery<ChangedMessage> {
    return this.database.read
      .selectFrom('messages')
      .select(['rev', 'seq', 'deleted_at', 'edited_at', 'sent_at'])
      .where('conversation_id', '=', conversationId)
      .where('rev', '>=', first)
      .where('rev', '<=', last)
      .whereRef('rev', '>', 'created_rev')
      .orderBy('rev')
      .limit(limit)
      .compile();
  }

  /** People whose latest change lies in a stretch, in the order of these changes. */
  placesChangedIn(conversationId: string, { first, last }: Stretch, limit: number): CompiledQuery<ParticipantRow> {
    return this.database.read
      .selectFrom('participants')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .where('rev', '>=', first)
      .where('rev', '<=', last)
      .orderBy('rev')
      .orderBy('user_id')
      .limit(limit)
      .compile();
  }

  /** Messages by their numbers. */
  selectMessages(conversationId: string, seqs: number[]): MessageSelection {
    return this.database.read
      .selectFrom('messages')
      .where('messages.conversation_id', '=', conversationId)
      .where('messages.seq', 'in', seqs);
  }

  /** The places of some people, and of all whose latest change is one of some. */
  placesOf(conversationId: string, userIds: string[], revs: number[]): CompiledQuery<ParticipantRow> {
    const places = this.database.read
      .selectFrom('participants')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .orderBy('user_id');
    // Kysely writes `in ()` for none, which PostgreSQL does not take.
    const ofRevs = places.where('rev', 'in', revs.length > 0 ? revs : [0]);
    if (userIds.length === 0) return ofRevs.compile();
    return places
      .where((eb) => eb.or([eb('user_id', 'in', userIds), eb('rev', 'in', revs.length > 0 ? revs : [0])]))
      .compile();
  }
}
