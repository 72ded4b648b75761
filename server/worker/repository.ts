import { sql } from 'kysely';
import type { Position } from '../chat/events/event.ts';
import type { EventHead } from '../chat/events/event-head.ts';
import type { ConversationPosition } from '../chat/events/feed.ts';
import type { Database, Executor } from '../database/database.ts';
import type { ParkedJob } from './model.ts';

/** A conversation that this worker works on: where a claim has a lease, it alone, until that ends. */
export interface Claim extends Position {
  conversationId: string;
  /** Names this turn: whoever has lost the lease can change nothing. */
  owner: string;
  /** Failed tries of the event behind it. */
  attempts: number;
  /** Whether `rev` follows from `seq`, as a version left it that knew messages only. */
  isDerived: boolean;
  /** What the turn did stands in the database, which from here on reminds of the rest. */
  kept(): void;
}

export interface CursorState extends Position {
  /** Whether it waits for a time of its own, and not for news. */
  isWaiting: boolean;
}

export interface JobCounts {
  parked: number;
  /** Conversations with an event that fails. */
  waiting: number;
  /** For how long the first of them has waited, in milliseconds; 0 for none. */
  oldestMs: number;
}

/** Counting ends here: more need not be told apart. */
const COUNTED = 10_000;

/** The `rev` of a cursor; where a version left it that knew messages only, it is that of the message that it stands at. */
const REV = sql<number>`coalesce(job_cursors.rev, (select m.created_rev from messages m
  where m.conversation_id = job_cursors.conversation_id and m.seq = job_cursors.seq), 0)`;

/** Cursors and parked jobs of one consumer. Times are the database's, so that workers need not agree on the hour. */
export class JobRepository {
  constructor(
    protected readonly database: Database,
    readonly consumer: string,
  ) {}

  /** Whether the consumer has begun: it has a cursor for every conversation that was there before it. */
  async hasBegun(): Promise<boolean> {
    const row = await this.database.read
      .selectFrom('meta')
      .select('key')
      .where('key', '=', this.metaKey)
      .executeTakeFirst();
    return row !== undefined;
  }

  async noteBegun(): Promise<void> {
    await this.database.write
      .insertInto('meta')
      .values({ key: this.metaKey, value: new Date().toISOString() })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute();
  }

  /** Cursors for conversations that have none: what is up to there is not this consumer's. */
  async insertCursors(positions: ConversationPosition[]): Promise<void> {
    await this.database.write
      .insertInto('job_cursors')
      .values(positions.map(({ id, seq, rev }) => ({ conversation_id: id, consumer: this.consumer, seq, rev })))
      .onConflict((conflict) => conflict.columns(['conversation_id', 'consumer']).doNothing())
      .execute();
  }

  /** Where the consumer stands in these conversations; without an entry: before everything. */
  async cursorsOf(conversationIds: string[]): Promise<Map<string, CursorState>> {
    if (conversationIds.length === 0) return new Map();
    const rows = await this.database.read
      .selectFrom('job_cursors')
      .select(['conversation_id', 'seq', 'owner', 'next_at', REV.as('rev')])
      .where('conversation_id', 'in', conversationIds)
      .where('consumer', '=', this.consumer)
      .execute();
    return new Map(
      rows.map(({ conversation_id, seq, rev, owner, next_at }) => [
        conversation_id,
        { seq, rev: Number(rev), isWaiting: owner === null && next_at !== null },
      ]),
    );
  }

  /**
   * Takes a conversation, unless it waits for its next try or another holds it: then there is no claim, and the holder will
   * look once more before it is done.
   */
  async claim(conversationId: string, leaseMs: number, kept: () => void): Promise<Claim | undefined> {
    const owner = Bun.randomUUIDv7();
    const now = this.clock();
    const isFree = sql<boolean>`(job_cursors.next_at is null or job_cursors.next_at <= ${now})`;
    const begun = { conversation_id: conversationId, consumer: this.consumer, seq: 0, rev: 0 };
    const row = await this.database.write
      .insertInto('job_cursors')
      .values({ ...begun, owner, next_at: this.clock(leaseMs) })
      .onConflict((conflict) =>
        conflict.columns(['conversation_id', 'consumer']).doUpdateSet({
          owner: sql`case when ${isFree} then excluded.owner else job_cursors.owner end`,
          next_at: sql`case when ${isFree} then excluded.next_at else job_cursors.next_at end`,
          again: sql`case when ${isFree} or job_cursors.owner is null then 0 else 1 end`,
        }),
      )
      .returning(['owner', 'seq', 'rev', 'attempts'])
      .executeTakeFirstOrThrow();
    kept();
    if (row.owner !== owner) return undefined;
    const isDerived = row.rev === null;
    const rev = row.rev ?? (await this.cursorsOf([conversationId])).get(conversationId)!.rev;
    return { conversationId, owner, seq: row.seq, rev, attempts: row.attempts, isDerived, kept() {} };
  }

  /** Everything up to where the claim stands is done; the lease begins anew. False where it was lost: then another works on it. */
  async advance(claim: Claim, leaseMs: number): Promise<boolean> {
    return this.update(claim, { attempts: 0, waiting_since: null, next_at: this.clock(leaseMs) });
  }

  /** The end of a turn with nothing left to do; it is due again where there was news meanwhile. */
  async release(claim: Claim): Promise<boolean> {
    return this.update(claim, {
      owner: null,
      again: 0,
      next_at: sql`case when again = 1 then ${this.clock()} else null end`,
    });
  }

