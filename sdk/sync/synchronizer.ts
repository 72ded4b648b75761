import { MAX_SYNC_CONVERSATIONS } from '../../protocol/limits.ts';
import type { Api } from '../api.ts';
import { inParallel, retrying } from '../backoff.ts';
import { ParleyError } from '../errors.ts';
import type { CatchUp, CaughtUpHead, Entry, FrameOf, Head } from '../protocol.ts';
import type { Copy, News } from '../store/copy.ts';
import { type ChangeFrame, deltaOf } from './deltas.ts';
import { Pages } from './pages.ts';
import { Repairs, type RepairsOptions } from './repairs.ts';

export interface SynchronizerOptions extends RepairsOptions {
  /** Where the server says that the user's own marks stand. */
  onHead(head: Head, copy: Copy): void;
}

/** Unknown conversations from which on it pays to read the list instead of each. */
const MANY_UNKNOWN = 4;
/** Conversations that are opened at once. */
const AT_ONCE = 4;
/** Marks are less urgent than messages: what was missed of them is gathered for so long, in milliseconds. */
const MARKS_DELAY_MS = 2000;

const NEW_CONVERSATION: News = { fresh: [], updated: [], isReformed: true };

/**
 * Brings the store to where the log is after each connection, and keeps it there (PROTOCOL.md §8): a live change
 * that is the next one is applied, anything greater means that some were missed, which is repaired.
 */
