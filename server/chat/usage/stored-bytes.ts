import { ParleyError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { UsageRepository } from './usage-repository.ts';

/** What a message takes in the tables and their indexes beside its content, in bytes; the measure is in DATABASE.md. */
const MESSAGE_ROW_BYTES = 300;
/** What one more person in a group takes. */
const PARTICIPANT_ROW_BYTES = 200;

/** How many bytes a message with this content takes, about. */
export function messageBytes(content: string): number {
  return MESSAGE_ROW_BYTES + Buffer.byteLength(content);
}

/** How many bytes a change of a group takes: its system message, and the rows of those who come in. */
export function changeBytes(message: { content: string; system: string | null } | undefined, joining: number): number {
  const note = message ? messageBytes(message.content) + Buffer.byteLength(message.system ?? '') : 0;
  return note + joining * PARTICIPANT_ROW_BYTES;
}

/** Told how much more, or less, somebody has stored, once it is committed. */
export type NoteStored = (userId: string, bytes: number) => void;

/** Between two writes, in milliseconds: what a crash may cost, and by how much others are late to hear of it. */
const PACE_MS = 2000;
/** Accounts of one statement. */
const CHUNK = 500;

export interface StoredBytesOptions {
  repository: UsageRepository;
  /** Bytes that an account may have stored; 0 for any number. */
  max: number;
  log: Logger;
  paceMs?: number;
}

/**
 * How much each account has stored, about. A message is not to wait for it: it is gathered in memory, added to the table every
 * few seconds, and what the table answers, which all nodes add to, says who has no room left. So somebody can go beyond it by
 * what they send in that time on each node, and a crash forgets as much.
 */
export class StoredBytes {
  private pending = new Map<string, number>();
  /** Those without room, as they stood at the last look. */
  private readonly full = new Set<string>();
  /** Those of them who asked since: they may have room again, by what they deleted through another node. */
  private readonly asked = new Set<string>();
  private timer: Timer | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly options: StoredBytesOptions) {}

  /** Notes what is stored now: less, where something was deleted. */
  readonly note: NoteStored = (userId, bytes) => {
    if (this.options.max === 0 || bytes === 0) return;
    this.pending.set(userId, (this.pending.get(userId) ?? 0) + bytes);
    this.schedule();
  };

  isFull(userId: string): boolean {
    if (!this.full.has(userId)) return false;
    this.asked.add(userId);
    this.schedule();
    return true;
  }

  /** Fails with `quota_exceeded` for those who have no room left. */
  requireRoom(userId: string): void {
    if (this.isFull(userId)) throw new ParleyError('quota_exceeded');
  }

  /** Writes what was noted. What cannot be written is lost: it is a measure, and no more. */
  async stop(): Promise<void> {
    await this.write();
    clearTimeout(this.timer);
  }

  /** Forgets what it knows: the database may have gone back. */
  forget(): void {
    this.pending.clear();
    this.full.clear();
    this.asked.clear();
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => {
      this.write().catch((error) => this.options.log.warn({ err: error }, 'what accounts have stored was not written'));
    }, this.options.paceMs ?? PACE_MS);
  }

  private write(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const written = this.writing.then(() => this.writeAll());
    this.writing = written.catch(() => {});
    return written;
  }

  private async writeAll(): Promise<void> {
    const { repository } = this.options;
    for (const chunk of chunksOf([...this.take()])) {
      try {
        this.judge(await repository.addStored(new Map(chunk)));
      } catch (error) {
        for (const [userId, bytes] of chunk) this.note(userId, bytes);
        throw error;
      }
    }
    const asked = [...this.asked];
    this.asked.clear();
    for (const chunk of chunksOf(asked)) this.judge(await repository.stored(chunk));
  }

  private take(): Map<string, number> {
    const { pending } = this;
    this.pending = new Map();
    return pending;
  }

  private judge(totals: Map<string, number>): void {
    for (const [userId, bytes] of totals) {
      if (bytes >= this.options.max) this.full.add(userId);
      else this.full.delete(userId);
      this.asked.delete(userId);
    }
  }
}

/** In one order on all nodes, so that no two of them wait for each other. */
function chunksOf<T extends string | [string, number]>(items: T[]): T[][] {
  items.sort((one, other) => (String(one) < String(other) ? -1 : 1));
  return Array.from({ length: Math.ceil(items.length / CHUNK) }, (_, n) => items.slice(n * CHUNK, (n + 1) * CHUNK));
}
