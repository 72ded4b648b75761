import { normalPassword } from '../../protocol/text.ts';
import type { Config } from '../config/config.ts';
import { ParleyError } from '../shared/errors.ts';
import type { BreachedPasswords } from './breached-passwords.ts';

/** Whose password it is to be, by all that they are called. */
export interface Names {
  email?: string | null;
  username?: string | null;
  display_name?: string | null;
}

/** Which field of the request holds the password. */
export type PasswordField = 'password' | 'new_password';

/** Beginnings and endings that people hang on a word: digits, signs, a year. */
const TRIMMINGS = /^[^\p{L}]{0,4}|[^\p{L}]{0,4}$/gu;
/** A shorter word is no reason to refuse what holds it. */
const MIN_WORD = 4;

/**
 * Refuses new passwords that guessers try first (ASVS 6.2.4, 6.2.11): the commonest, what the person is called, what the
 * installation is called, and each of these with a few digits or signs around it. Nothing is asked of what a password is made of
 * (6.2.5). With `warn` it is for the client to say that one is weak. What is known from breaches is refused in any case, where
 * the installation has a list (6.2.12).
 */
export class PasswordStrength {
  private common: Promise<ReadonlySet<string>> | undefined;

  constructor(
    private readonly config: Pick<Config['auth'], 'password_strength'>,
    /** What the installation is called. */
    private readonly host: string,
    private readonly breached?: Pick<BreachedPasswords, 'has'>,
  ) {}

  /** Fails with `password_too_weak`; with `unavailable` where the list of breaches cannot be read. */
  async require(password: string, names: Names, field: PasswordField): Promise<void> {
    const isJudged = this.config.password_strength === 'refuse';
    let reason = isJudged ? await this.weaknessOf(password, names) : undefined;
    if (reason === undefined && (await this.breached?.has(password))) {
      reason = 'This password is known from a breach elsewhere: choose another';
    }
    if (reason !== undefined) throw tooWeak(field, reason);
  }

  private async weaknessOf(password: string, names: Names): Promise<string | undefined> {
    const whole = fold(password);
    const word = whole.replaceAll(TRIMMINGS, '');
    const common = await this.commonPasswords();
    if (common.has(whole) || common.has(word)) return 'This is one of the passwords that are tried first';
    const own = [...wordsOf(names), ...this.host.split('.').map(fold), 'parley'].filter(
      (one) => one.length >= MIN_WORD,
    );
    if (own.some((one) => whole === one || word === one)) return 'This is made of a name that others know';
    return undefined;
  }

  /** Loaded with the first new password: most nodes never need the list, and an idle one keeps it from nothing. */
  private commonPasswords(): Promise<ReadonlySet<string>> {
    this.common ??= import('@zxcvbn-ts/language-common').then(
      ({ dictionary }) => new Set((dictionary['passwords-common'] as string[]).filter((one) => one.length >= MIN_WORD)),
    );
    return this.common;
  }
}

/** Why a password that somebody else made is not to be kept (ASVS 6.4.1). */
export const IS_GIVEN = 'This is the password that you were given: choose one that nobody else knows';

/** A new password that is not taken, and why. */
export function tooWeak(field: PasswordField, reason: string): ParleyError {
  return new ParleyError('password_too_weak', reason, { errors: [{ path: field, message: reason }] });
}

function fold(text: string): string {
  return normalPassword(text).toLowerCase();
}

/** All that somebody is called, whole and in parts. */
function wordsOf({ email, username, display_name }: Names): string[] {
  const whole = [email, email?.split('@')[0], username, display_name].filter((one) => !!one).map((one) => fold(one!));
  return [...whole, ...whole.flatMap((one) => one.split(/[^\p{L}\p{N}]+/u))];
}
