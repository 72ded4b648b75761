import type { Bus } from '../../bus/bus.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ClaimedMark, MarksDriver } from './marks-driver.ts';

/** Between two batches, in milliseconds: what a crash may cost, and the pace of a conversation's receipts. */
const PACE_MS = 1000;
/** How long the first mark after a quiet time waits for others, in milliseconds. */
const GATHER_MS = 20;
/** Marks that may wait; beyond it they are refused. */
const MAX_WAITING = 200_000;

/**
 * Delivered and read marks, gathered in memory and written behind in one batch at most every second. A crash may lose the
 * last second of them, never moves one back, and never touches a message; a client says again what the server has not.
 */
export class Marks {
  private waiting = new Map<string, ClaimedMark>();
  /** Settles with the batch that `waiting` becomes; there where somebody waits for it. */
  private waitedFor: PromiseWithResolvers<void> | undefined;
  private timer: Timer | undefined;
  private writing: Promise<void> = Promise.resolve();
  private lastWrite = 0;
  private isStopped = false;

  constructor(
    private readonly driver: MarksDriver,
    private readonly bus: Bus,
    private readonly log: Logger,
  ) {}

  /** Notes how far a participant has come; more of the same user and conversation before the next batch become one. */
  note(conversation_id: string, user_id: string, mark: { delivered_seq?: number; read_seq?: number }): void {
    const key = conversation_id + user_id;
    const claim = this.waiting.get(key) ?? { conversation_id, user_id, delivered_seq: 0, read_seq: 0 };
    if (this.waiting.size >= MAX_WAITING && !this.waiting.has(key)) throw new ParleyError('unavailable');
    claim.delivered_seq = Math.max(claim.delivered_seq, mark.delivered_seq ?? 0);
    claim.read_seq = Math.max(claim.read_seq, mark.read_seq ?? 0);
    this.waiting.set(key, claim);
    if (this.isStopped) return;
    this.timer ??= setTimeout(() => this.writeBehind(), Math.max(GATHER_MS, this.lastWrite + PACE_MS - Date.now()));
  }

  /** Notes the same, and resolves with the batch that it is written in, at the pace of all; fails where that failed. */
  noteUntilWritten(...mark: Parameters<Marks['note']>): Promise<void> {
    this.note(...mark);
    this.waitedFor ??= Promise.withResolvers();
    return this.waitedFor.promise;
  }

  /** Writes all that was noted, and writes nothing behind any more. Fails where it could not be written: then it is lost. */
  stop(): Promise<void> {
    this.isStopped = true;
    return this.write();
  }

  /** Writes all that was noted before, at once. Fails where it could not be written. */
  write(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const written = this.writing.then(() => this.writeBatch());
    this.writing = written.catch(() => {});
    return written;
  }

  private writeBehind(): void {
    // The marks stay noted, and the next batch tries again.
    this.write().catch((error) => this.log.warn({ err: error }, 'marks could not be written'));
  }

  private async writeBatch(): Promise<void> {
    if (this.waiting.size === 0) return;
    const { waiting: batch, waitedFor } = this;
    this.waiting = new Map();
    this.waitedFor = undefined;
    this.lastWrite = Date.now();
    const claims = [...batch.values()].sort(byConversationAndUser);
    try {
      for (const moved of await this.driver.write(claims)) {
        const { conversation_id } = moved;
        this.bus.publish(`conversation:${conversation_id}`, {
          conversation_id,
          signals: [{ event: 'receipts', ...moved }],
        });
      }
      waitedFor?.resolve();
    } catch (error) {
      waitedFor?.reject(error);
      for (const { conversation_id, user_id, ...mark } of claims) this.note(conversation_id, user_id, mark);
      throw error;
    }
  }
}

/** One order for all nodes, so that no two batches wait for each other. */
function byConversationAndUser(one: ClaimedMark, other: ClaimedMark): number {
  const [a, b] = [one.conversation_id + one.user_id, other.conversation_id + other.user_id];
  return a < b ? -1 : Number(a > b);
}
