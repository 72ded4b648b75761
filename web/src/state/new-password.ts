import { PASSWORD_LENGTH } from '../../../protocol/limits.ts';
import type { PasswordWeakness } from '../../../protocol/password-weakness.ts';
import { strings } from '../strings.ts';
import { installation } from './installation.svelte.ts';

/** Why the server would not take a new password, as far as that can be seen here; undefined where it may. */
export function faultOfNewPassword(password: string, weakness: PasswordWeakness | undefined): string | undefined {
  const { length } = [...password];
  if (length === 0) return strings.auth.required;
  if (length < PASSWORD_LENGTH.min || length > PASSWORD_LENGTH.max) return strings.fields.password;
  return weakness && installation.refusesWeakPasswords ? strings.strength[weakness] : undefined;
}
