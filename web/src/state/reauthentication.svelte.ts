import { ParleyError } from '../sdk.ts';
import { parley } from './parley.ts';

/** What is shown once more. */
export type Shown = { password: string } | { code: string };

/**
 * Asks whoever uses the session to show that they are its owner, where the server wants that for what they are about to do, and
 * then goes on with it.
 */
class Reauthentication {
  /** Whether the question is open. */
  isAsked = $state(false);
  #answered: PromiseWithResolvers<void> | undefined;

  /** Does what may need it. Rejects with `aborted` where the person would not show it: then nothing was done. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (ParleyError.from(error).code !== 'reauthentication_required') throw error;
      await this.#ask();
      return work();
    }
  }

  /** Shows it. Rejects where it is wrong, and the question stays. */
  async show(shown: Shown): Promise<void> {
    await parley.account.reauthenticate(shown);
    this.isAsked = false;
    this.#answered?.resolve();
  }

  cancel(): void {
    this.isAsked = false;
    this.#answered?.reject(new ParleyError('aborted'));
  }

  watch(): void {
    parley.on('signed_out', () => this.cancel());
  }

  /** One question, however many wait for its answer. */
  #ask(): Promise<void> {
    if (!this.isAsked) {
      this.#answered = Promise.withResolvers();
      this.isAsked = true;
    }
    return this.#answered!.promise;
  }
}

export const reauthentication = new Reauthentication();
