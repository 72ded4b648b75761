import { type ExpressionBuilder, sql } from 'kysely';
import { databaseClock } from '../database/clock.ts';
import type { Database, Executor } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';

/** A job as it is written down. */
export interface JobToInsert {
  kind: string;
  payload: string;
  delayMs: number;
  priority: number;
  dedupeKey: string | null;
  onDuplicate: 'keep' | 'replace';
}

/** A job that one try of one runner alone works on, until its lease ends. */
export interface ClaimedJob {
  id: string;
  kind: string;
  /** JSON. */
  payload: string;
  /** Names, with the id, this try: whoever has lost the lease can change nothing. */
  owner: string;
  /** Which try this is; 1 for the first. */
  attempts: number;
}

export interface QueueCounts {
  /** Jobs that nobody works on and that are not parked; beyond 10,000 no more are counted. */
  waiting: number;
  parked: number;
  /** For how long the first of those that are due has waited, in milliseconds; 0 for none. */
  oldestMs: number;
}

/** Every priority there is; each is searched by itself, along the index. */
const LEVELS = [0, 1, 2];
/** Counting ends here: more need not be told apart. */
const COUNTED = 10_000;

/** Writes a job in the transaction of its cause; answers its id, or that of the one with its key. */
export async function insertJob(tx: Executor, engine: Database['engine'], job: JobToInsert): Promise<string> {
  const row = await tx
    .insertInto('jobs')
    .values({
      id: Bun.randomUUIDv7(),
      kind: job.kind,
      payload: job.payload,
      priority: job.priority,
      dedupe_key: job.dedupeKey,
      due_at: databaseClock(engine, job.delayMs),
      created_at: databaseClock(engine),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['kind', 'dedupe_key'])
        .where('dedupe_key', 'is not', null)
        .where('parked_at', 'is', null)
        .doUpdateSet(job.onDuplicate === 'keep' ? KEPT : REPLACED),
    )
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

/** What a second job changes of the one that stands for both. One that failed keeps waiting for its next try. */
const KEPT = {
  due_at: sql<number>`case when jobs.owner is null and jobs.attempts = 0 and excluded.due_at < jobs.due_at
    then excluded.due_at else jobs.due_at end`,
  again_at: sql<number>`case when jobs.owner is null then jobs.again_at
    when jobs.again_at < excluded.due_at then jobs.again_at else excluded.due_at end`,
  priority: sql<number>`case when excluded.priority < jobs.priority then excluded.priority else jobs.priority end`,
};

/** What a second job changes of the one whose place it takes. The try that runs has its payload already. */
const REPLACED = {
  payload: sql<string>`excluded.payload`,
  priority: sql<number>`excluded.priority`,
  attempts: sql<number>`case when jobs.owner is null then 0 else jobs.attempts end`,
  due_at: sql<number>`case when jobs.owner is null then excluded.due_at else jobs.due_at end`,
  again_at: sql<number>`case when jobs.owner is null then null else excluded.due_at end`,
};

/** The jobs of the queue, as runners see them. Times are the database's. */
export class JobRepository {
  constructor(private readonly database: Database) {}

  /**
   * Takes at most `limit` jobs of some kinds that are due, by priority and then by time; `leases` says for how long of each
   * kind. Those whose runner's lease has ended are due.
   */
  async claim(leases: ReadonlyMap<string, number>, limit: number): Promise<ClaimedJob[]> {
    const kinds = [...leases.keys()];
    // A look costs no turn at writing; most of them find nothing.
    const found = await this.database.readTogether(
      LEVELS.map((level) => this.due(level).where('kind', 'in', kinds).select('priority').limit(1).compile()),
    );
    const claimed: ClaimedJob[] = [];
    for (const level of LEVELS) {
      const isDue = (found[level]?.length ?? 0) > 0;
      if (isDue && claimed.length < limit) {
        claimed.push(...(await this.claimLevel(level, leases, limit - claimed.length)));
      }
    }
    return claimed;
  }

  /** It is done and goes; but one that was asked for once more meanwhile goes again. */
  async done(claim: ClaimedJob): Promise<'gone' | 'again' | 'lost'> {
    const { numDeletedRows } = await this.held(this.database.write.deleteFrom('jobs'), claim)
      .where('again_at', 'is', null)
      .executeTakeFirst();
    if (numDeletedRows > 0n) return 'gone';
    return (await this.renew(claim)) ? 'again' : 'lost';
  }

  /** The try failed: another follows, not before `delayMs`. */
  async postpone(claim: ClaimedJob, reason: string, delayMs: number): Promise<boolean> {
    const { numUpdatedRows } = await this.held(
      this.database.write
        .updateTable('jobs')
        .set({ owner: null, lease_until: null, reason, due_at: this.clock(delayMs), again_at: this.later }),
      claim,
    ).executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /**
   * Gives up on it. One that was asked for once more meanwhile goes again instead, with all of its tries. Of a key only the
   * last one that was parked is kept.
   */
  async park(claim: ClaimedJob, reason: string): Promise<'parked' | 'again' | 'lost'> {
    const isParked = await this.database.transaction(async (tx) => {
      const row = await this.held(
        tx
          .updateTable('jobs')
          .set({ owner: null, lease_until: null, attempts: claim.attempts, reason, parked_at: this.clock() }),
        claim,
      )
        .where('again_at', 'is', null)
        .returning('dedupe_key')
        .executeTakeFirst();
      if (row === undefined) return false;
      if (row.dedupe_key === null) return true;
      await tx
        .deleteFrom('jobs')
        .where('kind', '=', claim.kind)
        .where('dedupe_key', '=', row.dedupe_key)
        .where('parked_at', 'is not', null)
        .where('id', '<>', claim.id)
        .execute();
      return true;
    });
    if (isParked) return 'parked';
    return (await this.renew(claim)) ? 'again' : 'lost';
  }

  /** The try was broken off and does not count: anyone may take it up at once. */
  async giveBack(claim: ClaimedJob): Promise<void> {
    await this.held(
      this.database.write.updateTable('jobs').set({ owner: null, lease_until: null, attempts: claim.attempts - 1 }),
      claim,
    ).execute();
  }

  /** What this process's predecessor held when it died: only where no other process works. */
  async releaseAll(): Promise<void> {
    await this.database.write
      .updateTable('jobs')
      .set({ owner: null, lease_until: null })
      .where('parked_at', 'is', null)
      .where('owner', 'is not', null)
      .execute();
  }

  async counts(): Promise<QueueCounts> {
    const { read } = this.database;
    const waiting = read.selectFrom('jobs').select('id').where('parked_at', 'is', null).where('owner', 'is', null);
    const parked = read.selectFrom('jobs').select('id').where('parked_at', 'is not', null);
    const count = (some: typeof waiting) =>
      read.selectFrom(some.limit(COUNTED).as('some')).select((eb) => eb.fn.countAll<number>().as('count'));
    const [[waits], [parks], ...oldest] = await this.database.readTogether([
      count(waiting).compile(),
      count(parked).compile(),
      ...LEVELS.map((level) =>
        this.due(level).select(sql<number>`${this.clock()} - due_at`.as('count')).limit(1).compile(),
      ),
    ]);
    const waits_ms = oldest.map(([first]) => Number(first?.count ?? 0));
    return { waiting: Number(waits!.count), parked: Number(parks!.count), oldestMs: Math.max(0, ...waits_ms) };
  }

  /** Forgets at most `limit` of those that were parked so long ago; answers how many. */
  async deleteParked(olderThanMs: number, limit: number): Promise<number> {
    const old = this.database.write
      .selectFrom('jobs')
      .select('id')
      .where('parked_at', '<', this.clock(-olderThanMs))
      .orderBy('parked_at')
      .limit(limit);
    const { numDeletedRows } = await this.database.write
      .deleteFrom('jobs')
      .where('id', 'in', old)
      .where('parked_at', 'is not', null)
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  private async claimLevel(level: number, leases: ReadonlyMap<string, number>, limit: number): Promise<ClaimedJob[]> {
    const owner = Bun.randomUUIDv7();
    const ends = [...leases].map(([kind, ms]) => sql`when ${kind} then ${this.clock(ms)}`);
    const due = this.due(level)
      .where('kind', 'in', [...leases.keys()])
      .select('id')
      .limit(limit);
    const rows = await this.database.write
      // Rows that another runner is about to take are left to it; on SQLite writers take turns.
      .with('picked', () => (this.database.engine === 'postgres' ? due.forUpdate().skipLocked() : due))
      .updateTable('jobs')
      .set({
        owner,
        lease_until: sql<number>`case kind ${sql.join(ends, sql` `)} end`,
        attempts: sql<number>`attempts + 1`,
        again_at: this.later,
      })
      .where('id', 'in', (eb) => eb.selectFrom('picked').select('picked.id'))
      .returning(['id', 'kind', 'payload', 'attempts', 'due_at'])
      .execute();
    return rows.sort((a, b) => a.due_at - b.due_at).map((row) => ({ ...row, owner }));
  }

  /** Jobs of one priority that are due and that nobody holds, those that were due first before the others. */
  private due(level: number) {
    return this.database.read
      .selectFrom('jobs')
      .where('parked_at', 'is', null)
      .where('priority', '=', level)
      .where('due_at', '<=', this.clock())
      .where((eb: ExpressionBuilder<Schema, 'jobs'>) =>
        eb.or([eb('lease_until', 'is', null), eb('lease_until', '<=', this.clock())]),
      )
      .orderBy('due_at');
  }

  /** It was asked for once more while it ran: it waits for that time, with all of its tries. */
  private async renew(claim: ClaimedJob): Promise<boolean> {
    const { numUpdatedRows } = await this.held(
      this.database.write.updateTable('jobs').set({
        owner: null,
        lease_until: null,
        attempts: 0,
        due_at: sql<number>`again_at`,
        again_at: null,
        reason: null,
      }),
      claim,
    )
      .where('again_at', 'is not', null)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /** The job of a try, for as long as that still holds it. */
  private held<Query extends { where(column: 'id' | 'owner', operator: '=', value: string): Query }>(
    query: Query,
    { id, owner }: ClaimedJob,
  ): Query {
    return query.where('id', '=', id).where('owner', '=', owner);
  }

  /** Another time that it was asked for: the try that begins now, or the next one, is for that too once it has come. */
  private get later() {
    return sql<number | null>`case when again_at <= ${this.clock()} then null else again_at end`;
  }

  private clock(plusMs = 0) {
    return databaseClock(this.database.engine, plusMs);
  }
}
