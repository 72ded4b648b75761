/**
 * What is written down of accounts and sessions (ASVS 16.2.1, 16.3.1–16.3.4), and what the log says of each. A kind's name is
 * stored: it never changes, and is never given to something else.
 */
export const AUDIT_KINDS = {
  'account.created': { done: 'signed up', refused: 'a sign-up was refused' },
  'account.deleted': { done: 'the account was deleted', refused: 'a deletion was refused' },
  'account.deactivated': { done: 'the account was closed', refused: 'closing the account was refused' },
  'username.changed': { done: 'the username was changed', refused: 'a change of the username was refused' },
  'phone.changed': { done: 'the phone number was changed', refused: 'a change of the phone number was refused' },
  'account.role': { done: 'the role was changed', refused: 'a change of the role was refused' },
  login: { done: 'signed in', refused: 'a log-in was refused' },
  logout: { done: 'signed out', refused: 'a sign-out was refused' },
  refresh: { done: 'refreshed', refused: 'a refresh was refused' },
  'refresh.reused': { done: 'refreshed', refused: 'a refresh token was used again: its session is ended' },
  'session.ended': { done: 'sessions were ended from another device', refused: 'ending a session was refused' },
  'password.checked': { done: 'the password was shown again', refused: 'a password was refused' },
  'password.changed': { done: 'the password was changed', refused: 'a change of the password was refused' },
  'password.reset': { done: 'the password was set anew', refused: 'setting the password anew was refused' },
  'factor.begun': { done: 'began to set up a second factor', refused: 'setting up a second factor was refused' },
  'factor.added': { done: 'a second factor was added', refused: 'a second factor was not added' },
  'factor.removed': { done: 'the second factor was removed', refused: 'removing the second factor was refused' },
  'factor.shown': { done: 'the second factor was shown', refused: 'a second factor was refused' },
  'recovery.renewed': { done: 'recovery codes were made anew', refused: 'making recovery codes was refused' },
  'recovery.used': { done: 'a recovery code was used', refused: 'a recovery code was refused' },
  'password.forgot': { done: 'a link for a new password was sent', refused: 'a link for a new password was not sent' },
  'email.requested': {
    done: 'a letter asks whether an address is theirs',
    refused: 'asking for an address was refused',
  },
  'email.verified': {
    done: 'the address was shown to be theirs',
    refused: 'a link or code for an address was refused',
  },
  'email.changed': { done: 'the address was changed', refused: 'a change of the address was refused' },
  'email.lost': { done: 'the address is no longer theirs', refused: 'releasing an address was refused' },
  'link.made': { done: 'an operator made a link', refused: 'making a link was refused' },
} as const satisfies Record<string, Record<'done' | 'refused', string>>;
export type AuditKind = keyof typeof AUDIT_KINDS;

/** Where what happened came from. Of an operator at the machine itself nothing of this is known. */
export interface Whence {
  /** The client's address, proxies seen through. */
  address?: string;
  requestId?: string;
}

/** Something that happened to an account, or was tried. Never a secret, and nothing that a stranger typed. */
export interface AuditEvent {
  kind: AuditKind;
  /** Who did it; undefined where nobody knows, and for an operator. */
  actorId?: string;
  /** Whose account it is about. */
  subjectId?: string;
  sessionId?: string;
  whence: Whence;
  /** A few words more, such as the code of a refusal. */
  detail?: Record<string, string | number | boolean>;
}
