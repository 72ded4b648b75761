import { ParleyError } from '../sdk.ts';
import { strings } from '../strings.ts';
import { failureText } from './failure.ts';
import { parley } from './parley.ts';

const SHOWN_MS = 5000;

export interface Toast {
  id: number;
  text: string;
  isBad: boolean;
}

/** Short notes on what happened, that go by themselves. */
class Toasts {
  shown = $state.raw<Toast[]>([]);
  #next = 0;

  say(text: string, isBad = false): void {
    const toast = { id: this.#next++, text, isBad };
    this.shown = [...this.shown.slice(-2), toast];
    setTimeout(() => this.close(toast), SHOWN_MS);
  }

  close(toast: Toast): void {
    this.shown = this.shown.filter((one) => one !== toast);
  }

  /** To be called once: a note may name somebody, and goes with who was told. */
  watch(): void {
    parley.on('signed_out', () => {
      this.shown = [];
    });
  }

  /** Does something; where it fails, says so. Returns whether it went well. */
  async attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const failure = ParleyError.from(error);
      const { code } = failure;
      if (code !== 'aborted' && code !== 'signed_out') {
        this.say(code === 'network' || code === 'timeout' ? strings.common.offline : failureText(failure), true);
      }
      return false;
    }
  }
}

export const toasts = new Toasts();
