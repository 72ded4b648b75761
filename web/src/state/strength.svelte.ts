import { PASSWORD_LENGTH } from '../../../protocol/limits.ts';
import type { PasswordWeakness } from '../../../protocol/password-weakness.ts';
import { characterCount, normalPassword } from '../../../protocol/text.ts';
import type { Question, Strength } from '../lib/password-strength.ts';
import { strings } from '../strings.ts';
import { installation } from './installation.svelte.ts';

/** Whether a new password is long enough, counted as the server counts. */
export function isLongEnough(password: string): boolean {
  return characterCount(normalPassword(password)) >= PASSWORD_LENGTH.min;
}

/** Why the server would refuse a new password, as far as that can be seen here; undefined where nothing is seen. */
export function newPasswordError(password: string, weakness: PasswordWeakness | undefined): string | undefined {
  if (password === '') return strings.auth.required;
  const isTooLong = characterCount(normalPassword(password)) > PASSWORD_LENGTH.max;
  if (isTooLong || !isLongEnough(password)) return strings.fields.password;
  return weakness && installation.refusesWeakPasswords ? strings.strength[weakness] : undefined;
}

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
