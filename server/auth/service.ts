import type { User, UserRole } from '../../protocol/resources.ts';
import { normalPassword } from '../../protocol/text.ts';
import type { AuditKind } from '../audit/events.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { Mails } from '../mail/mails.ts';
import type { AccountChanges, Change } from '../sessions/account-changes.ts';
import { type Grant, hasSecondFactor, proofsOf, type TokenClaims } from '../sessions/model.ts';
import type { SessionsService } from '../sessions/sessions.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Account, AddressStanding, Handle, NewAccount } from '../users/model.ts';
import { presentUser } from '../users/presenter.ts';
import type { UsersService } from '../users/service.ts';
import { requirePhone } from '../users/update-profile.ts';
import type { Device } from './device-tokens.ts';
import type { Arrived, Entered, Entrance } from './entrance.ts';
import type { Asker } from './hash-queue.ts';
import { type MfaTickets, mfaRequired } from './mfa-tickets.ts';
import { notify, notifyByOperator } from './notices.ts';
import { IS_GIVEN, tooWeak } from './password-strength.ts';
import type { PasswordTries, Try } from './password-tries.ts';
import type { Fit, Passwords } from './passwords.ts';
import { type RestrictionConfig, restrictionOf } from './restrictions.ts';
import type { Tokens } from './tokens.ts';
import type { Arrival, Visit } from './visit.ts';

export interface AuthDeps {
  users: UsersService;
  sessions: SessionsService;
  entrance: Entrance;
  tickets: MfaTickets;
  passwords: Passwords;
  tries: PasswordTries;
  tokens: Tokens;
  changes: AccountChanges;
  limits: Pick<RateLimits, 'login' | 'refresh'>;
  mails: Mails;
  config: RestrictionConfig;
}

/** What belongs to a sign-up and happens in its transaction. */
type OnSignUp = (change: Change, account: Account, visit: Visit) => Promise<void>;

/** Commands of the machine itself wait behind no stranger. */
const OPERATOR: Asker = { kind: 'known', key: 'operator' };

/** What somebody signs up with; its shape has been checked, its phone number not yet. */
export interface SignUp extends Omit<NewAccount, 'role' | 'standing' | 'must_change_password'> {
  password: string;
}

/** What the audit trail is told of a refusal, beside its code. */
type About = (code: string) => void;

/** Signing up, in and out, and the password (PROTOCOL.md §3, AUTH.md). */
export class AuthService {
  private readonly signUpListeners: OnSignUp[] = [];

  constructor(private readonly deps: AuthDeps) {}

  /** Calls `listener` in the transaction of every sign-up. */
  onSignUp(listener: OnSignUp): void {
    this.signUpListeners.push(listener);
  }

  /** Makes an account and its first session, both or neither. */
  async register(signUp: SignUp, arrival: Arrival): Promise<Arrived> {
    const { account, hash } = await this.prepare(
      signUp,
      { role: 'user', standing: this.standing() },
      { kind: 'stranger', key: arrival.address },
    );
    const device = await this.deps.entrance.deviceOf(arrival);
    let entered: Entered | undefined;
    await this.deps.users.create(account, hash, async (change, made) => {
      const entering = { account: made, proofs: ['password'], arrival, device, kind: 'account.created' } as const;
      entered = await this.deps.entrance.enter(change, entering);
      for (const listener of this.signUpListeners) await listener(change, made, arrival);
    });
    return this.deps.entrance.arrive(entered!);
  }

  /**
   * Makes an account without signing anybody in: for those who run the installation. Whoever gets it has to choose a password of
   * their own at once (ASVS 6.4.1).
   */
  async createUser(signUp: SignUp, role: UserRole): Promise<User> {
    const { account, hash } = await this.prepare(
      { ...signUp, may_be_reserved: true },
      { role, standing: 'vouched', must_change_password: true },
      OPERATOR,
    );
    return this.deps.users.create(account, hash, async ({ record }, { id }) => {
      record({ kind: 'account.created', subjectId: id, whence: {}, detail: { by: 'operator', role } });
    });
  }

