import { sql } from 'kysely';
import type { Position } from '../chat/events/event.ts';
import type { Database } from '../database/database.ts';
import { CoalescedTask } from '../shared/coalesced-task.ts';
import type { Logger } from '../shared/logger.ts';

/** Between two writes, in milliseconds. */
const WRITE_MS = 1000;
/** Rows of one statement. */
const CHUNK = 500;

interface Pending extends Position {
  consumer: string;
  conversationId: string;
  /** Told once it is written. */
  kept: (() => void)[];
}

/**
 * Cursors of consumers to which repeats do no harm, written together at most once a second. What is here and not written
 * when the process dies is told again.
 */
export class BehindCursorsRepository {
  private pending = new Map<string, Pending>();
  /** What is being written now: it stays where it is until that is done. */
  private writing = new Map<string, Pending>();
  private timer: Timer | undefined;
  private readonly task = new CoalescedTask(
    () => this.write(),
    (error) => this.log.error({ err: error }, 'cursors of consumers could not be written: tried again'),
  );

  constructor(
    private readonly database: Database,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.pending.size > 0 && this.task.request(), WRITE_MS);
  }

  /** Writes what there is. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.task.request();
    await this.task.idle();
  }

  /** Forgets what is not written: the log went back, and the cursors with it. */
  forget(): void {
    this.pending.clear();
  }

  find(consumer: string, conversationId: string): Position | undefined {
    const key = keyOf(consumer, conversationId);
    return this.pending.get(key) ?? this.writing.get(key);
  }

  put(consumer: string, conversationId: string, { seq, rev }: Position, kept?: () => void): void {
    const key = keyOf(consumer, conversationId);
    const before = this.pending.get(key)?.kept ?? [];
    this.pending.set(key, { consumer, conversationId, seq, rev, kept: kept ? [...before, kept] : before });
  }

  /** Hands over to another write what was pending, and who waits for it. */
  take(consumer: string, conversationId: string): (() => void)[] {
    const key = keyOf(consumer, conversationId);
    const kept = this.pending.get(key)?.kept ?? [];
    this.pending.delete(key);
    return kept;
  }

  private async write(): Promise<void> {
    this.writing = this.pending;
    this.pending = new Map();
    const rows = [...this.writing.values()];
    try {
      await this.database.transaction(async (tx) => {
        for (let start = 0; start < rows.length; start += CHUNK) {
          await tx
            .insertInto('job_cursors')
            .values(
              rows.slice(start, start + CHUNK).map(({ consumer, conversationId, seq, rev }) => ({
                consumer,
                conversation_id: conversationId,
                seq,
                rev,
              })),
            )
            .onConflict((conflict) =>
              conflict
                .columns(['conversation_id', 'consumer'])
                .doUpdateSet((eb) => ({
                  seq: eb.ref('excluded.seq'),
                  rev: eb.ref('excluded.rev'),
                  attempts: 0,
                  owner: null,
                  next_at: null,
                  waiting_since: null,
                }))
                // Another node may be further, and a failure written since is of what comes behind.
                .where(sql<boolean>`coalesce(job_cursors.rev, 0) < excluded.rev`),
            )
            .execute();
        }
      });
    } catch (error) {
      for (const [key, one] of this.writing) {
        const newer = this.pending.get(key);
        this.pending.set(key, newer ? { ...newer, kept: [...one.kept, ...newer.kept] } : one);
      }
      throw error;
    } finally {
      this.writing = new Map();
    }
    for (const { kept } of rows) for (const tell of kept) tell();
  }
}

function keyOf(consumer: string, conversationId: string): string {
  return `${consumer} ${conversationId}`;
}
