import type { User, UserRole } from '../../protocol/resources.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { AccountChanges } from '../sessions/account-changes.ts';
import {
  type CheckedSession,
  type Grant,
  isOpen,
  type Session,
  type SignedIn,
  type TokenClaims,
} from '../sessions/model.ts';
import type { SessionCache } from '../sessions/session-cache.ts';
import type { SessionsService } from '../sessions/sessions.ts';
import { invalidField, ParleyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { type Account, type Handle, type NewAccount, uniqueName } from '../users/model.ts';
import { toE164 } from '../users/phone.ts';
import type { UsersService } from '../users/service.ts';
import type { Passwords } from './passwords.ts';
import type { Tokens } from './tokens.ts';

export interface AuthDeps {
  users: UsersService;
  sessions: SessionsService;
  passwords: Passwords;
  tokens: Tokens;
  cache: SessionCache;
  changes: AccountChanges;
  limits: Pick<RateLimits, 'login_account'>;
  log: Logger;
  /** Milliseconds since the Unix epoch. */
  now?: () => number;
}

/** What somebody signs up with; its shape has been checked, its phone number not yet. */
export interface SignUp extends Omit<NewAccount, 'role'> {
  password: string;
}

/** Signing up, in and out, and who somebody is (PROTOCOL.md §3, AUTH.md). */
export class AuthService {
  private readonly now: () => number;

  constructor(private readonly deps: AuthDeps) {
    this.now = deps.now ?? Date.now;
  }

  /** Makes an account and its first session, both or neither. */
  async register(signUp: SignUp): Promise<SignedIn> {
    const { account, hash } = await this.prepare(signUp, 'user');
    let session: Session | undefined;
    const user = await this.deps.users.create(account, hash, async (tx, userId, tell) => {
      session = await this.deps.sessions.start(tx, tell, userId);
    });
    return { user, ...(await this.grant(session!)) };
  }

  /** Makes an account without signing anybody in: for those who run the installation. */
  async createUser(signUp: SignUp, role: UserRole): Promise<User> {
    const { account, hash } = await this.prepare(signUp, role);
    return this.deps.users.create(account, hash);
  }

  /**
   * Signs in. Wrong password, unknown account and closed account are one answer, after the same time (ASVS 6.3.8).
   * Renews a hash that is not of today's kind or cost.
   */
  async login(handle: Handle, password: string): Promise<SignedIn> {
    const { users, sessions, changes } = this.deps;
    const account = await users.accountOf(handle);
    const { hash } = await this.checkPassword(account, limitKey(account, handle), password);
    const next = await this.renewed(hash, password);
    const session = await changes.run(async (tx, tell) => {
      await users.replaceHash(tx, account!.id, hash, next);
      return sessions.start(tx, tell, account!.id);
    });
    return { user: await users.self(account!.id), ...(await this.grant(session)) };
  }

  /** Exchanges a refresh token for new tokens of the same session. */
  async refresh(refreshToken: string): Promise<Grant> {
    const { userId, sessionId, generation } = await this.deps.tokens.readRefresh(refreshToken);
    return this.grant(await this.deps.sessions.exchange(userId, sessionId, generation));
  }

  /** Ends the session that a token belongs to, also when the token has expired. */
  async logout({ userId, sessionId }: TokenClaims): Promise<void> {
    await this.deps.sessions.end(userId, sessionId);
  }

  /** Changes a password and ends every session but `keptSessionId` (ASVS 7.4.3). */
  async changePassword(
    userId: string,
    passwords: { current: string; next: string },
    keptSessionId: string,
  ): Promise<void> {
    const { users, sessions, changes } = this.deps;
    const known = await this.confirmPassword(userId, passwords.current);
    const hash = await this.deps.passwords.hash(passwords.next);
    await changes.run(async (tx, tell) => {
      await users.replaceHash(tx, userId, known, hash);
      await sessions.endAll(tx, tell, userId, keptSessionId);
    });
  }

  /** Gives an account another password and ends all of its sessions: for those who run the installation. */
  async resetPassword(userId: string, password: string): Promise<void> {
    const hash = await this.deps.passwords.hash(password);
    await this.deps.changes.run(async (tx, tell) => {
      await this.deps.users.setHash(tx, userId, hash);
      await this.deps.sessions.endAll(tx, tell, userId);
    });
  }

  /** Asks who is signed in for the password again, under the limit of log-ins. Answers the hash that it fits. */
  async confirmPassword(userId: string, password: string): Promise<string> {
    const account = await this.deps.users.account(userId);
    return (await this.checkPassword(account, userId, password)).hash;
  }

  /**
   * The session behind an access token. Fails with `invalid_token` or `token_expired`. That it holds may have been found
   * up to 5 s ago; an ending that this node hears of counts at once.
   */
  async authenticate(accessToken: string): Promise<CheckedSession> {
    const { userId, sessionId } = await this.deps.tokens.readAccess(accessToken);
    const session = await this.deps.cache.get(userId, sessionId, () => this.checkSession(sessionId, userId));
    if (session.userId !== userId) throw new ParleyError('invalid_token');
    return session;
  }

  /**
   * A session as the database has it at this moment: for sockets, which outlive their token. Fails like `authenticate`.
   * Who knows whose it is to be says so, and both are read at once.
   */
  async checkSession(sessionId: string, userId?: string): Promise<CheckedSession> {
    const account = userId === undefined ? undefined : this.deps.users.account(userId).catch(noSuchSession);
    account?.catch(() => {}); // told below, unless the session itself is no good
    const session = await this.deps.sessions.byId(sessionId);
    if (!session || session.ended_at !== null) throw new ParleyError('invalid_token');
    if (!isOpen(session, this.now())) throw new ParleyError('token_expired');
    if (userId !== undefined && session.user_id !== userId) throw new ParleyError('invalid_token');
    const { id, username, role, is_active } = await (account ??
      this.deps.users.account(session.user_id).catch(noSuchSession));
    if (!is_active) throw new ParleyError('invalid_token');
    return { userId: id, sessionId, username: username!, role, expiresAt: session.expires_at };
  }

  /**
   * Whether a session that was authenticated a moment ago surely has not ended since, as far as this node could have
   * heard by now. What is heard later, from the bus or the outbox, comes as news of its own.
   */
  isBelieved(sessionId: string): boolean {
    return this.deps.cache.hasLookedUp(sessionId);
  }

  private async prepare({ password, ...given }: SignUp, role: UserRole) {
    const phone_number = given.phone_number === undefined ? undefined : toE164(given.phone_number);
    if (given.phone_number !== undefined && phone_number === undefined) {
      throw invalidField('phone_number', 'Phone number must be a valid one in E.164, such as +14155552671');
    }
    const account: NewAccount = { ...given, phone_number, role };
    await this.deps.users.assertFree(account); // before the hash, which is dear
    return { account, hash: await this.deps.passwords.hash(password) };
  }

  private async checkPassword(account: Account | undefined, key: string, password: string): Promise<{ hash: string }> {
    const { limits, passwords, log } = this.deps;
    await limits.login_account?.take(key);
    const hash = account?.password_hash;
    const matches = await passwords.verify(password, hash);
    if (!account || !hash || !matches || !account.is_active) {
      log.info({ user_id: account?.id }, 'a password was refused');
      throw new ParleyError('invalid_credentials');
    }
    await limits.login_account?.reset(key);
    return { hash };
  }

  /** The hash to keep from now on. Too busy to renew it is no reason to refuse who has the right password. */
  private async renewed(hash: string, password: string): Promise<string> {
    if (!this.deps.passwords.needsRehash(hash)) return hash;
    try {
      return await this.deps.passwords.hash(password);
    } catch (error) {
      if (error instanceof ParleyError && error.code === 'unavailable') return hash;
      throw error;
    }
  }

  private async grant(session: Session): Promise<Grant> {
    return { tokens: await this.deps.tokens.issue(session), expiresAt: session.expires_at };
  }
}

/**
 * Tries count for the account, by whichever of its names it is called; for one that is not there by the name itself, with
 * all of its spellings alike: else they would tell, by when they are too many, whether there is an account.
 */
function limitKey(account: Account | undefined, handle: Handle): string {
  if (account) return account.id;
  const name = uniqueName(handle);
  if (name) return `${name.column}:${name.value}`;
  return `none:${(handle.email ?? handle.username ?? handle.phone_number ?? '').trim().toLowerCase()}`;
}

function noSuchSession(error: unknown): never {
  throw error instanceof ParleyError && error.code === 'user_not_found' ? new ParleyError('invalid_token') : error;
}
