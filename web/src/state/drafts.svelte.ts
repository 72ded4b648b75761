import { SvelteMap } from 'svelte/reactivity';

/** What was typed and not sent, by conversation. Kept on this device, shared by its tabs, gone with a log-out. */
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

  /** Reads what this user had typed; follows the other tabs from then on. */
  load(userId: string): void {
    this.#key = `parley.drafts.${userId}`;
    this.#read();
  }

  forget(userId: string): void {
    this.#texts.clear();
    try {
      localStorage.removeItem(`parley.drafts.${userId}`);
    } catch {
      // There was no storage to forget from.
    }
  }

  watch(): void {
    window.addEventListener('storage', ({ key }) => {
      if (key !== null && key === this.#key) this.#read();
    });
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
    try {
      localStorage.setItem(this.#key, JSON.stringify(Object.fromEntries(this.#texts)));
    } catch {
      // A full or forbidden storage: the draft lives as long as the tab.
    }
  }
}

export const drafts = new Drafts();
