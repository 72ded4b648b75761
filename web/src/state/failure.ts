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
export function failureText({ code, message }: { code: string; message: string }): string {
  return strings.failures[code] ?? message;
}

/** A failure, said beside the field that it is about. */
export function fieldErrors(error: unknown): FieldErrors {
  const failure = ParleyError.from(error);
  const field = FIELD_OF[failure.code];
  if (field) return { [field]: failureText(failure) };
  if (failure.errors.length > 0) {
    return Object.fromEntries(failure.errors.map(({ path, message }) => [path, strings.fields[path] ?? message]));
  }
  return { form: failureText(failure) };
}