  /** The end of a turn before its work is: anyone may take it up at once. */
  async giveBack(claim: Claim): Promise<boolean> {
    return this.update(claim, { owner: null, again: 0, next_at: this.clock() });
  }

  /** The end of a turn by a failure: the conversation waits. */
  async postpone(claim: Claim, attempts: number, delayMs: number): Promise<boolean> {
    return this.update(claim, {
      owner: null,
      again: 0,
      attempts,
      next_at: this.clock(delayMs),
      waiting_since: sql`coalesce(waiting_since, ${this.clock()})`,
    });
  }

  /** Gives up on an event, at which the claim stands now, so that those after it can go on. False where the lease was lost. */
  async park(claim: Claim, head: EventHead, attempts: number, reason: string, leaseMs: number): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const isMine = await this.update(claim, { attempts: 0, waiting_since: null, next_at: this.clock(leaseMs) }, tx);
      if (isMine) await this.insertParked(claim.conversationId, head, attempts, reason, tx);
      return isMine;
    });
  }

  protected async insertParked(
    conversationId: string,
    head: EventHead,
    attempts: number,
    reason: string,
    tx: Executor,
  ): Promise<void> {
    await tx
      .insertInto('parked_jobs')
      .values({
        id: Bun.randomUUIDv7(),
        consumer: this.consumer,
        conversation_id: conversationId,
        seq: head.seq ?? null,
        attempts,
        reason,
        parked_at: this.clock(),
        rev: head.rev,
        kind: head.kind,
        message_seq: head.messageSeq ?? null,
        actor_id: head.isCoalesced ? null : (head.actorId ?? null),
        user_ids: head.userIds === undefined ? null : JSON.stringify(head.userIds),
        emoji: head.emoji ?? null,
        event_at: head.at,
      })
      // However often it is given up, it stands there once.
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  /** What this process's predecessor held when it died: only where no other process works. */
  async releaseAll(): Promise<void> {
    await this.database.write
      .updateTable('job_cursors')
      .set({ owner: null, again: 0, next_at: this.clock() })
      .where('consumer', '=', this.consumer)
      .where('next_at', 'is not', null)
      .where('owner', 'is not', null)
      .execute();
  }

  /** Conversations whose time has come: another try, or a worker that held them and is gone. */
  async listDue(limit: number): Promise<string[]> {
    const rows = await this.database.read
      .selectFrom('job_cursors')
      .select('conversation_id')
      .where('consumer', '=', this.consumer)
      .where('next_at', '<=', this.clock())
      .orderBy('next_at')
      .limit(limit)
      .execute();
    return rows.map((row) => row.conversation_id);
  }

  /** Parked jobs that an operator wants tried again, and whose time has come. */
  async listDueParked(limit: number): Promise<ParkedJob[]> {
    return this.database.read
      .selectFrom('parked_jobs')
      .selectAll()
      .where('consumer', '=', this.consumer)
      .where('next_at', '<=', this.clock())
      .orderBy('next_at')
      .limit(limit)
      .execute();
  }

  async claimParked({ id, next_at }: ParkedJob, leaseMs: number): Promise<boolean> {
    const { numUpdatedRows } = await this.database.write
      .updateTable('parked_jobs')
      .set({ next_at: this.clock(leaseMs) })
      .where('id', '=', id)
      .where('next_at', '=', next_at)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** Another try of a parked job failed. Without a delay it is parked again. */
  async postponeParked(id: string, attempts: number, reason: string, delayMs?: number): Promise<void> {
    const next_at = delayMs === undefined ? null : this.clock(delayMs);
    await this.database.write
      .updateTable('parked_jobs')
      .set({ attempts, reason, next_at, parked_at: this.clock() })
      .where('id', '=', id)
      .execute();
  }

  async deleteParked(id: string): Promise<void> {
    await this.database.write.deleteFrom('parked_jobs').where('id', '=', id).execute();
  }

  async counts(): Promise<JobCounts> {
    const parked = this.database.read
      .selectFrom('parked_jobs')
      .select('id')
      .where('consumer', '=', this.consumer)
      .limit(COUNTED);
    const { count } = await this.database.read
      .selectFrom(parked.as('parked'))
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    const waiting = await this.database.read
      .selectFrom('job_cursors')
      .select((eb) => [
        eb.fn.countAll<number>().as('count'),
        sql<number>`coalesce(${this.clock()} - min(waiting_since), 0)`.as('oldest'),
      ])
      .where('consumer', '=', this.consumer)
      .where('next_at', 'is not', null)
      .where('waiting_since', 'is not', null)
      .executeTakeFirstOrThrow();
    return { parked: Number(count), waiting: Number(waiting.count), oldestMs: Number(waiting.oldest) };
  }

  private get metaKey(): string {
    return `jobs:${this.consumer}`;
  }

  /** Changes a cursor that its turn still holds, and puts it where the claim stands. */
  private async update(claim: Claim, change: object, executor: Executor = this.database.write): Promise<boolean> {
    const { numUpdatedRows } = await executor
      .updateTable('job_cursors')
      .set({ seq: claim.seq, rev: claim.rev, ...change })
      .where('conversation_id', '=', claim.conversationId)
      .where('consumer', '=', this.consumer)
      .where('owner', '=', claim.owner)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** The database's time, so many milliseconds from now. */
  protected clock(plusMs = 0) {
    if (this.database.engine === 'sqlite') return sql<number>`${Date.now() + plusMs}`;
    return sql<number>`(cast(extract(epoch from clock_timestamp()) * 1000 as bigint) + cast(${plusMs} as bigint))`;
  }
}
