import { type Row, rowsOf } from '../lib/rows.ts';
import { ParleyError } from '../sdk.ts';
import { Live } from './live.ts';
import { parley } from './parley.ts';

/** Rows that are in the document at once, and by how many that moves. */
export const WINDOW = 140;
const STEP = 50;
/** Rows that fill a screen: at first only these are drawn, so that nobody waits for what is not to be seen. */
const SCREEN = 24;
/** Messages that are asked for at once. */
const PAGE = 100;
/** Unread messages up to which the first of them is looked for. */
const FAR = 500;

/**
 * The history of one conversation, of which a window is in the document: the newest messages while `isFollowing`, else those
 * from `#first` on. Rows stand in the flow of the page, so nothing is ever placed by a guess of its height.
 */
export class Timeline {
  isFollowing = $state(true);
  /** The first unread message when the person came, above which the line stands. */
  newFrom = $state<number | undefined>();
  /** Whether it is known where the unread begins, if anything was unread when the person came. */
  isLoaded = $state(false);
  isLoadingOlder = $state(false);
  olderFailed = $state(false);
  /** Why the messages could not be loaded. */
  error = $state.raw<ParleyError | undefined>();
  /** The message that was jumped to, for a moment. */
  highlighted = $state<string | undefined>();

  /** Whether the first screenful is drawn. */
  isDrawn = $state(false);
  #first = $state<string | undefined>();
  /** Rows above `#first` that are shown as soon as they are there: at the very top there is no room to scroll into later. */
  #lead = $state(0);
  readonly #messages: Live<readonly Row['message'][]>;
  #before: ReadonlyMap<string, Row> = new Map();

  constructor(readonly id: string) {
    this.#messages = new Live(parley.store.messages(id));
  }

  get messages() {
    return this.#messages.value;
  }

  readonly range = $derived.by(() => {
    const { length } = this.messages;
    const newest = Math.max(0, length - (this.isDrawn || this.newFrom !== undefined ? WINDOW : SCREEN));
    if (this.isFollowing || this.#first === undefined) return { start: newest, end: length };
    const at = this.messages.findIndex(({ key }) => key === this.#first);
    const start = at < 0 ? newest : Math.max(0, at - this.#lead);
    return { start, end: Math.min(length, start + WINDOW) };
  });

  readonly rows = $derived.by(() => {
    const rows = rowsOf(this.messages, this.range, this.newFrom, this.#before);
    this.#before = new Map(rows.map((row) => [row.key, row]));
    return rows;
  });

  get showsNewest(): boolean {
    return this.range.end === this.messages.length;
  }

  /** Loads what there is, and marks where the unread begins. */
  async load(): Promise<void> {
    this.error = undefined;
    try {
      await parley.conversations.open(this.id);
      const view = parley.store.conversation(this.id).get();
      if (view && view.unread_count > 0) {
        const firstNew = view.read_seq + 1;
        while (this.#oldestSeq() > firstNew && this.messages.length < FAR) {
          if (!(await parley.conversations.loadOlder(this.id, PAGE))) break;
        }
        this.newFrom ??= firstNew;
      }
      this.isLoaded = true;
    } catch (error) {
      this.error = ParleyError.from(error);
    }
  }

  /** The reader has left the end: the window stays where it is. */
  hold(): void {
    if (!this.isFollowing) return;
    this.#first = this.messages[this.range.start]?.key;
    this.isFollowing = false;
  }

  follow(): void {
    this.isFollowing = true;
    this.#first = undefined;
  }

  /** Shows older messages, loading them where they are not there. */
  async showOlder(): Promise<void> {
    const { start } = this.range;
    if (start > 0) {
      this.isFollowing = false;
      this.#first = this.messages[Math.max(0, start - STEP)]?.key;
      return;
    }
    if (this.isLoadingOlder || this.olderFailed) return;
    if (!parley.store.conversation(this.id).get()?.has_older) return;
    this.hold();
    this.isLoadingOlder = true;
    this.#lead = STEP;
    try {
      await parley.conversations.loadOlder(this.id, PAGE);
    } catch {
      this.olderFailed = true;
    } finally {
      if (!this.isFollowing) this.#first = this.messages[this.range.start]?.key;
      this.#lead = 0;
      this.isLoadingOlder = false;
    }
  }

  /** Shows newer messages, of those that are loaded. */
  showNewer(): void {
    const { start, end } = this.range;
    if (end >= this.messages.length) return;
    const next = Math.min(start + STEP, Math.max(0, this.messages.length - WINDOW));
    this.#first = this.messages[next]?.key;
  }

  /** Brings the window to a message, wherever it is; returns its key, or undefined where it is not to be found. */
  async reach(messageId: string): Promise<string | undefined> {
    const isThere = this.messages.some(({ id }) => id === messageId);
    if (!isThere && !(await parley.conversations.loadBackTo(this.id, messageId))) return undefined;
    const at = this.messages.findIndex(({ id }) => id === messageId);
    const { start, end } = this.range;
    if (at < start + 10 || at >= end - 10) {
      this.isFollowing = false;
      this.#first = this.messages[Math.max(0, at - WINDOW / 2)]?.key;
    } else this.hold();
    return this.messages[at]?.key;
  }

  #oldestSeq(): number {
    return this.messages.find(({ seq }) => seq > 0)?.seq ?? 0;
  }
}
