import { strings } from '../strings.ts';
import { toasts } from './toasts.svelte.ts';

/** Copies a text, and says whether that went well. There is no clipboard without TLS, but on localhost; and the browser may refuse. */
export async function copy(text: string, done: string = strings.chat.copied): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toasts.say(done);
  } catch {
    toasts.say(strings.chat.notCopied, true);
  }
}
