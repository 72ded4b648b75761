import { sql } from 'kysely';
import { BEFORE_ALL } from '../chat/events/event.ts';
import type { EventHead } from '../chat/events/event-head.ts';
import type { Database, Executor } from '../database/database.ts';
import type { BehindCursorsRepository } from './behind-cursors-repository.ts';
import type { OwnCursors } from './jobs.ts';
import { type Claim, type CursorState, JobRepository } from './repository.ts';

interface UnleasedClaim extends Claim {
  /** Where the stored cursor stands. */
  storedRev: number;
  /** Whether the stored cursor has a time of its own, which is over. */
  isMarked: boolean;
}

/**
 * Jobs of a consumer to which repeats do no harm: a turn writes nothing while all goes well. Cursors are written behind, or
 * are the consumer's own; failures stand in the database, as everybody's do. Nothing keeps two nodes from one conversation
 * but that hints are shared among them.
 */
export class UnleasedRepository extends JobRepository {
  constructor(
    database: Database,
    consumer: string,
    private readonly behind: BehindCursorsRepository,
    private readonly own?: OwnCursors,
  ) {
    super(database, consumer);
  }

  override async cursorsOf(conversationIds: string[]): Promise<Map<string, CursorState>> {
    const cursors = await super.cursorsOf(conversationIds);
    const own = await this.own?.cursorsOf(conversationIds);
    for (const id of conversationIds) {
      const position = own ? (own.get(id) ?? BEFORE_ALL) : this.behind.find(this.consumer, id);
      const isWaiting = cursors.get(id)?.isWaiting ?? false;
      if (position) cursors.set(id, { seq: position.seq, rev: position.rev, isWaiting });
    }
    return cursors;
  }

  override async claim(conversationId: string, _leaseMs: number, kept: () => void): Promise<UnleasedClaim | undefined> {
    const row = await this.database.read
      .selectFrom('job_cursors')
      .select(['attempts', 'rev', 'next_at', sql<number>`${this.clock()}`.as('now')])
      .where('conversation_id', '=', conversationId)
      .where('consumer', '=', this.consumer)
      .executeTakeFirst();
    const { attempts = 0, next_at = null, now = 0, rev: storedRev = 0 } = row ?? {};
    if (next_at !== null && next_at > Number(now)) {
      kept();
      return undefined;
    }
    const { seq, rev } = (await this.cursorsOf([conversationId])).get(conversationId) ?? BEFORE_ALL;
    const isDerived = !this.own && storedRev === null && this.behind.find(this.consumer, conversationId) === undefined;
    const stored = { storedRev: storedRev ?? -1, isMarked: next_at !== null };
    return { conversationId, owner: '', seq, rev, attempts, isDerived, kept, ...stored };
  }

  override async advance(claim: UnleasedClaim): Promise<boolean> {
    // What failed stood in the way of others, and a metric counts it: no longer.
    if (claim.isMarked) await this.clear(claim);
    else if (!this.own) this.behind.put(this.consumer, claim.conversationId, claim);
    return true;
  }

  override async release(claim: UnleasedClaim): Promise<boolean> {
    if (claim.isMarked) await this.clear(claim);
    if (this.own) await this.own.advance(claim.conversationId, claim);
    if (this.own || claim.storedRev >= claim.rev) claim.kept();
    else this.behind.put(this.consumer, claim.conversationId, claim, claim.kept);
    return true;
  }

  override async giveBack(claim: UnleasedClaim): Promise<boolean> {
    return this.end(claim, claim.attempts, 0);
  }

  override async postpone(claim: UnleasedClaim, attempts: number, delayMs: number): Promise<boolean> {
    return this.end(claim, attempts, delayMs);
  }

  override async park(claim: UnleasedClaim, head: EventHead, attempts: number, reason: string): Promise<boolean> {
    const waiting = this.behind.take(this.consumer, claim.conversationId);
    await this.database.transaction(async (tx) => {
      await this.put(claim, { attempts: 0, delayMs: undefined }, tx);
      await this.insertParked(claim.conversationId, head, attempts, reason, tx);
    });
    await this.own?.advance(claim.conversationId, claim);
    this.noteWritten(claim, waiting);
    return true;
  }

  /** Nothing is held here, whoever died. */
  override async releaseAll(): Promise<void> {}

  /** Ends a turn before its work is done, with a time to look again. */
  private async end(claim: UnleasedClaim, attempts: number, delayMs: number): Promise<boolean> {
    const waiting = this.behind.take(this.consumer, claim.conversationId);
    await this.own?.advance(claim.conversationId, claim);
    await this.put(claim, { attempts, delayMs });
    this.noteWritten(claim, waiting);
    claim.kept();
    return true;
  }

  private async clear(claim: UnleasedClaim): Promise<void> {
    const waiting = this.behind.take(this.consumer, claim.conversationId);
    await this.put(claim, { attempts: 0, delayMs: undefined });
    this.noteWritten(claim, waiting);
  }

  private noteWritten(claim: UnleasedClaim, waiting: (() => void)[]): void {
    Object.assign(claim, { storedRev: claim.rev, isMarked: false });
    for (const kept of waiting) kept();
  }

  /** Writes a cursor at once, unless another node is further by now. Without a delay it waits for news. */
  private async put(
    claim: UnleasedClaim,
    { attempts, delayMs }: { attempts: number; delayMs: number | undefined },
    executor: Executor = this.database.write,
  ): Promise<void> {
    // A consumer's own cursor is not here: it may go back, and begin anew.
    const { seq, rev } = this.own ? BEFORE_ALL : claim;
    const next_at = delayMs === undefined ? null : this.clock(delayMs);
    const cursor = { seq, rev, attempts, next_at };
    const since = attempts === 0 ? null : this.clock();
    await executor
      .insertInto('job_cursors')
      .values({ conversation_id: claim.conversationId, consumer: this.consumer, ...cursor, waiting_since: since })
      .onConflict((conflict) =>
        conflict
          .columns(['conversation_id', 'consumer'])
          .doUpdateSet({
            ...cursor,
            waiting_since: attempts === 0 ? null : sql<number>`coalesce(job_cursors.waiting_since, ${this.clock()})`,
          })
          .where(sql<boolean>`coalesce(job_cursors.rev, 0) <= ${rev}`),
      )
      .execute();
  }
}
