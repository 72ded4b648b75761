import { type CompiledQuery, type ExpressionBuilder, type Selectable, sql } from 'kysely';
import { MAX_FRAME_MARKS } from '../../../protocol/limits.ts';
import type { Head, Mark } from '../../../protocol/resources.ts';
import type { Database, Executor, RowsOf } from '../../database/database.ts';
import { writeOutbox } from '../../database/outbox.ts';
import { prepared } from '../../database/prepared.ts';
import type { ConversationTotalsTable, Schema } from '../../database/schema.ts';
import type { MarksPage } from '../../realtime/conversation-source.ts';
import type {
  ConversationPatch,
  ConversationRow,
  Membership,
  ParticipantPatch,
  ParticipantRow,
} from '../model/rows.ts';

/** Where a page of conversations goes on: behind this one, in order of activity. */
export interface ConversationPlace {
  updatedAt: number;
  id: string;
}

/** Where a page of participants goes on. */
export interface ParticipantPlace {
  joinedAt: number;
  userId: string;
}

export type MembershipQueries = readonly [CompiledQuery<ConversationRow>, CompiledQuery<ParticipantRow>];

/** The conversation as its participant finds it: for anyone else there is none. */
export function membershipOf([[conversation], [me]]: RowsOf<MembershipQueries>): Membership | undefined {
  return conversation && me && { conversation, me };
}

/** Somebody's marks, and the `marks_rev` at which they moved. */
export type MovedMark = Mark & { marks_rev: number };

/**
 * A page of marks that moved, at most `limit`, which ends at a whole `marks_rev`: no more than `limit` share one. `rows` are
 * in that order, one more than `limit` where there are more; `headRev` is where the conversation's marks stand.
 */
export function wholeMarks(rows: MovedMark[], limit: number, headRev: number): MarksPage {
  const beyond = rows[limit];
  const whole = beyond ? rows.filter((row) => row.marks_rev < beyond.marks_rev) : rows;
  return {
    marks: whole.map(({ user_id, delivered_seq, read_seq }) => ({ user_id, delivered_seq, read_seq })),
    marks_rev: beyond ? whole.at(-1)!.marks_rev : headRev,
    has_more: beyond !== undefined,
  };
}

/** No conversation has it. */
const BEFORE_ALL_IDS = '00000000-0000-0000-0000-000000000000';

/** What stays of a participant who comes back; all else is as the new row says. */
const KEPT_ON_RETURN: readonly (keyof ParticipantRow)[] = ['conversation_id', 'user_id', 'marks_rev'];

/** Conversations and who is in them. Methods that take an executor run in its transaction. */
export class ConversationRepository {
  private readonly heads = prepared((ask: { userId: string }) => [
    this.database.read
      .selectFrom('participants as p')
      .innerJoin('conversations as c', 'c.id', 'p.conversation_id')
      .select(['c.id', 'c.seq', 'c.rev', 'c.marks_rev'])
      .where('p.user_id', '=', ask.userId)
      .where('p.left_rev', 'is', null)
      .compile(),
  ]);
  private readonly syncHeads = prepared((ask: { userId: string; afterId: string; limit: number }) => [
    this.database.read
      .selectFrom('participants as p')
      .innerJoin('conversations as c', 'c.id', 'p.conversation_id')
      .select(['c.id', 'c.seq', 'c.rev', 'c.marks_rev', 'p.read_seq', 'p.delivered_seq'])
      .where('p.user_id', '=', ask.userId)
      .where('p.conversation_id', '>', ask.afterId)
      .where('p.left_rev', 'is', null)
      .orderBy('p.conversation_id')
      .limit(ask.limit)
      .compile(),
  ]);

  constructor(private readonly database: Database) {}

  /** The conversation as its participant finds it: for anyone else there is none. */
  async findMembership(conversationId: string, userId: string, executor?: Executor): Promise<Membership | undefined> {
    const queries = this.membership(conversationId, userId);
    if (!executor) return membershipOf(await this.database.readTogether(queries));
    const [conversation, me] = await Promise.all([
      executor.executeQuery(queries[0]),
      executor.executeQuery(queries[1]),
    ]);
    return membershipOf([conversation.rows, me.rows]);
  }

  /** A conversation and a user's place in it, to be asked together with what depends on it; for `membershipOf`. */
  membership(conversationId: string, userId: string): MembershipQueries {
    return this.memberships([conversationId], userId);
  }

