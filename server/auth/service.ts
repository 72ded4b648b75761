import type { Transaction } from 'kysely';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { User, UserRole } from '../../protocol/resources.ts';
import type { Schema } from '../database/schema.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { AccountChanges, Tell } from '../sessions/account-changes.ts';
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
import type { Account, Handle, NewAccount } from '../users/model.ts';
import { toE164 } from '../users/phone.ts';
import type { UsersService } from '../users/service.ts';
import type { Device, DeviceTokens } from './device-tokens.ts';
import type { Asker } from './hash-queue.ts';
import type { PasswordTries, Try } from './password-tries.ts';
import type { Passwords } from './passwords.ts';
import type { Tokens } from './tokens.ts';

export interface AuthDeps {
  users: UsersService;
  sessions: SessionsService;
  passwords: Passwords;
  tries: PasswordTries;
  tokens: Tokens;
  devices: DeviceTokens;
  cache: SessionCache;
  changes: AccountChanges;
  limits: Pick<RateLimits, 'login' | 'refresh'>;
  /** Milliseconds since the Unix epoch. */
  now?: () => number;
}

/** Where a request comes from that signs in, or names a password. */
export interface Visit {
  /** The part of the client's address that counts. */
  address: string;
  /** Its lines hold the address and the request's id (ASVS 16.2.1). */
  log: Logger;
}

/** A request that signs in. */
export interface Arrival extends Visit {
  /** The token that the device was given at its last log-in. */
  deviceToken?: string;
  /** The sessions that the browser was signed in to before, whoever's they are: they end with this one's beginning. */
  before: TokenClaims[];
}

/** A session that begins, and by what its device is known from now on. */
export interface Arrived extends SignedIn {
  deviceToken: string;
}

