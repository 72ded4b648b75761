import { MAX_CHANGES_BEHIND, SYNC_CONVERSATION_BYTES, SYNC_MESSAGES } from '../../../protocol/limits.ts';
import type { Changes, Head } from '../../../protocol/resources.ts';
import type { Bus } from '../../bus/bus.ts';
import type { ChangesQuery } from './changes-reader.ts';

/** For how long an answer is surely kept for others, in milliseconds, and how many characters of them at most. */
const KEPT_MS = 5000;
const KEPT_CHARACTERS = 32 * 1024 * 1024;

export interface SharedChangesOptions {
  bus: Bus;
  /** What changed in a conversation, for all who are in it; undefined where there is none. */
  changesForAll(conversationId: string, query: ChangesQuery): Promise<Changes | undefined>;
}

/** JSON by what was asked for; undefined where it is not the same for all, or not what was asked for. */
type Texts = Map<string, Promise<string | undefined>>;

/**
 * What changed in a conversation between what a client holds and where it stands is the same for each of its members: when
 * many come back at once it is read once, and written as JSON once. Kept for a moment only, and within a bound.
 *
 * Whoever asks must be in the conversation while it stands at `head.rev`. Nothing later is in the answer: joining and
 * leaving take a `rev` each, so that what may be seen at this one may be seen by all who are in it.
 */
export class SharedChanges {
  /** Two generations: the older one is dropped whole, so that forgetting costs nothing for each answer. */
  private texts: Texts = new Map();
  private olderTexts: Texts = new Map();
  private characters = 0;
  private timer: Timer | undefined;

  constructor(private readonly options: SharedChangesOptions) {
    // A name is in many answers, and in no `rev`.
    options.bus.subscribe('accounts', (news) => {
      if (news.kind === 'user_changed') this.forget();
    });
  }

  /** The changes that lead from `held` to `head`, as JSON; undefined where the caller has to be answered alone. */
  get({ id, rev, marks_rev }: Head, held: { rev: number; marks_rev?: number }): Promise<string | undefined> {
    const key = `${id} ${held.rev} ${held.marks_rev ?? ''} ${rev} ${marks_rev}`;
    const known = this.texts.get(key) ?? this.olderTexts.get(key);
    if (known) return known;
    const { texts } = this;
    const text = this.read(id, rev, syncQuery(held));
    texts.set(key, text);
    this.timer ??= setTimeout(() => this.age(), KEPT_MS).unref();
    text.then(
      (written) => this.weigh(texts, key.length + (written?.length ?? 0)),
      () => texts.delete(key),
    );
    return text;
  }

  private async read(id: string, rev: number, query: ChangesQuery): Promise<string | undefined> {
    const changes = await this.options.changesForAll(id, query);
    if (!changes || isTooMuch(changes, rev, query)) return undefined;
    // What came in between is not for whoever was removed by it.
    const isWhole = changes.rev === rev && !changes.has_more;
    return isWhole && isSameForAll(changes) ? JSON.stringify(changes) : undefined;
  }

  private weigh(texts: Texts, characters: number): void {
    if (texts !== this.texts) return;
    this.characters += characters;
    if (this.characters > KEPT_CHARACTERS / 2) this.age();
  }

  private age(): void {
    clearTimeout(this.timer);
    this.olderTexts = this.texts;
    this.texts = new Map();
    this.characters = 0;
    this.timer = this.olderTexts.size > 0 ? setTimeout(() => this.age(), KEPT_MS).unref() : undefined;
  }

  /** Forgets all answers: the log may have gone back. */
  forget(): void {
    this.texts = new Map();
    this.olderTexts = new Map();
    this.characters = 0;
  }
}

/** What a `sync` tells of one conversation to somebody who holds so much of it. */
export function syncQuery(held: { rev: number; marks_rev?: number }): ChangesQuery {
  return {
    since: held.rev,
    marks_since: held.marks_rev,
    limit: SYNC_MESSAGES,
    bytes: SYNC_CONVERSATION_BYTES,
  };
}

/**
 * Whether one change alone has no room in a `sync`, though not much was missed: asked for by itself it may be told, rather
 * than the conversation loaded anew.
 */
export function isTooMuch({ reset }: Changes, headRev: number, { since }: { since: number }): boolean {
  return reset === true && headRev - since <= MAX_CHANGES_BEHIND;
}

/** Whether everybody finds themselves among the users that are named with each reaction, or is surely not there. */
function isSameForAll({ messages }: Changes): boolean {
  return messages.every(({ reactions = [] }) => reactions.every(({ count, user_ids }) => count === user_ids.length));
}
