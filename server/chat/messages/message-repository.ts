import {
  type AliasableExpression,
  type CompiledQuery,
  type ExpressionBuilder,
  type SelectQueryBuilder,
  sql,
} from 'kysely';
import { REACTION_USERS } from '../../../protocol/limits.ts';
import type { SystemNote } from '../../../protocol/resources.ts';
import { type Database, type Executor, onlyIf } from '../../database/database.ts';
import type { Schema } from '../../database/schema.ts';
import type { NoteHead } from '../conversations/change-conversation.ts';
import type { MessagePatch, MessageRow } from '../model/rows.ts';

/** Names one reaction. */
export interface ReactionKey {
  conversation_id: string;
  message_id: string;
  emoji: string;
  user_id: string;
}

/** One user's reaction of one kind, as it is shown with its message. */
export interface ReactionRow {
  message_id: string;
  emoji: string;
  user_id: string;
  created_at: number;
  /** How many reacted so. */
  total: number;
  /** Whether the caller is one of them: true, or 1; null where nobody in particular asks. */
  is_own: unknown;
}

/** What a reply shows of the message that it answers. */
export type QuotedRow = Pick<MessageRow, 'id' | 'sender_id' | 'content' | 'system'>;

/** Which messages, in which order; what of them is read is for its user to say. */
export type MessageSelection = SelectQueryBuilder<Schema, 'messages', object>;

/** Messages, the reactions to them, and what they answer: to be asked together, so that they belong to one moment. */
export type WholeQueries = readonly [CompiledQuery<MessageRow>, CompiledQuery<ReactionRow>, CompiledQuery<QuotedRow>];

/** Messages and their reactions. Methods that take an executor run in its transaction. */
export class MessageRepository {
  constructor(private readonly database: Database) {}

  /** Messages below `before`, newest first. */
  selectBefore(conversationId: string, before: number, limit: number): MessageSelection {
    return this.selectOf(conversationId)
      .where('messages.seq', '<', before)
      .orderBy('messages.seq', 'desc')
      .limit(limit);
  }

  /** Messages that changed after `rev`, oldest change first. */
  selectChanged(conversationId: string, rev: number, limit: number): MessageSelection {
    return this.selectOf(conversationId).where('messages.rev', '>', rev).orderBy('messages.rev').limit(limit);
  }

  /** Messages from `seq` on, oldest first. */
  selectFrom(conversationId: string, seq: number, limit: number): MessageSelection {
    return this.selectOf(conversationId).where('messages.seq', '>=', seq).orderBy('messages.seq').limit(limit);
  }

  selectOne(conversationId: string, id: string): MessageSelection {
    return this.selectOf(conversationId).where('messages.id', '=', id);
  }

  /** The newest message of each conversation. */
  selectLast(conversationIds: string[]): MessageSelection {
    return this.database.read
      .selectFrom('messages')
      .where(({ eb, refTuple, selectFrom }) =>
        eb(
          refTuple('messages.conversation_id', 'messages.seq'),
          'in',
          selectFrom('conversations')
            .select(['conversations.id', 'conversations.seq'])
            .where('conversations.id', 'in', conversationIds)
            .$asTuple('id', 'seq'),
        ),
      );
  }

  private selectOf(conversationId: string): MessageSelection {
    return this.database.read.selectFrom('messages').where('messages.conversation_id', '=', conversationId);
  }

  /** Of some messages, all that `callerId` is shown. */
  whole(selection: MessageSelection, callerId?: string): WholeQueries {
    const messages = selection
      .selectAll('messages')
      .select(({ exists, selectFrom }) =>
        exists(
          selectFrom('reaction_kinds')
            .select('reaction_kinds.emoji')
            .whereRef('reaction_kinds.conversation_id', '=', 'messages.conversation_id')
            .whereRef('reaction_kinds.message_id', '=', 'messages.id'),
        ).as('has_reactions'),
      );
    const [reactions, quoted] = this.shownWith(selection, callerId);
    return [messages.compile(), onlyIf('has_reactions', reactions), onlyIf('reply_to_id', quoted)];
  }