  /** Those of some conversations that a user is in, and their places there; in no order. */
  memberships(ids: string[], userId: string): MembershipQueries {
    const { read } = this.database;
    return [
      read.selectFrom('conversations').selectAll().where('id', 'in', ids).compile(),
      read
        .selectFrom('participants')
        .selectAll()
        .where('user_id', '=', userId)
        .where('left_rev', 'is', null)
        .where('conversation_id', 'in', ids)
        .compile(),
    ];
  }

  conversation(id: string): CompiledQuery<ConversationRow> {
    return this.database.read.selectFrom('conversations').selectAll().where('id', '=', id).compile();
  }

  /** A conversation, and whether marks of it moved after `marksRev`. */
  headWithMarks(id: string, marksRev: number) {
    return this.database.read
      .selectFrom('conversations')
      .selectAll()
      .select((eb) => eb('marks_rev', '>', marksRev).as('marks_moved'))
      .where('id', '=', id)
      .compile();
  }

  /** A user's place in a conversation that they are in. */
  place(conversationId: string, userId: string): CompiledQuery<ParticipantRow> {
    return this.memberships([conversationId], userId)[1];
  }

  /** The direct conversation of a pair, which may be one person twice. */
  findDirect(
    one: string,
    other: string,
    executor: Executor = this.database.read,
  ): Promise<ConversationRow | undefined> {
    const [low, high] = inOrder(one, other);
    return executor
      .selectFrom('conversations')
      .selectAll()
      .where('low_user_id', '=', low)
      .where('high_user_id', '=', high)
      .executeTakeFirst();
  }

