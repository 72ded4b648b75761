import type { Selectable } from 'kysely';
import type { Tokens, User, UserRole } from '../../protocol/resources.ts';
import type { SessionsTable } from '../database/schema.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Restriction } from '../shared/restriction.ts';

/** A session as it is stored. */
export type Session = Selectable<SessionsTable>;

/** What somebody showed to be let in. */
export type Proof = 'password' | 'link' | 'totp' | 'recovery';

/** With what a session begins. */
export interface SessionStart {
  proofs: readonly Proof[];
  /** What the device calls itself, such as "Firefox on Linux". */
  device?: string;
  /** The client's address. */
  address?: string;
}

/** A session that was found to hold, and whose it is. */
export interface CheckedSession {
  userId: string;
  sessionId: string;
  username: string;
  role: UserRole;
  /** When its refresh token expires, in milliseconds; moves when the session is refreshed. */
  expiresAt: number;
  /** What has to be done first; undefined for a session that may do everything. */
  restriction?: Restriction;
}

/** What a token says of its session, once its signature is found good. */
export interface TokenClaims {
  userId: string;
  sessionId: string;
}

/** What a client gets for signing in or refreshing. */
export interface Grant {
  tokens: Tokens;
  /** When the session ends unless it is refreshed, in milliseconds. */
  expiresAt: number;
}

export interface SignedIn extends Grant {
  user: User;
}

/** What was shown for a session. */
export function proofsOf({ proofs }: Pick<Session, 'proofs'>): Proof[] {
  return proofs.split(',') as Proof[];
}

/** Whether what was shown holds a second factor. */
export function hasSecondFactor(proofs: readonly Proof[]): boolean {
  return proofs.includes('totp') || proofs.includes('recovery');
}

/** For how long a repeated exchange gets the same successor: tabs that refresh at once (AUTH.md). */
export const REPEAT_GRACE_MS = 30_000;

/** Why a session ended, where its device is to hear of it: somebody took it out of the list, on another device. */
export type EndReason = 'revoked';

/** Fails with `invalid_token`, `session_revoked` or `token_expired` for a session that does not hold at `now`. */
export function requireOpen(session: Session | undefined, now: number): asserts session is Session {
  if (session?.end_reason === 'revoked') throw new ParleyError('session_revoked');
  if (!session || session.ended_at !== null) throw new ParleyError('invalid_token');
  if (session.expires_at <= now) throw new ParleyError('token_expired');
}
