import { type PasswordWeakness, passwordWeakness } from '../../protocol/password-weakness.ts';
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

const REASONS: Record<PasswordWeakness, string> = {
  common: 'This is one of the passwords that are tried first',
  name: 'This is made of a name that others know',
};

/**
 * Refuses new passwords that guessers try first (ASVS 6.2.4, 6.2.11). With `warn` it is for the client to say that one is weak.
 * What is known from breaches is refused in any case, where the installation has a list (6.2.12).
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
    const weakness = isJudged ? await this.weaknessOf(password, names) : undefined;
    let message = weakness && REASONS[weakness];
    if (message === undefined && (await this.breached?.has(password))) {
      message = 'This password is known from a breach elsewhere: choose another';
    }
    if (message !== undefined) throw tooWeak(field, message);
  }

  private async weaknessOf(password: string, { email, username, display_name }: Names) {
    const common = await this.commonPasswords();
    const names = [email, username, display_name].filter((name) => typeof name === 'string');
    return passwordWeakness(password, { common, names, host: this.host });
  }

  /** Loaded with the first new password: most nodes never need the list, and an idle one keeps it from nothing. */
  private commonPasswords(): Promise<ReadonlySet<string>> {
    this.common ??= import('@zxcvbn-ts/language-common').then(
      ({ dictionary }) => new Set(dictionary['passwords-common'] as string[]),
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