  /** Where a user's conversations stand in their list, latest activity first. */
  async listPlaces(userId: string, limit: number, after?: ConversationPlace): Promise<ConversationPlace[]> {
    let query = this.database.read
      .selectFrom('participants as p')
      .innerJoin('conversations as c', 'c.id', 'p.conversation_id')
      .select(['c.id', 'c.updated_at as updatedAt'])
      .where('p.user_id', '=', userId)
      .where('p.left_rev', 'is', null)
      .orderBy('c.updated_at', 'desc')
      .orderBy('c.id', 'desc')
      .limit(limit);
    if (after) {
      const { updatedAt, id } = after;
      query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('c.updated_at', 'c.id'), '<', tuple(updatedAt, id)));
    }
    return query.execute();
  }

  /** Which conversations a user is in, with their heads. */
  async listHeads(userId: string): Promise<Pick<Head, 'id' | 'seq' | 'rev' | 'marks_rev'>[]> {
    const [heads] = await this.database.readTogether(this.heads({ userId }));
    return heads;
  }

  /** Where a conversation stands, if the user is in it. */
  async findHead(userId: string, id: string): Promise<ConversationRow | undefined> {
    return (await this.findMembership(id, userId))?.conversation;
  }

  /** A page of what a user is in, and of which type each is, in id order. */
  listPlacesById(
    userId: string,
    limit: number,
    afterId = BEFORE_ALL_IDS,
  ): Promise<Pick<ConversationRow, 'id' | 'type'>[]> {
    return this.database.read
      .selectFrom('participants as p')
      .innerJoin('conversations as c', 'c.id', 'p.conversation_id')
      .select(['c.id', 'c.type'])
      .where('p.user_id', '=', userId)
      .where('p.conversation_id', '>', afterId)
      .where('p.left_rev', 'is', null)
      .orderBy('p.conversation_id')
      .limit(limit)
      .execute();
  }

  /** Of each of some conversations the participants who are in it longest, in no order: no other row of theirs is looked at. */
  participantsOfEach(ids: string[], each: number): CompiledQuery<ParticipantRow> {
    const { read, engine } = this.database;
    const first = (eb: ExpressionBuilder<Schema & { c: Schema['conversations'] }, 'c'>) =>
      eb
        .selectFrom('participants as first')
        .whereRef('first.conversation_id', '=', 'c.id')
        .where('first.left_rev', 'is', null)
        .orderBy('first.joined_at')
        .orderBy('first.user_id')
        .limit(each);
    const conversations = read.selectFrom('conversations as c').where('c.id', 'in', ids);
    const found =
      engine === 'postgres'
        ? conversations.innerJoinLateral(
            (eb) => first(eb).selectAll('first').as('p'),
            (join) => join.onTrue(),
          )
        : // SQLite knows no lateral join. It goes through a cross join in this order, and looks such a list up by the key, where
          // nothing is to be sorted: an index in that order would lead it through everybody.
          conversations
            .crossJoin('participants as p')
            .whereRef('p.conversation_id', '=', 'c.id')
            .where((eb) => eb('p.user_id', 'in', first(eb as never).select('first.user_id')));
    return found.selectAll('p').compile();
  }

  /** A page of participants, longest in first. */
  participants(conversationId: string, limit: number, after?: ParticipantPlace): CompiledQuery<ParticipantRow> {
    let query = this.database.read
      .selectFrom('participants')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .where('left_rev', 'is', null)
      .orderBy('joined_at')
      .orderBy('user_id')
      .limit(limit);
    if (after) {
      const { joinedAt, userId } = after;
      query = query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('joined_at', 'user_id'), '>', tuple(joinedAt, userId)),
      );
    }
    return query.compile();
  }

  /** The rows of some users, also of those who left. */
  findParticipants(
    conversationId: string,
    userIds: string[],
    executor: Executor = this.database.read,
  ): Promise<ParticipantRow[]> {
    if (userIds.length === 0) return Promise.resolve([]);
    return executor
      .selectFrom('participants')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .where('user_id', 'in', userIds)
      .execute();
  }

  /** How many are in each of some conversations. */
  sizes(ids: string[]): CompiledQuery<Selectable<ConversationTotalsTable>> {
    return this.database.read
      .selectFrom('conversation_totals')
      .selectAll()
      .where('conversation_id', 'in', ids)
      .compile();
  }

  /** How many are in a conversation. */
  async countParticipants(conversationId: string, executor: Executor): Promise<number> {
    const { rows } = await executor.executeQuery(this.sizes([conversationId]));
    return rows[0]?.participants ?? 0;
  }

  /** Admins other than one, and the longest of all others: what decides when somebody leaves. */
  async findHeirs(conversationId: string, leaverId: string, executor: Executor) {
    const others = () =>
      executor
        .selectFrom('participants')
        .selectAll()
        .where('conversation_id', '=', conversationId)
        .where('user_id', '!=', leaverId)
        .where('left_rev', 'is', null)
        .orderBy('joined_at')
        .orderBy('user_id');
    // Said in the text of the query: by a value that comes later nobody knows that the index of admins will do.
    const otherAdmin = await others()
      .where('role', '=', sql.lit('admin' as const))
      .limit(1)
      .executeTakeFirst();
    return { otherAdmin, longest: await others().limit(1).executeTakeFirst() };
  }

  /** Participants that came, went or changed role after `rev`, in the order of these changes. */
  changedParticipants(conversationId: string, rev: number, limit: number): CompiledQuery<ParticipantRow> {
    return this.database.read
      .selectFrom('participants')
      .selectAll()
      .where('conversation_id', '=', conversationId)
      .where('rev', '>', rev)
      .orderBy('rev')
      .orderBy('user_id')
      .limit(limit)
      .compile();
  }

  /** Marks that moved after `marksRev`, in the order in which they moved. Of who left, nothing more is told. */
  changedMarks(conversationId: string, marksRev: number, limit: number): CompiledQuery<MovedMark> {
    return this.database.read
      .selectFrom('participants')
      .select(['user_id', 'delivered_seq', 'read_seq', 'marks_rev'])
      .where('conversation_id', '=', conversationId)
      .where('left_rev', 'is', null)
      .where('marks_rev', '>', marksRev)
      .orderBy('marks_rev')
      .orderBy('user_id')
      .limit(limit)
      .compile();
  }

  /** A page of marks that moved after `marksRev`, as many as a frame has. */
  async listChangedMarks(conversationId: string, marksRev: number): Promise<MarksPage> {
    const limit = MAX_FRAME_MARKS;
    const [[head], rows] = await this.database.readTogether([
      this.conversation(conversationId),
      this.changedMarks(conversationId, marksRev, limit + 1),
    ]);
    return wholeMarks(rows, limit, head?.marks_rev ?? marksRev);
  }

  /** A page of where a user's conversations stand, in id order. */
  async listSyncHeads(userId: string, limit: number, afterId = BEFORE_ALL_IDS): Promise<Head[]> {
    const [heads] = await this.database.readTogether(this.syncHeads({ userId, limit, afterId }));
    return heads;
  }

  /** Where all conversations stand, in id order. */
  listPositions(limit: number, afterId?: string): Promise<{ id: string; seq: number; rev: number }[]> {
    const query = this.database.read
      .selectFrom('conversations')
      .select(['id', 'seq', 'rev'])
      .orderBy('id')
      .limit(limit);
    return (afterId === undefined ? query : query.where('id', '>', afterId)).execute();
  }

  async findPositions(ids: string[]): Promise<{ id: string; seq: number; rev: number }[]> {
    if (ids.length === 0) return [];
    return this.database.read.selectFrom('conversations').select(['id', 'seq', 'rev']).where('id', 'in', ids).execute();
  }

  // What follows writes, inside the transaction of one change.

  /** The conversation under its lock: no other change, and no batch of the log, moves it before the transaction ends. */
  async lockForMember(conversationId: string, userId: string, tx: Executor): Promise<Membership | undefined> {
    // SQLite: the transaction itself is the lock, since all writes take turns.
    if (this.database.engine === 'postgres') {
      // Only a participant gets the lock; whether they still are one is read once it is held.
      const isIn = tx
        .selectFrom('participants')
        .select('user_id')
        .where('conversation_id', '=', conversationId)
        .where('user_id', '=', userId)
        .where('left_rev', 'is', null);
      await tx
        .selectFrom('conversations')
        .select('id')
        .where('id', '=', conversationId)
        .where(({ exists }) => exists(isIn))
        .forNoKeyUpdate()
        .execute();
    }
    return this.findMembership(conversationId, userId, tx);
  }

  /** Returns false where the pair has its direct conversation already. */
  async insertConversation(row: ConversationRow, tx: Executor): Promise<boolean> {
    const inserted = await tx
      .insertInto('conversations')
      .values(row)
      .onConflict((conflict) => conflict.columns(['low_user_id', 'high_user_id']).doNothing())
      .executeTakeFirst();
    return inserted.numInsertedOrUpdatedRows === 1n;
  }

  /** Writes a change of a conversation that is there, and answers it as it now stands. */
  advanceConversation(id: string, patch: ConversationPatch, tx: Executor): Promise<ConversationRow> {
    return tx.updateTable('conversations').set(patch).where('id', '=', id).returningAll().executeTakeFirstOrThrow();
  }

  /** Who comes in, for the first time or again. */
  async putParticipants(rows: ParticipantRow[], tx: Executor): Promise<void> {
    const [first] = rows;
    if (!first) return;
    const renewed = (Object.keys(first) as (keyof ParticipantPatch)[]).filter((name) => !KEPT_ON_RETURN.includes(name));
    await tx
      .insertInto('participants')
      .values(rows)
      .onConflict((conflict) =>
        conflict
          .columns(['conversation_id', 'user_id'])
          // Marks at the join's own seq: none that they had can lie beyond it.
          .doUpdateSet((eb) => Object.fromEntries(renewed.map((name) => [name, eb.ref(`excluded.${name}`)]))),
      )
      .execute();
  }

  async updateParticipant(
    conversationId: string,
    userId: string,
    patch: ParticipantPatch,
    tx: Executor,
  ): Promise<void> {
    await tx
      .updateTable('participants')
      .set(patch)
      .where('conversation_id', '=', conversationId)
      .where('user_id', '=', userId)
      .execute();
  }

  /** Moves somebody's own marks up to a message that they wrote. */
  async moveMarks(conversationId: string, userId: string, seq: number, tx: Executor): Promise<void> {
    await this.updateParticipant(conversationId, userId, { read_seq: seq, delivered_seq: seq }, tx);
  }

  /** Tells the outbox that the conversation advanced, and whose membership changed with it. */
  async tellOutbox(conversation: ConversationRow, memberIds: string[], tx: Executor): Promise<void> {
    const { id: conversation_id, rev } = conversation;
    const memberships = memberIds.map((user_id) => ({ kind: 'membership' as const, conversation_id, user_id, rev }));
    await writeOutbox(tx, [{ kind: 'conversation', conversation_id, rev }, ...memberships], Date.now());
  }
}

/** The two of a pair in the order in which the pair is kept. */
export function inOrder(one: string, other: string): [low: string, high: string] {
  return one < other ? [one, other] : [other, one];
}
