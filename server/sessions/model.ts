import type { Selectable } from 'kysely';
import type { Tokens, User, UserRole } from '../../protocol/resources.ts';
import type { SessionsTable } from '../database/schema.ts';

/** A session as it is stored. */
export type Session = Selectable<SessionsTable>;

/** A session that was found to hold, and whose it is. */
export interface CheckedSession {
  userId: string;
  sessionId: string;
  username: string;
  role: UserRole;
  /** When its refresh token expires, in milliseconds; moves when the session is refreshed. */
  expiresAt: number;
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

/** For how long a repeated exchange gets the same successor: tabs that refresh at once (AUTH.md). */
export const REPEAT_GRACE_MS = 30_000;

/** Whether a session still holds at `now`. */
export function isOpen(session: Session, now: number): boolean {
  return session.ended_at === null && session.expires_at > now;
}
