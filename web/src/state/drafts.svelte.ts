import { SvelteMap } from 'svelte/reactivity';
import { parley } from './parley.ts';

/** Where the drafts of each user are. */
const USERS = 'parley.drafts.';

/**
 * What was typed and not sent, by conversation. Kept on this device, shared by its tabs, gone with a log-out and when
 * somebody else signs in.
 */
class Drafts {
  readonly #texts = new SvelteMap<string, string>();
  #key = '';

  of(conversationId: string): string {
    return this.#texts.get(conversationId) ?? '';
  }

  put(conversationId: string, text: string): void {
    if (text.trim() === '') this.#texts.delete(conversationId);
    else this.#texts.set(conversationId, text);
    this.#save();
  }

  /** Reads what this user had typed; follows the other tabs from then on. What others left is not for this one. */
  load(userId: string): void {
    this.#key = USERS + userId;
    this.#wipeOthers();
    this.#read();
  }

  forget(userId: string): void {
    this.#texts.clear();
    this.#wipe(USERS + userId);
  }

  watch(): void {
    parley.on('signed_out', ({ reason }) => {
      // Whoever has a device that was signed out from another one is not to find what was half written there.
      if (reason === 'session_revoked') this.#wipe(this.#key);
      this.#leave();
    });
    window.addEventListener('storage', ({ key }) => {
      if (key !== null && key === this.#key) this.#read();
    });
  }

  /** They are kept for when the same person is back, unless they were forgotten, and are in no page meanwhile. */
  #leave(): void {
    this.#key = '';
    this.#texts.clear();
  }

  #wipe(key: string): void {
    try {
      localStorage.removeItem(key);
    } catch {
      // There was no storage to forget from.
    }
  }

  #wipeOthers(): void {
    try {
      const others = Object.keys(localStorage).filter((key) => key.startsWith(USERS) && key !== this.#key);
      for (const key of others) localStorage.removeItem(key);
    } catch {
      // There is no storage in which others could have left anything.
    }
  }

  #read(): void {
    let stored: Record<string, string> = {};
    try {
      stored = JSON.parse(localStorage.getItem(this.#key) ?? '{}');
    } catch {
      // Nothing that this client wrote.
    }
    this.#texts.clear();
    for (const [id, text] of Object.entries(stored)) this.#texts.set(id, text);
  }

  #save(): void {
    if (this.#key === '') return; // nobody is signed in any more
    try {
      localStorage.setItem(this.#key, JSON.stringify(Object.fromEntries(this.#texts)));
    } catch {
      // A full or forbidden storage: the draft lives as long as the tab.
    }
  }
}

export const drafts = new Drafts();
