import type { z } from 'zod';
import { SYNC_BYTES, SYNC_MESSAGES } from '../../../protocol/limits.ts';
import type { SyncBody } from '../../../protocol/requests.ts';
import type { CatchUp, Head } from '../../../protocol/resources.ts';
import type { Actor } from '../../shared/actor.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { ChangesReader } from './changes-reader.ts';
import type { ChatReader } from './reader.ts';
import { isTooMuch, type SharedChanges, syncQuery } from './shared-changes.ts';

type Held = z.output<typeof SyncBody>['conversations'][number];

/**
 * Changes that are read at once for one answer, over all its conversations: little more is read than is told, however long
 * the messages are.
 */
const CHANGES_AT_ONCE = 100;

/**
 * Brings whoever was away up to date in one request: where each of their conversations stands, and what changed in those
 * that are ahead of what they hold (PROTOCOL.md §7.3).
 */
export class CatchUpReader {
  constructor(
    private readonly reader: ChatReader,
    private readonly changes: ChangesReader,
    private readonly shared: SharedChanges,
  ) {}

  /** The answer as JSON. What would make it too long is left out, and asked for by itself. */
  async answer(actor: Actor, { conversations: held, ...page }: z.output<typeof SyncBody>): Promise<string> {
    const { epoch, conversations: heads, next_cursor } = await this.reader.sync(actor, page);
    const heldOf = new Map(held.map((one) => [one.id, one]));
    const texts = heads.map((head) => JSON.stringify(head));
    const behind = heads.flatMap((head, index) => {
      const own = heldOf.get(head.id);
      return own && isBehind(own, head) ? [{ head, index, own }] : [];
    });
    let bytes = 0;
    while (behind.length > 0 && bytes < SYNC_BYTES) {
      const some = behind.splice(0, countUpTo(CHANGES_AT_ONCE, behind));
      const changes = await Promise.all(some.map(({ head, own }) => this.changesOf(actor, head, own)));
      for (const [place, text] of changes.entries()) {
        if (text === undefined || bytes >= SYNC_BYTES) continue;
        const { index } = some[place]!;
        bytes += Buffer.byteLength(text);
        texts[index] = `${texts[index]!.slice(0, -1)},"changes":${text}}`;
      }
    }
    const rest = JSON.stringify({ epoch, next_cursor } satisfies Omit<CatchUp, 'conversations'>);
    return `${rest.slice(0, -1)},"conversations":[${texts.join(',')}]}`;
  }

  private async changesOf(actor: Actor, head: Head, held: Held): Promise<string | undefined> {
    const shared = await this.shared.get(head, held);
    if (shared !== undefined) return shared;
    try {
      const query = syncQuery(held);
      const changes = await this.changes.changes(actor, head.id, query);
      return isTooMuch(changes, head.rev, query) ? undefined : JSON.stringify(changes);
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
