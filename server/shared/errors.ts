import type { z } from 'zod';
import { ERRORS, type ErrorCode, type FieldError, type MfaMethod } from '../../protocol/errors.ts';
import { MAX_NAMED_ERRORS } from '../../protocol/limits.ts';

export interface ErrorDetails {
  /** The fields that were wrong. */
  errors?: FieldError[];
  /** After how long a retry makes sense, in milliseconds (`rate_limited`). */
  retryAfterMs?: number;
  /** `RateLimit-*` of the limit that was hit. */
  limit?: { points: number; remaining: number };
  /** What opens the session that waits for a second factor (`mfa_required`). */
  mfa?: { ticket: string; methods: MfaMethod[]; expires_in: number };
  /** What went wrong inside: logged, never sent. */
  cause?: unknown;
}

/** A failure that the client is told of, by its code. Whatever else is thrown becomes `internal`. */
export class ParleyError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string = ERRORS[code].message, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.name = 'ParleyError';
    this.code = code;
    this.details = details;
  }

  get status() {
    return ERRORS[this.code].status;
  }

  get retryable() {
    return ERRORS[this.code].retryable;
  }
}

/** Why the server cannot start as the machine stands, though its settings are right; `message` says what to do. */
export class StartRefused extends Error {}

/** One wrong field, where a rule is not the schema's to check. */
export function invalidField(path: string, message: string): ParleyError {
  return new ParleyError('validation_failed', message, { errors: [{ path, message }] });
}

/** What a schema found wrong: of very much, the first. */
export function validationFailed(error: z.ZodError): ParleyError {
  const errors: FieldError[] = error.issues
    .slice(0, MAX_NAMED_ERRORS)
    .map(({ path, message }) => ({ path: path.join('.'), message }));
  const [first] = errors;
  // "Password must …" speaks for itself, and so does "limit must …" of `limit`; "must be a UUID" needs its field.
  const needsField = first && /^[a-z]/.test(first.message) && !first.message.startsWith(first.path);
  const message = needsField ? `${first.path} ${first.message}` : first?.message;
  return new ParleyError('validation_failed', message, { errors });
}

/** What was thrown, as the client is told: a known failure as it is, anything else as `internal`. */
export function toParleyError(thrown: unknown): ParleyError {
  return thrown instanceof ParleyError ? thrown : new ParleyError('internal', undefined, { cause: thrown });
}
