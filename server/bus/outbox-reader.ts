import type { Selectable } from 'kysely';
import type { Database } from '../database/database.ts';
import { currentOutboxMoment } from '../database/outbox.ts';
import { type OutboxMoment, outboxMoment, writtenAfter } from '../database/outbox-moment.ts';
import type { OutboxTable } from '../database/schema.ts';
import { CoalescedTask } from '../shared/coalesced-task.ts';
import type { Logger } from '../shared/logger.ts';
import { sweep } from '../shared/sweep.ts';
import type { Bus } from './bus.ts';

/** What a lost publication may cost: with the time to act on it, well below the 5 s of PROTOCOL.md §7.5. */
const POLL_MS = 2000;
const SETTLE_MS = 100;
/** For how long rows are kept: for readers that were away, and beyond what the nodes' clocks can differ. */
const KEPT_MS = 2 * 3_600_000;
const SWEEP_CHUNK = 5000;
type FreshRow = Pick<Selectable<OutboxTable>, 'kind' | 'conversation_id' | 'user_id' | 'session_id' | 'rev'>;

/** Who makes good what this node did not hear of conversations. */
export interface OutboxHearers {
  /** A conversation stands at `rev` at least. */
  heardOf(conversationId: string, rev: number): void;
  /** The marks of a conversation stand at `marksRev` at least. */
  heardOfMarks(conversationId: string, marksRev: number): void;
  /** Somebody joined or left at `rev`. */
  checkMembership(userId: string, conversationId: string, rev: number): Promise<void>;
}

/**
 * Reads what was written to the outbox since the last look and tells it on this node once more, so that nothing hangs on a
 * publication alone: one can be lost, and another process, such as `parley admin`, makes none. Hearing twice changes
 * nothing.
 */
export class OutboxReader {
  private seen: OutboxMoment | undefined;
  private timer: Timer | undefined;
  private readonly polling = new CoalescedTask(
    () => this.poll(),
    (error) => this.log.error({ err: error }, 'the outbox could not be read'),
  );

  constructor(
    private readonly database: Database,
    private readonly bus: Bus,
    private readonly hearers: OutboxHearers,
    private readonly log: Logger,
  ) {}

  /** Begins behind what stands there now. */
  async start(): Promise<void> {
    await this.skip();
    this.timer = setInterval(() => this.look(), POLL_MS);
  }

  /** Looks at once: something is known to have gone unheard. Does nothing while the reader is stopped. */
  look(): void {
    if (this.timer) this.polling.request();
  }

  /** Goes on behind what stands there now, as after the log went back: nothing of before is told. */
  async skip(): Promise<void> {
    this.seen = await currentOutboxMoment(this.database);
  }

  /** Resolves once nothing is under way any more. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await this.polling.idle();
  }

  /** Deletes old rows; to be called now and then. */
  async sweep(signal: AbortSignal): Promise<void> {
    await sweep(SWEEP_CHUNK, (limit) => this.deleteOld(limit), signal);
  }

  private async poll(): Promise<void> {
    const { database, seen } = this;
    const fresh = () => database.read.selectFrom('outbox').where(writtenAfter(database.engine, seen!));
    const [[now], rows, heads] = await database.readTogether([
      outboxMoment(database),
      fresh()
        .select(['kind', 'conversation_id', 'user_id', 'session_id', 'rev'])
        .where('kind', 'not in', ['conversation', 'marks'])
        .orderBy('id')
        .compile(),
      fresh()
        .select((eb) => ['kind', 'conversation_id', eb.fn.max('rev').as('rev')])
        .where('kind', 'in', ['conversation', 'marks'])
        .groupBy(['kind', 'conversation_id'])
        .compile(),
    ]);
    if (rows.length + heads.length === 0) {
      this.seen = now!.moment;
      return;
    }
    // What was committed this moment is being published: only what is not heard by then was lost.
    await Bun.sleep(SETTLE_MS);
    for (const { kind, conversation_id, rev } of heads) {
      if (kind === 'marks') this.hearers.heardOfMarks(conversation_id!, Number(rev));
      else this.hearers.heardOf(conversation_id!, Number(rev));
    }
    for (const row of rows) await this.tell(row);
    // What was skipped to meanwhile stays.
    if (this.seen === seen) this.seen = now!.moment;
  }

  private async tell({ kind, conversation_id, user_id, session_id, rev }: FreshRow): Promise<void> {
    if (kind === 'membership') await this.hearers.checkMembership(user_id!, conversation_id!, rev!);
    if (kind === 'user') this.bus.tellHere('accounts', { kind: 'user_changed', user_id: user_id! });
    if (kind === 'session') {
      this.bus.tellHere('accounts', { kind: 'sessions_ended', user_id: user_id!, session_ids: [session_id!] });
    }
  }

  private async deleteOld(limit: number): Promise<number> {
    const { write, engine } = this.database;
    let oldest = write.selectFrom('outbox').select(['id', 'created_at']).orderBy('id').limit(limit);
    // Of several nodes one sweeps, but for one that does not know yet that it lost this duty: rows are left to who has them.
    if (engine === 'postgres') oldest = oldest.forUpdate().skipLocked();
    const old = write
      .selectFrom(oldest.as('oldest'))
      .select('id')
      .where('created_at', '<', Date.now() - KEPT_MS);
    const { numDeletedRows } = await write.deleteFrom('outbox').where('id', 'in', old).executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }
}
