import type { Config } from '../config/config.ts';
import type { Restriction } from '../shared/restriction.ts';
import type { Account } from '../users/model.ts';

export type RestrictionConfig = Pick<Config['auth'], 'require_verified_email' | 'require_mfa'>;

/** What an account has to do before anything else, the most urgent first; undefined where there is nothing. */
export function restrictionOf(account: Account, config: RestrictionConfig): Restriction | undefined {
  if (account.must_change_password === 1) return 'password';
  if (config.require_verified_email && !hasProvenEmail(account)) return 'email';
  if (account.has_factor === 0 && mustHaveFactor(account, config)) return 'factor';
  return undefined;
}

/** Whether the account's address is known to be its owner's. */
export function hasProvenEmail({ email, email_proven }: Account): boolean {
  return email !== null && email_proven === 1;
}

/** Whether `REQUIRE_MFA` asks for a second factor of an account. */
export function mustHaveFactor({ role }: Account, { require_mfa }: RestrictionConfig): boolean {
  return require_mfa === 'all' || (require_mfa === 'admins' && role === 'admin');
}
