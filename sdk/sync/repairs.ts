import type { Api } from '../api.ts';
import { type BackoffOptions, backoff, sleep } from '../backoff.ts';
import { ParleyError } from '../errors.ts';
import type { Changes } from '../protocol.ts';
import { Copy, type Delta, type News } from '../store/copy.ts';
import type { Store } from '../store/store.ts';
import { single, Turns } from './turns.ts';

export interface RepairsOptions {
  api: Api;
  store: Store;
  /** Called after a copy moved on, or is there for the first time, with what is new in it. */
  onAdvance(copy: Copy, news: News): void;
  onRemoved(id: string): void;
  /** The server tells another history: all copies are to be dropped, and everything synchronized anew. */
  onOtherHistory(): void;
  onError(error: ParleyError): void;
  backoff?: BackoffOptions;
}

/** Conversations that are fetched at once. */
const AT_ONCE = 4;
/** Live changes of a conversation that wait while it is repaired; beyond it they are fetched again. */
const MAX_WAITING = 1000;
/** Answers in a row that do not bring what was heard of, after which a copy is loaded anew. */
const MAX_FRUITLESS = 5;

/** How far a conversation has come, as far as this client heard. */
interface Heard {
  rev: number;
  marksRev: number;
  /** Live changes that came out of their turn. */
  waiting: Delta[];
  /** Whether the client has reason to ask if it still is in the conversation. */
  isDoubtful: boolean;
  /** Whether an answer said that there is more behind it. */
  hasMore: boolean;
}

/**
 * Brings copies to where they were heard to be (PROTOCOL.md §7.3): fetches what changed since their `rev`, once for each
 * conversation at a time, until nothing is missing. Live changes that come meanwhile wait, and are applied after.
 */
export class Repairs {
  /** Whether messages of a conversation that was unknown are news: not at the first synchronization of all. */
  isCurrent = false;
  private readonly heard = new Map<string, Heard>();
  private readonly running = new Map<string, Promise<void>>();
  private readonly turns = new Turns(AT_ONCE);
  private controller = new AbortController();

  constructor(private readonly options: RepairsOptions) {}

  /** Ends what is under way, and begins anew; the signal tells when this in turn is over. */
  begin(): AbortSignal {
    this.stop();
    this.controller = new AbortController();
    return this.controller.signal;
  }

  stop(): void {
    this.controller.abort();
    this.heard.clear();
    this.running.clear();
  }

  isRepairing(id: string): boolean {
    return this.running.has(id);
  }

  /** A change that is the next one. */
  advance(copy: Copy, delta: Delta): void {
    copy.apply(delta);
    this.tell(copy);
    if (copy.countIsUnknown) void this.doubt(copy.id);
  }

  remove(id: string): void {
    this.heard.delete(id);
    if (this.options.store.remove(id)) this.options.onRemoved(id);
  }

  /** A conversation was heard to be at `rev`; `settle` brings it there. */
  note(id: string, rev: number, marksRev = 0): void {
    const heard = this.hear(id);
    heard.rev = Math.max(heard.rev, rev);
    heard.marksRev = Math.max(heard.marksRev, marksRev);
  }

  /** Applies changes that were told unasked; what they do not bring is fetched like anything else that is missing. */
  bring(copy: Copy, changes: Changes): void {
    if (changes.reset || this.options.store.get(copy.id) !== copy || this.isRepairing(copy.id)) return;
    this.apply(copy, changes);
    if (copy.countIsUnknown) this.hear(copy.id).isDoubtful = true;
  }

  /** Something is missing before `rev`. */
  miss(id: string, rev: number, delta?: Delta): void {
    this.note(id, rev);
    const { waiting } = this.hear(id);
    if (delta && waiting.length < MAX_WAITING) waiting.push(delta);
    void this.settle(id);
  }

  /** Asks whether the user still is in a conversation, and how many others. */
  doubt(id: string): Promise<void> {
    this.hear(id).isDoubtful = true;
    return this.settle(id);
  }

  /** Settles whatever was noted. */
  settleAll(): void {
    for (const id of [...this.heard.keys()]) void this.settle(id);
  }

  /** Brings one conversation to where it was heard to be. Resolves also where that failed: then it was reported. */
  settle(id: string): Promise<void> {
    if (!this.running.has(id) && !this.isBehind(id)) {
      this.heard.delete(id);
      return Promise.resolve();
    }
    const { signal } = this.controller;
    const work = () => this.turns.take(() => this.repair(id, signal)).catch((error) => this.report(error));
    const done = single(this.running, id, work);
    // What came in the moment in which a repair ended is for the next.
    return done.then(() => (signal.aborted || !this.isBehind(id) ? undefined : this.settle(id)));
  }

  /** Nothing that is under way means anything any more; returns the error that ends it. */
  otherHistory(): ParleyError {
    this.stop();
    this.options.onOtherHistory();
    return new ParleyError('aborted');
  }

  report(error: unknown): void {
    const failure = ParleyError.from(error);
    if (failure.code !== 'aborted') this.options.onError(failure);
  }

  private hear(id: string): Heard {
    const heard = this.heard.get(id) ?? { rev: 0, marksRev: 0, waiting: [], isDoubtful: false, hasMore: false };
    this.heard.set(id, heard);
    return heard;
  }

