import { until } from '../lib/time.ts';
import { ParleyError } from '../sdk.ts';
import { strings } from '../strings.ts';

/** What went wrong, by the field that it is about; `form` for what is about none. */
export type FieldErrors = Partial<Record<string, string>>;

const FIELD_OF: Partial<Record<string, string>> = {
  email_taken: 'email',
  username_taken: 'username',
  phone_taken: 'phone_number',
};

/** A failure in the client's own words; in the server's where a code is newer than this client. */
export function failureText(failure: { code: string; message: string; retryAfterMs?: number }): string {
  const { code, message, retryAfterMs } = failure;
  if (code === 'rate_limited' && retryAfterMs !== undefined) return strings.common.again(until(retryAfterMs));
  return strings.failures[code] ?? message;
}

/** A failure, said beside the field that it is about; `places` says which one that is on a screen of its own. */
export function fieldErrors(error: unknown, places: Partial<Record<string, string>> = {}): FieldErrors {
  const failure = ParleyError.from(error);
  const field = places[failure.code] ?? FIELD_OF[failure.code];
  if (field) return { [field]: failureText(failure) };
  if (failure.code === 'password_too_weak' && failure.errors.length > 0) {
    // Why it is weak the server alone says: the account may have names that are not on this screen.
    return Object.fromEntries(failure.errors.map(({ path, message }) => [path, `${message}.`]));
  }
  if (failure.errors.length > 0) {
    return Object.fromEntries(failure.errors.map(({ path, message }) => [path, strings.fields[path] ?? message]));
  }
  return { form: failureText(failure) };
}

/** What stands beside the password of somebody who is signed in: the wrong account or password can only be the password. */
export function ownPasswordError(error: string | undefined): string | undefined {
  return error === strings.failures.invalid_credentials ? strings.security.wrongPassword : error;
}
