/** Which new passwords guessers try first (ASVS 6.2.4, 6.2.11): the server refuses them, and clients say so while one is typed. */

import { normalPassword } from './text.ts';

/** `common`: it is among the commonest; `name`: it is made of what the person or the installation is called. */
export type PasswordWeakness = 'common' | 'name';

/** By what a password is judged. */
export interface PasswordContext {
  /** The commonest passwords, in lower case. */
  common: ReadonlySet<string>;
  /** All that the person is called: address, username, shown name. */
  names: readonly string[];
  /** The host of the installation's address; empty where it is not known. */
  host: string;
}

/** Beginnings and endings that people hang on a word: digits, signs, a year. */
const TRIMMINGS = /^[^\p{L}]{0,4}|[^\p{L}]{0,4}$/gu;
/** A shorter word is no reason to refuse what holds it. */
const MIN_WORD = 4;

/**
 * Why a password is among the first that are tried; undefined where it is not. A word counts with up to four digits or signs
 * around it. Nothing is asked of what a password is made of (6.2.5).
 */
export function passwordWeakness(
  password: string,
  { common, names, host }: PasswordContext,
): PasswordWeakness | undefined {
  const whole = fold(password);
  const word = whole.replaceAll(TRIMMINGS, '');
  const isOneOf = (words: ReadonlySet<string>) => words.has(whole) || (word.length >= MIN_WORD && words.has(word));
  if (isOneOf(common)) return 'common';
  const own = [...names.flatMap(wordsOf), ...host.split('.').map(fold), 'parley'];
  return isOneOf(new Set(own.filter(({ length }) => length >= MIN_WORD))) ? 'name' : undefined;
}

function fold(text: string): string {
  return normalPassword(text).toLowerCase();
}

/** A name, whole and in parts. */
function wordsOf(name: string): string[] {
  const whole = fold(name);
  const box = whole.split('@')[0]!;
  return [whole, box, ...whole.split(/[^\p{L}\p{N}]+/u)];
}
