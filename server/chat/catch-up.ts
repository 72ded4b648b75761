import pLimit, { type LimitFunction } from 'p-limit';
import type { z } from 'zod';
import { SYNC_CHARACTERS, SYNC_MESSAGES } from '../../protocol/limits.ts';
import type { SyncBody } from '../../protocol/requests.ts';
import type { CatchUp, Head } from '../../protocol/resources.ts';
import { ParleyError } from '../errors.ts';
import type { Actor } from './model.ts';
import type { ChatReader } from './reader.ts';
import type { SharedChanges } from './shared-changes.ts';

type Held = z.output<typeof SyncBody>['conversations'][number];

/** Answers that are made at once, and that may wait: a crowd that comes back takes turns, and none of it is slow for all. */
const AT_ONCE = 64;
const MAX_WAITING = 20_000;
/**
 * Changes that are read at once for one answer, over all its conversations: little more is read than is told, however long
 * the messages are.
 */
const CHANGES_AT_ONCE = 400;

/**
 * Brings whoever was away up to date in one request: where each of their conversations stands, and what changed in those
 * that are ahead of what they hold (PROTOCOL.md §7.3).
 */
export class CatchUpReader {
  private readonly turns = pLimit(AT_ONCE);
  /** Of one account one answer is made after the other, so that nobody takes the turns of all. */
  private readonly turnsOf = new Map<string, { take: LimitFunction; waiting: number }>();
  /** Answers that were asked for and are not made yet. */
  private waiting = 0;

  constructor(
    private readonly reader: ChatReader,
    private readonly shared: SharedChanges,
  ) {}

  /** The answer as JSON. What would make it too long is left out, and asked for by itself. */
  async answer(actor: Actor, body: z.output<typeof SyncBody>): Promise<string> {
    if (this.waiting >= MAX_WAITING) throw new ParleyError('unavailable');
    const own = this.turnsOf.get(actor.userId) ?? { take: pLimit(1), waiting: 0 };
    this.turnsOf.set(actor.userId, own);
    own.waiting++;
    this.waiting++;
    try {
      return await own.take(() => this.turns(() => this.write(actor, body)));
    } finally {
      this.waiting--;
      if (--own.waiting === 0) this.turnsOf.delete(actor.userId);
    }
  }

  private async write(actor: Actor, { conversations: held, ...page }: z.output<typeof SyncBody>): Promise<string> {
    const { epoch, conversations: heads, next_cursor } = await this.reader.sync(actor, page);
    const heldOf = new Map(held.map((one) => [one.id, one]));
    const texts = heads.map((head) => JSON.stringify(head));
    const behind = heads.flatMap((head, index) => {
      const own = heldOf.get(head.id);
      return own && isBehind(own, head) ? [{ head, index, own }] : [];
    });
    let characters = 0;
    while (behind.length > 0 && characters < SYNC_CHARACTERS) {
      const some = behind.splice(0, countUpTo(CHANGES_AT_ONCE, behind));
      const changes = await Promise.all(some.map(({ head, own }) => this.changesOf(actor, head, own)));
      for (const [place, text] of changes.entries()) {
        if (text === undefined || characters >= SYNC_CHARACTERS) continue;
        const { index } = some[place]!;
        characters += text.length;
        texts[index] = `${texts[index]!.slice(0, -1)},"changes":${text}}`;
      }
    }
    const rest = JSON.stringify({ epoch, next_cursor } satisfies Omit<CatchUp, 'conversations'>);
    return `${rest.slice(0, -1)},"conversations":[${texts.join(',')}]}`;
  }

  private async changesOf(actor: Actor, head: Head, held: Held): Promise<string | undefined> {
    const shared = await this.shared.get(head, held);
    if (shared !== undefined) return shared;
    const query = { since: held.rev, marks_since: held.marks_rev, limit: SYNC_MESSAGES };
    try {
      return JSON.stringify(await this.reader.changes(actor, head.id, query));
    } catch (error) {
      // Removed in this moment: the client asks, and is told so.
      if (error instanceof ParleyError && error.code === 'conversation_not_found') return undefined;
      throw error;
    }
  }
}

/** How many of the first conversations have so many changes to tell together; one at the least. */
function countUpTo(changes: number, behind: { head: Head; own: Held }[]): number {
  let sum = 0;
  const beyond = behind.findIndex(({ head, own }) => {
    sum += Math.min(head.rev - own.rev, SYNC_MESSAGES);
    return sum > changes;
  });
  return beyond < 0 ? behind.length : Math.max(1, beyond);
}

/** One that is ahead of the log is told by its head that the log went back. */
function isBehind(held: Held, { rev, marks_rev }: Head): boolean {
  const marksHeld = held.marks_rev ?? marks_rev;
  return held.rev <= rev && marksHeld <= marks_rev && (held.rev < rev || marksHeld < marks_rev);
}