/** Commands of the machine itself wait behind no stranger. */
const OPERATOR: Asker = { kind: 'known', key: 'operator' };

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
  async register(signUp: SignUp, arrival: Arrival): Promise<Arrived> {
    const { account, hash } = await this.prepare(signUp, 'user', { kind: 'stranger', key: arrival.address });
    let session: Session | undefined;
    const user = await this.deps.users.create(account, hash, async (tx, userId, tell) => {
      session = await this.begin(tx, tell, userId, arrival);
    });
    arrival.log.info({ user_id: user.id, session_id: session!.id }, 'signed up');
    return this.arrived(user, session!, await this.deviceOf(arrival));
  }

  /** Makes an account without signing anybody in: for those who run the installation. */
  async createUser(signUp: SignUp, role: UserRole): Promise<User> {
    const { account, hash } = await this.prepare({ ...signUp, may_be_reserved: true }, role, OPERATOR);
    return this.deps.users.create(account, hash);
  }

  /**
   * Signs in. Wrong password, unknown account and closed account are one answer, after the same time (ASVS 6.3.8).
   * Renews a hash that is not of today's kind or cost.
   */
  async login(handle: Handle, password: string, arrival: Arrival): Promise<Arrived> {
    const { users, changes } = this.deps;
    const device = await this.deviceOf(arrival);
    const { account, how, log } = await this.announce(handle, device, arrival);
    const hash = await this.checkPassword(account, how, password, (code) => log.info({ code }, 'a log-in was refused'));
    const next = await this.renewed(hash, password, account!.id);
    const session = await changes.run(async (tx, tell) => {
      await users.replaceHash(tx, account!.id, hash, next);
      return this.begin(tx, tell, account!.id, arrival);
    });
    log.info({ session_id: session.id }, 'signed in');
    return this.arrived(await users.self(account!.id), session, device);
  }

  /**
   * Exchanges a refresh token for new tokens of the same session. A token of ours counts for its session, what is none for
   * the address: nobody's nonsense keeps those beside them from theirs.
   */
  async refresh(refreshToken: string, { address, log }: Visit): Promise<Grant> {
    const { tokens, sessions, limits } = this.deps;
    let about: object = {};
    try {
      const claims = await tokens.readRefresh(refreshToken).catch(async (error) => {
        await limits.refresh?.take(address);
        throw error;
      });
      const { userId, sessionId, generation } = claims;
      about = { user_id: userId, session_id: sessionId };
      await limits.refresh?.take(`session ${sessionId}`);
      return await this.grant(await sessions.exchange(userId, sessionId, generation));
    } catch (error) {
      const code = error instanceof ParleyError ? error.code : undefined;
      if (code === 'token_reused') log.warn(about, 'a refresh token was used again: its session is ended');
      else if (code) log.info({ ...about, code }, 'a refresh was refused');
      throw error;
    }
  }

  /** Ends the session that a token belongs to, also when the token has expired. */
  async logout({ userId, sessionId }: TokenClaims, { log }: Visit): Promise<void> {
    const ended = await this.deps.sessions.end(userId, sessionId);
    if (ended) log.info({ user_id: userId, session_id: sessionId }, 'signed out');
  }

  /** Changes a password and ends every session but the one that asks (ASVS 7.4.3). */
  async changePassword(caller: TokenClaims, passwords: { current: string; next: string }, visit: Visit): Promise<void> {
    const { users, sessions, changes } = this.deps;
    const { userId, sessionId } = caller;
    const known = await this.confirmPassword(caller, passwords.current, visit);
    const hash = await this.deps.passwords.hash(passwords.next, { kind: 'known', key: userId });
    await changes.run(async (tx, tell) => {
      await users.replaceHash(tx, userId, known, hash);
      await sessions.endAll(tx, tell, userId, sessionId);
    });
    visit.log.info({ user_id: userId, session_id: sessionId }, 'the password was changed');
  }

  /** Gives an account another password and ends all of its sessions: for those who run the installation. */
  async resetPassword(userId: string, password: string): Promise<void> {
    const hash = await this.deps.passwords.hash(password, OPERATOR);
    await this.deps.changes.run(async (tx, tell) => {
      await this.deps.users.setHash(tx, userId, hash);
      await this.deps.sessions.endAll(tx, tell, userId);
    });
  }

  /** Asks who is signed in for the password again. Answers the hash that it fits. */
  async confirmPassword({ userId, sessionId }: TokenClaims, password: string, { log }: Visit): Promise<string> {
    const account = await this.deps.users.account(userId);
    return this.checkPassword(account, this.deps.tries.bySession(userId, sessionId), password, (code) =>
      log.info({ user_id: userId, session_id: sessionId, code }, 'a password was refused'),
    );
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

  /**
   * Finds whose password is about to be tried, and how that counts. A device that has signed in to the account before counts
   * for itself, whoever else comes from its address. Its lines in the log never hold what was typed (ASVS 16.2.5, 16.3.1).
   */
  private async announce(handle: Handle, device: Device | undefined, { address, log }: Arrival) {
    const { users, tries, limits } = this.deps;
    const countAddress = async () => {
      try {
        await limits.login?.take(address);
      } catch (error) {
        if (error instanceof ParleyError) log.info({ code: error.code }, 'a log-in was refused');
        throw error;
      }
    };
    // A request that shows no device is counted before anything is looked up.
    if (!device) await countAddress();
    const account = await users.accountOf(handle);
    const isKnown = account !== undefined && device?.userIds.includes(account.id) === true;
    if (device && !isKnown) await countAddress();
    const name = tries.nameOf(account, handle);
    return {
      account,
      how: isKnown ? tries.byDevice(account.id, device!.id) : tries.byStranger(name, address),
      log: log.child({ ...(account ? { user_id: account.id } : { account_hash: name }), known_device: isKnown }),
    };
  }

  /** The device that a request says it is, where that is true. */
  private async deviceOf({ deviceToken }: Arrival): Promise<Device | undefined> {
    return deviceToken === undefined ? undefined : this.deps.devices.read(deviceToken);
  }

  /** Begins a session, and ends those that its browser leaves by it. */
  private async begin(tx: Transaction<Schema>, tell: Tell, userId: string, { before }: Arrival): Promise<Session> {
    const { sessions } = this.deps;
    for (const left of before) await sessions.endIn(tx, tell, left.userId, left.sessionId);
    return sessions.start(tx, tell, userId);
  }

  private async arrived(user: User, session: Session, device: Device | undefined): Promise<Arrived> {
    const deviceToken = await this.deps.devices.issue(user.id, device);
    return { user, deviceToken, ...(await this.grant(session)) };
  }

  private async prepare({ password, ...given }: SignUp, role: UserRole, asker: Asker) {
    const phone_number = given.phone_number === undefined ? undefined : toE164(given.phone_number);
    if (given.phone_number !== undefined && phone_number === undefined) {
      throw invalidField('phone_number', 'Phone number must be a valid one in E.164, such as +14155552671');
    }
    const account: NewAccount = { ...given, phone_number, role };
    await this.deps.users.assertFree(account); // before the hash, which is dear
    return { account, hash: await this.deps.passwords.hash(password, asker) };
  }

  /** The hash that a password fits. Fails with `invalid_credentials`, or where it may not be tried; `refused` is told why. */
  private async checkPassword(
    account: Account | undefined,
    how: Try,
    password: string,
    refused: (code: ErrorCode) => void,
  ): Promise<string> {
    const { tries, passwords } = this.deps;
    const hash = account?.password_hash;
    try {
      const isRight = await tries.judge(how, async () => {
        const matches = await passwords.verify(password, hash, how.asker);
        return matches && account?.is_active === 1;
      });
      if (!isRight) throw new ParleyError('invalid_credentials');
      return hash!;
    } catch (error) {
      if (error instanceof ParleyError) refused(error.code);
      throw error;
    }
  }

  /** The hash to keep from now on. Too busy to renew it is no reason to refuse who has the right password. */
  private async renewed(hash: string, password: string, userId: string): Promise<string> {
    if (!this.deps.passwords.needsRehash(hash)) return hash;
    try {
      return await this.deps.passwords.hash(password, { kind: 'known', key: userId });
    } catch (error) {
      if (error instanceof ParleyError && error.code === 'unavailable') return hash;
      throw error;
    }
  }

  private async grant(session: Session): Promise<Grant> {
    return { tokens: await this.deps.tokens.issue(session), expiresAt: session.expires_at };
  }
}

function noSuchSession(error: unknown): never {
  throw error instanceof ParleyError && error.code === 'user_not_found' ? new ParleyError('invalid_token') : error;
}
