import pLimit from 'p-limit';
import type { z } from 'zod';
import { SYNC_MESSAGES } from '../../protocol/limits.ts';
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
/** Conversations of one answer whose changes are looked for at once, and after how much of them it is long enough. */
const CONVERSATIONS_AT_ONCE = 20;
const ENOUGH_CHARACTERS = 512 * 1024;

/**
 * Brings whoever was away up to date in one request: where each of their conversations stands, and what changed in those
 * that are ahead of what they hold (contract §5.4).
 */
export class CatchUpReader {
  private readonly turns = pLimit(AT_ONCE);

  constructor(
    private readonly reader: ChatReader,
    private readonly shared: SharedChanges,
  ) {}

  /** The answer as JSON. What would make it too long is left out, and asked for by itself. */
  async answer(actor: Actor, body: z.output<typeof SyncBody>): Promise<string> {
    if (this.turns.pendingCount >= MAX_WAITING) throw new ParleyError('unavailable');
    return this.turns(() => this.write(actor, body));
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
    for (let from = 0; from < behind.length && characters < ENOUGH_CHARACTERS; from += CONVERSATIONS_AT_ONCE) {
      const some = behind.slice(from, from + CONVERSATIONS_AT_ONCE);
      const changes = await Promise.all(some.map(({ head, own }) => this.changesOf(actor, head, own)));
      for (const [place, text] of changes.entries()) {
        if (text === undefined || characters >= ENOUGH_CHARACTERS) continue;
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

/** One that is ahead of the log is told by its head that the log went back. */
function isBehind(held: Held, { rev, marks_rev }: Head): boolean {
  const marksHeld = held.marks_rev ?? marks_rev;
  return held.rev <= rev && marksHeld <= marks_rev && (held.rev < rev || marksHeld < marks_rev);
}