  private isBehind(id: string): boolean {
    const copy = this.options.store.get(id);
    const heard = this.heard.get(id);
    if (!heard) return false;
    return !copy || heard.isDoubtful || heard.hasMore || heard.rev > copy.rev || heard.marksRev > copy.marksRev;
  }

  private async repair(id: string, signal: AbortSignal): Promise<void> {
    let failures = 0;
    let fruitless = 0;
    while (!signal.aborted && this.isBehind(id)) {
      try {
        const moved = await this.step(id, fruitless >= MAX_FRUITLESS, signal);
        failures = 0;
        fruitless = moved ? 0 : fruitless + 1;
        if (fruitless > 1) await sleep(backoff(fruitless), signal);
      } catch (error) {
        if (signal.aborted) return;
        const failure = ParleyError.from(error);
        if (failure.status === 404) this.leave(id);
        else if (failure.code === 'resync_required') throw this.otherHistory();
        else if (failure.retryable) await this.pause(failure, failures++, signal);
        else {
          this.heard.delete(id);
          this.report(failure);
        }
      }
    }
    if (!signal.aborted) this.heard.delete(id);
  }

  /** One request of a repair, and what follows from it; returns whether the copy moved on. */
  private async step(id: string, anew: boolean, signal: AbortSignal): Promise<boolean> {
    const { api, store } = this.options;
    const copy = store.get(id);
    if (!copy || anew) return this.load(id, signal);
    const heard = this.hear(id);
    const { rev, marksRev } = copy;
    const wasDoubtful = heard.isDoubtful;
    heard.isDoubtful = false; // a new doubt that comes meanwhile is not answered by this
    try {
      const changes = await api.changes(id, { since: rev, marks_since: marksRev, signal });
      // Whatever was dropped or loaded anew in the meantime is not what this answers.
      if (signal.aborted || store.get(id) !== copy) return true;
      if (changes.epoch !== store.epoch) throw new ParleyError('resync_required');
      if (changes.reset) return await this.load(id, signal);
      this.apply(copy, changes);
      if (copy.countIsUnknown && !changes.has_more) copy.refresh(await api.conversation(id, signal));
    } catch (error) {
      heard.isDoubtful ||= wasDoubtful;
      throw error;
    }
    return wasDoubtful || copy.rev > rev || copy.marksRev > marksRev;
  }

  private apply(copy: Copy, changes: Changes): void {
    copy.apply(changes);
    this.hear(copy.id).hasMore = changes.has_more;
    if (changes.has_more) {
      // What is new is told when nothing is missing in between.
      this.options.store.touch(copy.id);
      return;
    }
    this.applyWaiting(copy);
    this.tell(copy);
  }

  /** Live changes that came meanwhile. */
  private applyWaiting(copy: Copy): void {
    const { waiting } = this.hear(copy.id);
    waiting.sort((one, other) => one.rev - other.rev);
    while (waiting[0] && waiting[0].rev <= copy.rev + 1) {
      const delta = waiting.shift()!;
      if (delta.rev > copy.rev) copy.apply(delta);
    }
  }

  private tell(copy: Copy): void {
    if (!this.options.store.isWatched(copy.id)) copy.trim();
    this.options.store.touch(copy.id);
    this.options.onAdvance(copy, copy.takeNews());
  }

  /** Loads a conversation that is not known, or whose copy is too old to be mended. */
  private async load(id: string, signal: AbortSignal): Promise<true> {
    const { api, store, onAdvance } = this.options;
    const { marksRev } = this.hear(id);
    const entry = await api.conversation(id, signal);
    const before = store.get(id);
    const copy = new Copy(store.me.id, entry);
    // The marks of the entry were read after these were heard of.
    copy.marksRev = marksRev;
    const isNews = this.isCurrent && entry.unread_count > 0;
    const page = isNews || before?.window || before?.isWanted ? await api.messages(id, { signal }) : undefined;
    if (signal.aborted) return true;
    if (page) {
      this.note(id, Math.max(copy.rev, page.rev));
      copy.putPage(page);
      copy.olderCursor = page.next_cursor;
    }
    const { read_seq } = copy.markOf(store.me.id);
    const unread = isNews ? (page?.messages.filter((message) => message.seq > read_seq) ?? []) : [];
    const told = before ? copy.continueFrom(before) : unread;
    this.hear(id).hasMore = false;
    this.applyWaiting(copy);
    store.put(copy);
    const news = copy.takeNews();
    onAdvance(copy, { ...news, fresh: [...told, ...news.fresh], isReformed: true });
    return true;
  }

  /** It answered that there is no such conversation for this user; who was let in again meanwhile loads it anew. */
  private leave(id: string): void {
    const { me } = this.options.store;
    const isMine = ({ participants = [] }: Delta) => participants.some((one) => one.id === me.id && !one.left);
    const joined = this.hear(id).waiting.filter(isMine).at(-1);
    this.remove(id);
    if (joined) this.note(id, joined.rev);
  }

  private pause(failure: ParleyError, attempt: number, signal: AbortSignal): Promise<void> {
    const wait = Math.max(failure.retryAfterMs ?? 0, backoff(attempt, this.options.backoff));
    return sleep(wait, signal).catch(() => {});
  }
}
