import { sql } from 'kysely';
import { REACTION_USERS } from '../../protocol/limits.ts';
import type { SystemNote } from '../../protocol/resources.ts';
import type { Database, Executor } from '../database/database.ts';
import type { MessageRow } from './model.ts';

/** Names one reaction. */
export interface ReactionKey {
  conversation_id: string;
  message_id: string;
  emoji: string;
  user_id: string;
}

export interface ReactionRow {
  message_id: string;
  emoji: string;
  user_id: string;
  /** How many reacted so. */
  total: number;
  /** Whether this user is among the first, who are named. */
  isShown: boolean;
}

/** Messages and their reactions. Methods that take an executor run in its transaction. */
export class MessageRepository {
  constructor(private readonly database: Database) {}

  /** The newest message of each conversation. */
  lastMessages(conversationIds: string[]): Promise<MessageRow[]> {
    if (conversationIds.length === 0) return Promise.resolve([]);
    return this.database.read
      .selectFrom('messages as m')
      .innerJoin('conversations as c', (join) =>
        join.onRef('c.id', '=', 'm.conversation_id').onRef('c.seq', '=', 'm.seq'),
      )
      .selectAll('m')
      .where('c.id', 'in', conversationIds)
      .execute();
  }

  /** Messages below `before`, newest first. */
  listMessages(conversationId: string, limit: number, before?: number): Promise<MessageRow[]> {
    let query = this.database.read
      .selectFrom('messages')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .orderBy('seq', 'desc')
      .limit(limit);
    if (before !== undefined) query = query.where('seq', '<', before);
    return query.execute();
  }

  /** Messages from `from` on, oldest first. */
  listMessagesFrom(conversationId: string, from: number, limit: number): Promise<MessageRow[]> {
    return this.database.read
      .selectFrom('messages')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .where('seq', '>=', from)
      .orderBy('seq')
      .limit(limit)
      .execute();
  }

  /** Messages that changed after `rev`, oldest change first. */
  listChangedMessages(conversationId: string, rev: number, limit: number): Promise<MessageRow[]> {
    return this.database.read
      .selectFrom('messages')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .where('rev', '>', rev)
      .orderBy('rev')
      .limit(limit)
      .execute();
  }

  /** The reactions to some messages: the first users of each kind, and the caller's own. */
  async listReactions(
    messages: Pick<MessageRow, 'conversation_id' | 'id'>[],
    callerId?: string,
    executor: Executor = this.database.read,
  ): Promise<ReactionRow[]> {
    const numbered = executor
      .selectFrom('reactions')
      .select([
        'message_id',
        'emoji',
        'user_id',
        'created_at',
        sql<number>`row_number() over (partition by message_id, emoji order by created_at, user_id)`.as('place'),
        sql<number>`count(*) over (partition by message_id, emoji)`.as('total'),
        sql<number>`min(created_at) over (partition by message_id, emoji)`.as('first_at'),
      ])
      .where(({ eb, or }) =>
        or(
          [...Map.groupBy(messages, (message) => message.conversation_id)].map(([id, group]) =>
            eb('conversation_id', '=', id).and(
              'message_id',
              'in',
              group.map((message) => message.id),
            ),
          ),
        ),
      );
    const rows = await executor
      .selectFrom(numbered.as('numbered'))
      .select(['message_id', 'emoji', 'user_id', 'total', 'place'])
      .where((eb) => eb.or([eb('place', '<=', REACTION_USERS), ...(callerId ? [eb('user_id', '=', callerId)] : [])]))
      .orderBy('first_at')
      .orderBy('emoji')
      .orderBy('place')
      .execute();
    return rows.map(({ place, total, ...row }) => ({
      ...row,
      total: Number(total),
      isShown: Number(place) <= REACTION_USERS,
    }));
  }

  /** The messages that some messages answer. */
  async listQuoted(messages: MessageRow[], executor: Executor = this.database.read): Promise<MessageRow[]> {
    const replies = messages.filter((message) => message.reply_to_id !== null);
    if (replies.length === 0) return [];
    return executor
      .selectFrom('messages')
      .selectAll()
      .where(({ eb, or }) =>
        or(replies.map((reply) => eb('conversation_id', '=', reply.conversation_id).and('id', '=', reply.reply_to_id))),
      )
      .execute();
  }

  findMessage(
    conversationId: string,
    id: string,
    executor: Executor = this.database.read,
  ): Promise<MessageRow | undefined> {
    return executor
      .selectFrom('messages')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .where('id', '=', id)
      .executeTakeFirst();
  }

  /** Replaces what of a message can change. */
  async updateMessage(row: MessageRow, tx: Executor): Promise<void> {
    const { rev, content, edited_at, deleted_at } = row;
    await tx
      .updateTable('messages')
      .set({ rev, content, edited_at, deleted_at })
      .where('conversation_id', '=', row.conversation_id)
      .where('seq', '=', row.seq)
      .execute();
  }

  /** Returns false where the user has reacted so already. */
  async insertReaction(row: ReactionKey & { created_at: number }, tx: Executor): Promise<boolean> {
    const inserted = await tx
      .insertInto('reactions')
      .values(row)
      .onConflict((conflict) => conflict.columns(['conversation_id', 'message_id', 'emoji', 'user_id']).doNothing())
      .executeTakeFirst();
    return inserted.numInsertedOrUpdatedRows === 1n;
  }

  /** Returns false where there was no such reaction. */
  async deleteReaction(key: ReactionKey, tx: Executor): Promise<boolean> {
    const deleted = await tx
      .deleteFrom('reactions')
      .where('conversation_id', '=', key.conversation_id)
      .where('message_id', '=', key.message_id)
      .where('emoji', '=', key.emoji)
      .where('user_id', '=', key.user_id)
      .executeTakeFirst();
    return deleted.numDeletedRows > 0n;
  }

  async deleteReactions(message: MessageRow, tx: Executor): Promise<void> {
    await tx
      .deleteFrom('reactions')
      .where('conversation_id', '=', message.conversation_id)
      .where('message_id', '=', message.id)
      .execute();
  }

  async insertSystemMessage(
    message: { id: string; conversationId: string; senderId: string; seq: number; rev: number; sentAt: number },
    note: SystemNote,
    content: string,
    tx: Executor,
  ): Promise<MessageRow> {
    const row: MessageRow = {
      conversation_id: message.conversationId,
      seq: message.seq,
      rev: message.rev,
      created_rev: message.rev,
      id: message.id,
      sender_id: message.senderId,
      client_id: message.id,
      type: 'system',
      content,
      system: JSON.stringify(note),
      reply_to_id: null,
      sent_at: message.sentAt,
      edited_at: null,
      deleted_at: null,
    };
    await tx.insertInto('messages').values(row).execute();
    return row;
  }
}
