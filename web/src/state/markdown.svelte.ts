import { mayBeMarkdown } from '../lib/message-text.ts';

type ToHtml = typeof import('../lib/markdown.ts').toHtml;

/** Messages as HTML. What makes it of Markdown is loaded when the first message needs it: most have none. */
class Markdown {
  #toHtml = $state.raw<ToHtml | undefined>();
  #loading = $state(false);

  /** Whether a message has to wait for what shows it; only for a moment. */
  isAwaitedBy(content: string): boolean {
    return this.#loading && mayBeMarkdown(content);
  }

  /** The message as HTML; undefined where it is plain text, and until it can be said. */
  html(content: string): string | undefined {
    if (!mayBeMarkdown(content)) return undefined;
    if (!this.#toHtml) queueMicrotask(() => this.#load());
    return this.#toHtml?.(content);
  }

  async #load(): Promise<void> {
    if (this.#loading || this.#toHtml) return;
    this.#loading = true;
    try {
      this.#toHtml = (await import('../lib/markdown.ts')).toHtml;
    } catch {
      // Without a network, in a browser that has kept nothing: shown as it was typed. The next message tries again.
    } finally {
      this.#loading = false;
    }
  }
}

export const markdown = new Markdown();