  /**
   * Signs in. Wrong password, unknown account and closed account are one answer, after the same time (ASVS 6.3.8).
   * Renews a hash that is not of today's kind or cost. Fails with `mfa_required` where a second factor is missing.
   */
  async login(handle: Handle, password: string, arrival: Arrival): Promise<Arrived> {
    const { users, changes, entrance } = this.deps;
    const device = await entrance.deviceOf(arrival);
    const { account, how, about } = await this.announce(handle, device, arrival);
    const fit = await this.checkPassword(account, how, password, about);
    const next = await this.renewed(fit, password, account!.id);
    const entered = await changes.run(async (change) => {
      const found = await users.replaceHash(change.tx, account!.id, fit.hash, next);
      return entrance.enter(change, { account: found, proofs: ['password'], arrival, device, kind: 'login' });
    });
    return entrance.arrive(entered);
  }

  /** Oneself. What is to be done first is as of now, also where this node has not heard yet that it was done at another. */
  async self({ userId }: TokenClaims): Promise<User> {
    const account = await this.deps.users.account(userId);
    return presentUser(account, restrictionOf(account, this.deps.config));
  }

  /**
   * Exchanges a refresh token for new tokens of the same session. A token of ours counts for its session, what is none for
   * the address: nobody's nonsense keeps those beside them from theirs. A session that began before its account had a second
   * factor gets no tokens but a ticket (`mfa_required`).
   */
  async refresh(refreshToken: string, { address, whence }: Visit): Promise<Grant> {
    const { tokens, sessions, limits, entrance, changes } = this.deps;
    let about: { actorId?: string; subjectId?: string; sessionId?: string } = {};
    try {
      const claims = await tokens.readRefresh(refreshToken).catch(async (error) => {
        await limits.refresh?.take(address);
        throw error;
      });
      const { userId, sessionId, generation } = claims;
      about = { actorId: userId, subjectId: userId, sessionId };
      await limits.refresh?.take(`session ${sessionId}`);
      await this.requireFactor(userId, sessionId);
      return await entrance.grant(await sessions.exchange(userId, sessionId, generation));
    } catch (error) {
      const code = error instanceof ParleyError ? error.code : undefined;
      const kind: AuditKind = code === 'token_reused' ? 'refresh.reused' : 'refresh';
      if (code) changes.audit.refused({ kind, ...about, whence, detail: { code } });
      throw error;
    }
  }

  /** Ends the session that a token belongs to, also when the token has expired. */
  async logout({ userId, sessionId }: TokenClaims, { whence }: Visit): Promise<void> {
    await this.deps.changes.run(async (change) => {
      const ended = await this.deps.sessions.endIn(change, userId, sessionId);
      if (ended) change.record({ kind: 'logout', actorId: userId, subjectId: userId, sessionId, whence });
    });
  }

  /** Changes a password and ends every session but the one that asks (ASVS 7.4.3). */
  async changePassword(caller: TokenClaims, passwords: { current: string; next: string }, visit: Visit): Promise<void> {
    const { users, sessions, changes } = this.deps;
    const { userId, sessionId } = caller;
    const known = await this.confirmPassword(caller, passwords.current, visit);
    const asker = { kind: 'known', key: userId } as const;
    const owner = await users.account(userId);
    const isSame = normalPassword(passwords.current) === normalPassword(passwords.next);
    if (isSame && owner.must_change_password === 1) throw tooWeak('new_password', IS_GIVEN);
    const hash = await this.deps.passwords.choose(passwords.next, asker, owner, 'new_password');
    await changes.run(async (change) => {
      const account = await users.replaceHash(change.tx, userId, known, hash);
      await notify(this.deps.mails, change.tx, account, { letter: 'passwordChanged', visit });
      await users.passwordIsOwn(change, userId);
      await sessions.endAll(change, userId, { except: sessionId });
      const { whence } = visit;
      change.record({ kind: 'password.changed', actorId: userId, subjectId: userId, sessionId, whence });
    });
  }

  /**
   * Gives an account another password and ends all of its sessions: for those who run the installation. Whoever gets it has to
   * choose one of their own at once (ASVS 6.4.1).
   */
  async resetPassword(userId: string, password: string): Promise<void> {
    const hash = await this.deps.passwords.hash(password, OPERATOR);
    await this.deps.changes.run(async (change) => {
      const account = await this.deps.users.setHash(change, userId, hash, { mustChange: true });
      await this.deps.sessions.endAll(change, userId);
      await notifyByOperator(this.deps.mails, change.tx, account, 'passwordGiven');
      change.record({ kind: 'password.reset', subjectId: userId, whence: {}, detail: { by: 'operator' } });
    });
  }

