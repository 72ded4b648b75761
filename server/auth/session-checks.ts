import { type CheckedSession, hasSecondFactor, proofsOf, requireOpen } from '../sessions/model.ts';
import type { SessionCache } from '../sessions/session-cache.ts';
import type { SessionsService } from '../sessions/sessions.ts';
import { ParleyError } from '../shared/errors.ts';
import type { UsersService } from '../users/service.ts';
import { type RestrictionConfig, restrictionOf } from './restrictions.ts';
import type { Tokens } from './tokens.ts';

/** For how long what was shown counts for what is dangerous, in milliseconds (ASVS 7.5.1). */
const PROOF_FRESH_MS = 10 * 60_000;

export interface SessionChecksDeps {
  users: UsersService;
  sessions: SessionsService;
  tokens: Tokens;
  cache: SessionCache;
  config: RestrictionConfig;
  /** Milliseconds since the Unix epoch. */
  now?: () => number;
}

/** Whether a session holds, and what it may do. */
export class SessionChecks {
  private readonly now: () => number;

  constructor(private readonly deps: SessionChecksDeps) {
    this.now = deps.now ?? Date.now;
  }

  /**
   * The session behind an access token. Fails with `invalid_token`, `session_revoked` or `token_expired`. That it holds may have
   * been found up to 5 s ago; an ending that this node hears of counts at once.
   */
  async authenticate(accessToken: string): Promise<CheckedSession> {
    const { userId, sessionId } = await this.deps.tokens.readAccess(accessToken);
    const session = await this.deps.cache.get(userId, sessionId, () => this.checkSession(sessionId, userId));
    if (session.userId !== userId) throw new ParleyError('invalid_token');
    return session;
  }

  /**
   * A session as the database has it at this moment: for sockets, which outlive their token. Fails like `authenticate`. Who
   * knows whose it is to be says so, and both are read at once. One that lacks a second factor, as it began before the
   * account had one, is `token_expired`: its refresh says what is missing.
   */
  async checkSession(sessionId: string, userId?: string): Promise<CheckedSession> {
    const account = userId === undefined ? undefined : this.deps.users.account(userId).catch(noSuchSession);
    account?.catch(() => {}); // told below, unless the session itself is no good
    const session = await this.deps.sessions.byId(sessionId);
    requireOpen(session, this.now());
    if (userId !== undefined && session.user_id !== userId) throw new ParleyError('invalid_token');
    const found = await (account ?? this.deps.users.account(session.user_id).catch(noSuchSession));
    if (!found.is_active) throw new ParleyError('invalid_token');
    if (found.has_factor === 1 && !hasSecondFactor(proofsOf(session))) throw new ParleyError('token_expired');
    const { id, username, role } = found;
    const restriction = restrictionOf(found, this.deps.config);
    return { userId: id, sessionId, username: username!, role, expiresAt: session.expires_at, restriction };
  }

  /**
   * Whether a session that was authenticated a moment ago surely has not ended since, as far as this node could have
   * heard by now. What is heard later, from the bus or the outbox, comes as news of its own.
   */
  isBelieved(sessionId: string): boolean {
    return this.deps.cache.hasLookedUp(sessionId);
  }

  /** Fails with `reauthentication_required` where it is too long ago that it was shown who uses the session. */
  async requireFreshProof(sessionId: string): Promise<void> {
    const session = await this.deps.sessions.byId(sessionId);
    requireOpen(session, this.now());
    if (session.proved_at < this.now() - PROOF_FRESH_MS) throw new ParleyError('reauthentication_required');
  }
}

function noSuchSession(error: unknown): never {
  throw error instanceof ParleyError && error.code === 'user_not_found' ? new ParleyError('invalid_token') : error;
}
