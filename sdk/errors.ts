import { ERRORS } from '../protocol/errors.ts';
import type { ErrorCode, FieldError, MfaMethod } from './protocol.ts';

/**
 * What to do about an error: try the same again later; sign in; show who it is, with a second factor or once more; do first
 * what the account's `restriction` says; look at the newest state first; mend the request (and tell the person which field);
 * or let it be.
 */
export type Action = 'retry' | 'sign_in' | 'prove' | 'complete' | 'resync' | 'fix' | 'give_up';

/** Failures that no server told: the network, a time-out, and the SDK's own limits. */
export type LocalCode = 'network' | 'timeout' | 'aborted' | 'signed_out' | 'outbox_full' | 'storage';

/** What `mfa_required` asks for: a code, for `account.enterCode`. */
export interface Challenge {
  /** Stands for the sign-in that lacks the code; it takes five of them. */
  ticket: string;
  /** Which second factors the account has. */
  methods: readonly MfaMethod[];
  /** When the ticket is worth nothing, by this device's clock, in milliseconds since the Unix epoch. */
  expires_at: number;
}

export interface ErrorDetails {
  status?: number;
  retryable?: boolean;
  retryAfterMs?: number;
  errors?: FieldError[];
  requestId?: string;
  challenge?: Challenge;
  cause?: unknown;
}

const LOCAL: Record<LocalCode, { message: string; action: Action }> = {
  network: { message: 'The server cannot be reached', action: 'retry' },
  timeout: { message: 'The server did not answer in time', action: 'retry' },
  aborted: { message: 'It was cancelled', action: 'give_up' },
  signed_out: { message: 'Nobody is signed in', action: 'sign_in' },
  outbox_full: { message: 'Too many messages wait to be sent', action: 'retry' },
  storage: { message: 'The device could not store it', action: 'give_up' },
};

/** Codes whose action does not follow from their status. */
const ACTIONS: Partial<Record<string, Action>> = {
  invalid_credentials: 'fix',
  mfa_failed: 'fix',
  mfa_required: 'prove',
  reauthentication_required: 'prove',
  password_change_required: 'complete',
  email_unverified: 'complete',
  enrolment_required: 'complete',
  stale: 'resync',
  resync_required: 'resync',
  payload_too_large: 'fix',
};

/** The one error of this SDK, whatever failed. */
export class ParleyError extends Error {
  override readonly name = 'ParleyError';
  /** The HTTP status; 0 where there was none. */
  readonly status: number;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** How long to wait before that, where the server said so, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** What was wrong, field by field. */
  readonly errors: readonly FieldError[];
  /** Finds the request in the server's log. */
  readonly requestId: string | undefined;
  /** Of `mfa_required`: what to go on with. */
  readonly challenge: Challenge | undefined;
  readonly action: Action;

  constructor(
    readonly code: ErrorCode | LocalCode,
    message?: string,
    details: ErrorDetails = {},
  ) {
    const local = LOCAL[code as LocalCode];
    const rule = ERRORS[code as ErrorCode];
    super(message ?? local?.message ?? rule?.message ?? code, { cause: details.cause });
    this.status = details.status ?? rule?.status ?? 0;
    this.retryable = details.retryable ?? rule?.retryable ?? (local?.action === 'retry' || this.status >= 500);
    this.retryAfterMs = details.retryAfterMs;
    this.errors = details.errors ?? [];
    this.requestId = details.requestId;
    this.challenge = details.challenge;
    this.action = local?.action ?? (this.retryable ? 'retry' : (ACTIONS[code] ?? actionOf(this.status)));
  }

  /** Whatever was thrown, as an error of this kind. */
  static from(error: unknown): ParleyError {
    if (error instanceof ParleyError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new ParleyError('internal', message, { status: 0, retryable: false, cause: error });
  }
}

function actionOf(status: number): Action {
  if (status === 401) return 'sign_in';
  return status === 400 || status === 409 ? 'fix' : 'give_up';
}
