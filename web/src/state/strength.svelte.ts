import type { Question, Strength } from '../lib/password-strength.ts';
import { installation } from './installation.svelte.ts';

/**
 * The strength of a password while it is typed. What judges it is loaded when somebody comes to the field and not before: its
 * word lists are larger than the rest of the client. Where it cannot be loaded there is none, and the server alone judges.
 */
export class StrengthMeter {
  #judged = $state.raw<{ password: string; strength: Strength } | undefined>();
  #worker: Worker | undefined;
  /** What the worker is at, and what came meanwhile. */
  #asked: Question | undefined;
  #next: Question | undefined;

  /** Of what was judged last: while more is typed, of what stood there a moment ago. */
  get latest(): Strength | undefined {
    return this.#judged?.strength;
  }

  /** Of this very password; undefined where it is not judged. */
  of(password: string): Strength | undefined {
    return this.#judged?.password === password ? this.#judged.strength : undefined;
  }

  /** Makes it ready. */
  open(): void {
    void installation.ask();
    if (this.#worker) return;
    const worker = new Worker(new URL('../lib/strength-worker.ts', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<Strength>) => this.#answered(data));
    worker.addEventListener('error', () => this.close());
    this.#worker = worker;
  }

  /** Judges a password of somebody who is called so. */
  judge(password: string, names: string[]): void {
    this.#next = { password, names: [...names], host: installation.host };
    this.#ask();
  }

  /** Gives back its thread, and the memory of that. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#asked = undefined;
    this.#next = undefined;
    this.#judged = undefined;
  }

  #ask(): void {
    if (this.#asked || !this.#next || !this.#worker) return;
    this.#asked = this.#next;
    this.#next = undefined;
    this.#worker.postMessage(this.#asked);
  }

  #answered(strength: Strength): void {
    this.#judged = { password: this.#asked!.password, strength };
    this.#asked = undefined;
    this.#ask();
  }
}