export class Synchronizer {
  readonly pages: Pages;
  private readonly repairs: Repairs;
  private marksTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: SynchronizerOptions) {
    const { api, store, backoff } = options;
    this.repairs = new Repairs(options);
    const learn = async (id: string) => this.take(await api.conversation(id));
    this.pages = new Pages({ api, store, repairs: this.repairs, learn, backoff });
  }

  /** Brings everything up to date, as after `ready`; live frames may come meanwhile. */
  async run(epoch: string): Promise<void> {
    const { store, onHead } = this.options;
    const signal = this.repairs.begin();
    if (store.epoch !== undefined && store.epoch !== epoch) store.clear();
    this.repairs.isCurrent = store.epoch !== undefined;
    store.epoch = epoch;

    const copies = new Map(store.all().map((copy) => [copy.id, copy]));
    const before = new Map([...copies].map(([id, { rev }]) => [id, rev]));
    const heads = await this.readHeads([...copies.values()], epoch, signal);
    // A log that went back without saying so.
    if (heads.some(({ id, rev }) => rev < (before.get(id) ?? 0))) throw this.repairs.otherHistory();
    for (const { id, changes } of heads) {
      const copy = copies.get(id);
      if (copy && changes) this.repairs.bring(copy, changes);
    }
    await this.loadUnknown(heads, signal);
    for (const { id, rev, marks_rev } of heads) this.repairs.note(id, rev, marks_rev);
    const present = new Set(heads.map(({ id }) => id));
    // What is absent was left, or was joined again while the pages were read: it is asked for, and answers 404.
    const gone = [...before.keys()].filter((id) => !present.has(id));
    await Promise.all([...gone.map((id) => this.repairs.doubt(id)), ...heads.map(({ id }) => this.repairs.settle(id))]);

    for (const head of heads) {
      const copy = store.get(head.id);
      if (copy) onHead(head, copy);
    }
    const wanted = store.all().filter((copy) => copy.isWanted && !copy.window);
    await inParallel(wanted, AT_ONCE, ({ id }) => this.pages.open(id).catch((error) => this.repairs.report(error)));
    this.repairs.isCurrent = true;
    if (signal.aborted) throw new ParleyError('aborted');
  }

  /** Ends what is under way; the next run begins anew. */
  stop(): void {
    clearTimeout(this.marksTimer);
    this.marksTimer = undefined;
    this.repairs.stop();
    this.pages.forget();
  }

  /** A frame that tells one change. */
  change(frame: ChangeFrame): void {
    const { repairs } = this;
    const { conversation_id: id, rev } = frame;
    const copy = this.options.store.get(id);
    const isBusy = repairs.isRepairing(id);
    if (frame.event === 'participant.left' && this.isExpelled(frame)) {
      if (copy && frame.participants.length > 0 && rev > copy.rev) repairs.remove(id);
      else if (copy) void repairs.doubt(id);
    } else if (copy && rev <= copy.rev && !isBusy) return;
    else if (copy && rev === copy.rev + 1 && !isBusy) repairs.advance(copy, deltaOf(frame));
    else if (!copy && frame.event === 'conversation.created' && !isBusy) this.add(frame.entry);
    else repairs.miss(id, rev, deltaOf(frame));
  }

  /** Changes that the live stream could not give one by one. */
  changes({ event: _, conversation_id: id, since, ...changes }: FrameOf<'changes'>): void {
    const { repairs } = this;
    const { store } = this.options;
    const copy = store.get(id);
    if (changes.epoch !== store.epoch) repairs.otherHistory();
    else if (copy && !changes.reset && !repairs.isRepairing(id) && since <= copy.rev) {
      if (changes.rev > copy.rev) repairs.advance(copy, changes);
      if (changes.has_more) repairs.miss(id, changes.rev + 1);
    } else if (!copy || changes.rev > copy.rev) repairs.miss(id, changes.rev);
  }

  receipts({ conversation_id: id, marks_rev, since = marks_rev - 1, marks }: FrameOf<'receipts'>): void {
    const copy = this.options.store.get(id);
    // What is being loaded may be made of an older answer.
    if (!copy || this.repairs.isRepairing(id)) this.repairs.note(id, 0, marks_rev);
    if (!copy) return;
    for (const mark of marks) copy.mark(mark);
    if (marks_rev > copy.marksRev && since <= copy.marksRev) copy.marksRev = marks_rev;
    else if (marks_rev > copy.marksRev) {
      this.repairs.note(id, 0, marks_rev);
      this.marksTimer ??= setTimeout(() => {
        this.marksTimer = undefined;
        this.repairs.settleAll();
      }, MARKS_DELAY_MS);
    }
    this.options.store.touch(id);
  }

  /** Takes an entry that the server answered: the store knows the conversation from here on. */
  take(entry: Entry): void {
    const { id, rev } = entry.conversation;
    if (this.options.store.get(id)) this.repairs.miss(id, rev);
    else this.add(entry);
  }

  private add(entry: Entry): Copy {
    const copy = this.options.store.add(entry);
    this.options.onAdvance(copy, NEW_CONVERSATION);
    return copy;
  }

  private isExpelled({ participants }: FrameOf<'participant.left'>): boolean {
    const { me } = this.options.store;
    return participants.length === 0 || participants.some((one) => one.id === me.id && one.left);
  }

  /** Where everything stands, with most of what changed since the copies that are held. */
  private async readHeads(copies: Copy[], epoch: string, signal: AbortSignal): Promise<CaughtUpHead[]> {
    const heads: CaughtUpHead[] = [];
    const held = copies.map(({ id, rev, marksRev }) => ({ id, rev, marks_rev: marksRev }));
    held.sort((one, other) => (one.id < other.id ? -1 : 1)); // in which order pages come
    let cursor: string | undefined;
    do {
      const last = heads.at(-1)?.id ?? '';
      const conversations = held.filter(({ id }) => id > last).slice(0, MAX_SYNC_CONVERSATIONS);
      const page = await this.retry(signal, () => this.readPage({ conversations, cursor }, signal));
      if (signal.aborted) throw new ParleyError('aborted');
      if (page.epoch !== epoch) throw this.repairs.otherHistory();
      heads.push(...page.conversations);
      cursor = page.next_cursor;
    } while (cursor !== undefined);
    return heads;
  }

  private async readPage(body: Parameters<Api['catchUp']>[0], signal: AbortSignal): Promise<CatchUp> {
    const { api } = this.options;
    // An older server tells the heads alone; the changes are then asked for one by one.
    return api.catchUp(body, signal).catch((error) => {
      if (ParleyError.from(error).code !== 'method_not_allowed') throw error;
      return api.sync({ cursor: body.cursor, signal });
    });
  }

  /** Reads the list where many conversations are unknown. Those with news are left to be loaded with their messages. */
  private async loadUnknown(heads: Head[], signal: AbortSignal): Promise<void> {
    const { api, store } = this.options;
    const unknown = new Map(heads.filter(({ id }) => !store.get(id)).map((head) => [head.id, head]));
    if (unknown.size < MANY_UNKNOWN) return;
    let cursor: string | undefined;
    do {
      const page = await this.retry(signal, () => api.conversations({ cursor, signal }));
      for (const entry of page.conversations) {
        const head = unknown.get(entry.conversation.id);
        if (!head) continue;
        unknown.delete(head.id);
        const isNews = this.repairs.isCurrent && entry.unread_count > 0;
        // The marks of the entry were read after those of the head.
        if (!isNews && !store.get(head.id)) this.add(entry).marksRev = head.marks_rev;
      }
      cursor = page.next_cursor;
    } while (cursor !== undefined && unknown.size > 0);
  }

  private retry<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return retrying(work, { attempts: Number.POSITIVE_INFINITY, signal, backoff: this.options.backoff });
  }
}
