import type { ErrorCode } from '../../protocol/errors.ts';

/**
 * What a session may do before anything else, and all that it may do until then: `password`, choose another one; `email`,
 * confirm the address; `factor`, set up a second factor.
 */
export type Restriction = 'password' | 'email' | 'factor';

/** What somebody is told who has something to do first. */
export const RESTRICTED = {
  password: 'password_change_required',
  email: 'email_unverified',
  factor: 'enrolment_required',
} as const satisfies Record<Restriction, ErrorCode>;
