import type { Api, MessagePage } from '../api.ts';
import { type BackoffOptions, retrying } from '../backoff.ts';
import type { Copy } from '../store/copy.ts';
import type { Store } from '../store/store.ts';
import type { Repairs } from './repairs.ts';
import { single } from './turns.ts';

export interface PagesOptions {
  api: Api;
  store: Store;
  repairs: Repairs;
  /** Makes a conversation known to the store. */
  learn(id: string): Promise<void>;
  backoff?: BackoffOptions;
}

/** A page of people is asked for this often: of a large group there are more than a server answers at once. */
const ATTEMPTS = 5;

/** What is loaded because somebody looks at it: pages of messages, and of people. */
export class Pages {
  private readonly opening = new Map<string, Promise<void>>();

  constructor(private readonly options: PagesOptions) {}

  /** Loads the newest messages of a conversation, if they are not loaded. */
  open(id: string): Promise<void> {
    return single(this.opening, id, () => this.openNow(id));
  }

  /** Loads older messages; returns whether there are more. */
  async loadOlder(id: string, limit = 50): Promise<boolean> {
    const { api, store } = this.options;
    await this.open(id);
    const copy = store.get(id);
    const oldest = copy?.window?.[0];
    if (!copy || !oldest || !copy.hasOlder) return false;
    const from = copy.olderCursor ? { cursor: copy.olderCursor } : { around: oldest.id };
    const page = await api.messages(id, { ...from, limit });
    // Whatever was loaded anew in the meantime does not go on where this page ends.
    const goesOn = store.get(id) === copy && copy.window?.[0]?.seq === oldest.seq;
    if (goesOn) this.put(copy, page);
    return copy.hasOlder;
  }

  /** Loads all participants of a conversation. */
  async loadParticipants(id: string): Promise<void> {
    const { api, store, backoff } = this.options;
    let cursor: string | undefined;
    do {
      const page = await retrying(() => api.participants(id, { cursor, limit: 500 }), { attempts: ATTEMPTS, backoff });
      store.get(id)?.putParticipants(page.participants, 0);
      cursor = page.next_cursor;
    } while (cursor !== undefined);
    store.get(id)?.sawAllParticipants();
    store.touch(id);
  }

  /** What was opened is not to be waited for any more. */
  forget(): void {
    this.opening.clear();
  }

  private async openNow(id: string): Promise<void> {
    const { api, store, learn } = this.options;
    const known = store.get(id);
    if (known) known.isWanted = true;
    if (known?.window) return;
    // Asked together: what came between the two answers is fetched as of any page.
    const asked = api.messages(id);
    asked.catch(() => {}); // told below, after what keeps it from being needed
    if (!known) await learn(id);
    const copy = store.get(id)!;
    copy.isWanted = true;
    const page = await asked;
    if (copy.window) return;
    if (store.get(id) !== copy) return this.openNow(id);
    this.put(copy, page);
  }

  /** Puts a page, and fetches what has changed since it was read. */
  private put(copy: Copy, page: MessagePage): void {
    const { rev } = copy;
    copy.putPage(page);
    copy.olderCursor = page.next_cursor;
    this.options.store.touch(copy.id);
    if (copy.rev < rev) this.options.repairs.miss(copy.id, rev);
  }
}
