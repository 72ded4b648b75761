/**
 * The table of errors: one row a code, used by the server to answer, by clients to decide what to do.
 * `status` is the HTTP status; `retryable` says that the same request may succeed later, unchanged;
 * `message` is what a person reads when the place that raised it had nothing more exact to say.
 */
export interface ErrorRule {
  status: 400 | 401 | 403 | 404 | 405 | 408 | 409 | 410 | 413 | 415 | 426 | 429 | 500 | 503;
  retryable: boolean;
  message: string;
}

export const ERRORS = {
  invalid_request: { status: 400, retryable: false, message: 'The request is not valid HTTP' },
  invalid_json: { status: 400, retryable: false, message: 'The body is not valid JSON' },
  validation_failed: { status: 400, retryable: false, message: 'The request is not valid' },
  password_too_weak: { status: 400, retryable: false, message: 'This password is too easy to guess' },
  unknown_event: { status: 400, retryable: false, message: 'There is no such event' },
  missing_token: { status: 401, retryable: false, message: 'Sign in first: no access token was sent' },
  invalid_token: { status: 401, retryable: false, message: 'The token is not valid' },
  token_expired: { status: 401, retryable: false, message: 'The token has expired: refresh it' },
  token_reused: {
    status: 401,
    retryable: false,
    message: 'The refresh token was used before; the session has been ended. Sign in again',
  },
  session_revoked: {
    status: 401,
    retryable: false,
    message: 'This session was ended from another device: sign in again',
  },
  invalid_credentials: { status: 401, retryable: false, message: 'Wrong account or password' },
  mfa_required: { status: 401, retryable: false, message: 'Show your second factor too' },
  mfa_failed: { status: 401, retryable: false, message: 'This is not the right code' },
  forbidden: { status: 403, retryable: false, message: 'You may not do this' },
  reauthentication_required: {
    status: 403,
    retryable: false,
    message: 'Show once more that it is you: POST /auth/reauthenticate',
  },
  email_unverified: { status: 403, retryable: false, message: 'Confirm your e-mail address first' },
  enrolment_required: { status: 403, retryable: false, message: 'Set up a second factor first' },
  password_change_required: { status: 403, retryable: false, message: 'Choose a password of your own first' },
  origin_not_allowed: { status: 403, retryable: false, message: 'This origin may not use your cookies' },
  not_found: { status: 404, retryable: false, message: 'There is nothing here' },
  user_not_found: { status: 404, retryable: false, message: 'There is no such user' },
  conversation_not_found: { status: 404, retryable: false, message: 'There is no such conversation' },
  message_not_found: { status: 404, retryable: false, message: 'There is no such message' },
  method_not_allowed: { status: 405, retryable: false, message: 'This method is not allowed here' },
  request_timeout: { status: 408, retryable: true, message: 'The body of the request did not come in time' },
  email_taken: { status: 409, retryable: false, message: 'This e-mail address has an account already' },
  username_taken: { status: 409, retryable: false, message: 'This username is taken' },
  phone_taken: { status: 409, retryable: false, message: 'This phone number has an account already' },
  stale: { status: 409, retryable: false, message: 'The message was changed meanwhile: look at it first' },
  resync_required: { status: 409, retryable: false, message: 'This copy is of another history: load it anew' },
  cannot_leave_direct: { status: 409, retryable: false, message: 'A direct conversation cannot be left' },
  conversations_full: { status: 409, retryable: false, message: 'Somebody is in as many conversations as one may be' },
  quota_exceeded: {
    status: 409,
    retryable: false,
    message: 'You have stored as much as you may: delete something first',
  },
  group_full: { status: 409, retryable: false, message: 'The group would have more people than a group may' },
  link_expired: { status: 410, retryable: false, message: 'This link or code is no longer good: ask for another' },
  payload_too_large: { status: 413, retryable: false, message: 'The request is too large' },
  unsupported_media_type: { status: 415, retryable: false, message: 'Send application/json' },
  upgrade_required: { status: 426, retryable: false, message: 'This address speaks WebSocket' },
  rate_limited: { status: 429, retryable: true, message: 'Too many requests: wait a little' },
  internal: { status: 500, retryable: true, message: 'Something went wrong on our side' },
  mail_unavailable: { status: 503, retryable: false, message: 'This server sends no mail: ask whoever runs it' },
  unavailable: { status: 503, retryable: true, message: 'Not available at the moment: try again' },
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof ERRORS;

export const MFA_METHODS = ['totp', 'recovery'] as const;

/** A second factor. */
export type MfaMethod = (typeof MFA_METHODS)[number];

/** One field that was wrong: `path` as the client wrote it, dots between levels. */
export interface FieldError {
  path: string;
  message: string;
}

/** The one shape of every failure over HTTP. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  errors?: FieldError[];
  /** Of `mfa_required`: what `POST /auth/mfa` asks for. */
  ticket?: string;
  /** Of `mfa_required`: which second factors the account has. */
  methods?: MfaMethod[];
  /** Of `mfa_required`: seconds until the ticket is worth nothing. */
  expires_in?: number;
  request_id: string;
}