  /** Asks who is signed in for the password again. Answers the hash that it fits. */
  async confirmPassword({ userId, sessionId }: TokenClaims, password: string, { whence }: Visit): Promise<string> {
    const account = await this.deps.users.account(userId);
    const how = this.deps.tries.bySession(userId, sessionId);
    const { hash } = await this.checkPassword(account, how, password, (code) => {
      const who = { actorId: userId, subjectId: userId, sessionId };
      this.deps.changes.audit.refused({ kind: 'password.checked', ...who, whence, detail: { code } });
    });
    return hash;
  }

  /** Fails with `mfa_required` for a session that lacks the second factor that its account has. */
  private async requireFactor(userId: string, sessionId: string): Promise<void> {
    const { users, sessions, tickets, changes } = this.deps;
    const [account, session] = await Promise.all([users.find(userId), sessions.byId(sessionId)]);
    if (account?.has_factor !== 1 || session?.user_id !== userId) return;
    const proofs = proofsOf(session);
    if (session.ended_at !== null || hasSecondFactor(proofs)) return;
    throw mfaRequired(await changes.run(({ tx }) => tickets.make(tx, { account, proofs, sessionId })));
  }

  /**
   * Finds whose password is about to be tried, and how that counts. A device that has signed in to the account before counts
   * for itself, whoever else comes from its address. What is written down of it never holds what was typed (ASVS 16.2.5, 16.3.1).
   */
  private async announce(handle: Handle, device: Device | undefined, { address, whence }: Arrival) {
    const { users, tries, limits, changes } = this.deps;
    const refused = (detail: Record<string, string | boolean>, subjectId?: string) =>
      changes.audit.refused({ kind: 'login', subjectId, whence, detail });
    const countAddress = async () => {
      try {
        await limits.login?.take(address);
      } catch (error) {
        if (error instanceof ParleyError) refused({ code: error.code });
        throw error;
      }
    };
    // A request that shows no device is counted before anything is looked up.
    if (!device) await countAddress();
    const account = await users.accountOf(handle);
    const isKnown = account !== undefined && device?.userIds.includes(account.id) === true;
    if (device && !isKnown) await countAddress();
    const name = tries.nameOf(account, handle);
    const about: About = (code) => {
      const known_device = isKnown;
      refused(account ? { code, known_device } : { code, known_device, account_hash: name }, account?.id);
    };
    return {
      account,
      how: isKnown ? tries.byDevice(account.id, device!.id) : tries.byStranger(name, address),
      about,
    };
  }

  /** What is known of the address that a stranger signs up with. */
  private standing(): AddressStanding {
    const { mails, config } = this.deps;
    if (!mails.isPossible) return 'unproven';
    return config.require_verified_email ? 'claimed_quietly' : 'claimed';
  }

  private async prepare(
    { password, ...given }: SignUp,
    made: Pick<NewAccount, 'role' | 'standing' | 'must_change_password'>,
    asker: Asker,
  ) {
    const phone_number = given.phone_number === undefined ? undefined : requirePhone(given.phone_number);
    const account: NewAccount = { ...given, phone_number, ...made };
    await this.deps.users.assertFree(account); // before the hash, which is dear
    const { passwords } = this.deps;
    // What an operator gives is the operator's to judge.
    if (asker === OPERATOR) return { account, hash: await passwords.hash(password, asker) };
    return { account, hash: await passwords.choose(password, asker, account, 'password') };
  }

  /** The hash that a password fits. Fails with `invalid_credentials`, or where it may not be tried; `refused` is told why. */
  private async checkPassword(account: Account | undefined, how: Try, password: string, refused: About): Promise<Fit> {
    const { tries, passwords } = this.deps;
    const hash = account?.password_hash;
    let fit: Fit | undefined;
    try {
      const isRight = await tries.judge(how, async () => {
        fit = await passwords.verify(password, hash, how.asker);
        return fit !== undefined && account?.is_active === 1;
      });
      if (!isRight) throw new ParleyError('invalid_credentials');
      return fit!;
    } catch (error) {
      if (error instanceof ParleyError) refused(error.code);
      throw error;
    }
  }

  /** The hash to keep from now on. Too busy to renew it is no reason to refuse who has the right password. */
  private async renewed({ hash, isOld }: Fit, password: string, userId: string): Promise<string> {
    if (!isOld) return hash;
    try {
      return await this.deps.passwords.hash(password, { kind: 'known', key: userId });
    } catch (error) {
      if (error instanceof ParleyError && error.code === 'unavailable') return hash;
      throw error;
    }
  }
}