  /**
   * What is shown with some messages: of each kind of reaction the first users, how many there are and whether the caller is
   * one of them, in no order; and what the messages answer. However many reacted, no other row of theirs is looked at.
   */
  shownWith(
    selection: MessageSelection,
    callerId?: string,
  ): readonly [CompiledQuery<ReactionRow>, CompiledQuery<QuotedRow>] {
    const { read, engine } = this.database;
    const kinds = read
      .selectFrom(selection.select(['messages.conversation_id', 'messages.id']).as('m'))
      .innerJoin('reaction_kinds as k', (join) =>
        join.onRef('k.conversation_id', '=', 'm.conversation_id').onRef('k.message_id', '=', 'm.id'),
      );
    const first = (eb: ExpressionBuilder<Schema & { k: Schema['reaction_kinds'] }, 'k'>) =>
      eb
        .selectFrom('reactions as first')
        .whereRef('first.conversation_id', '=', 'k.conversation_id')
        .whereRef('first.message_id', '=', 'k.message_id')
        .whereRef('first.emoji', '=', 'k.emoji')
        .orderBy('first.created_at')
        .orderBy('first.user_id')
        .limit(REACTION_USERS);
    const shown =
      engine === 'postgres'
        ? kinds.innerJoinLateral(
            (eb) =>
              first(eb as never)
                .selectAll('first')
                .as('r'),
            (join) => join.onTrue(),
          )
        : // SQLite knows no lateral join. It goes through a cross join in this order, and looks such a list up by the key, where
          // nothing is to be sorted: an index in that order would lead it through everybody.
          kinds
            .crossJoin('reactions as r')
            .whereRef('r.conversation_id', '=', 'k.conversation_id')
            .whereRef('r.message_id', '=', 'k.message_id')
            .whereRef('r.emoji', '=', 'k.emoji')
            .where((eb) => eb('r.user_id', 'in', first(eb as never).select('first.user_id')));
    const own = ({ exists, selectFrom }: ExpressionBuilder<Schema & { k: Schema['reaction_kinds'] }, 'k'>) =>
      callerId === undefined
        ? sql<unknown>`null`
        : exists(
            selectFrom('reactions as own')
              .select('own.emoji')
              .whereRef('own.conversation_id', '=', 'k.conversation_id')
              .whereRef('own.message_id', '=', 'k.message_id')
              .whereRef('own.emoji', '=', 'k.emoji')
              .where('own.user_id', '=', callerId),
          );
    const reactions = shown
      .select(['r.message_id', 'r.emoji', 'r.user_id', 'r.created_at', 'k.total'])
      .select((eb) => (own(eb as never) as AliasableExpression<unknown>).as('is_own'));
    const quoted = read
      .selectFrom(selection.select(['messages.conversation_id', 'messages.reply_to_id']).as('m'))
      .innerJoin('messages as q', (join) =>
        join.onRef('q.conversation_id', '=', 'm.conversation_id').onRef('q.id', '=', 'm.reply_to_id'),
      )
      .select(['q.id', 'q.sender_id', 'q.content', 'q.system']);
    return [reactions.compile(), quoted.compile()];
  }

  /** Kinds of reactions to a message. */
  async countReactionKinds(message: MessageRow, executor: Executor): Promise<number> {
    const { kinds } = await executor
      .selectFrom('reaction_kinds')
      .select((eb) => eb.fn.countAll<number>().as('kinds'))
      .where('conversation_id', '=', message.conversation_id)
      .where('message_id', '=', message.id)
      .executeTakeFirstOrThrow();
    return Number(kinds);
  }

  /** Whether somebody sent a message with this key. */
  async hasKey(conversationId: string, senderId: string, clientId: string): Promise<boolean> {
    const known = await this.database.read
      .selectFrom('messages')
      .select('seq')
      .where('conversation_id', '=', conversationId)
      .where('sender_id', '=', senderId)
      .where('client_id', '=', clientId)
      .executeTakeFirst();
    return known !== undefined;
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

  /** Writes a change of a message that is there, and answers it as it now stands. */
  updateMessage(
    key: Pick<MessageRow, 'conversation_id' | 'seq'>,
    patch: MessagePatch,
    tx: Executor,
  ): Promise<MessageRow> {
    return tx
      .updateTable('messages')
      .set(patch)
      .where('conversation_id', '=', key.conversation_id)
      .where('seq', '=', key.seq)
      .returningAll()
      .executeTakeFirstOrThrow();
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

  async insertSystemMessage(message: NoteHead, note: SystemNote, tx: Executor): Promise<MessageRow> {
    const row: MessageRow = {
      conversation_id: message.conversationId,
      seq: message.seq,
      rev: message.rev,
      created_rev: message.rev,
      id: message.id,
      sender_id: message.senderId,
      client_id: message.id,
      type: 'system',
      content: '', // what it says holds names, and is made where it is read
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
