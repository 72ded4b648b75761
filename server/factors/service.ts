import type { MfaMethod } from '../../protocol/errors.ts';
import type { RecoveryCodes as RecoveryCodesAnswer, TotpSetup } from '../../protocol/resources.ts';
import type { AuditKind } from '../audit/events.ts';
import type { Device } from '../auth/device-tokens.ts';
import type { Arrived, Entered, Entrance } from '../auth/entrance.ts';
import type { MfaTicket, MfaTickets } from '../auth/mfa-tickets.ts';
import { passwordMark } from '../auth/password-mark.ts';
import type { PasswordTries, Try } from '../auth/password-tries.ts';
import { hasProvenEmail, mustHaveFactor, type RestrictionConfig } from '../auth/restrictions.ts';
import type { AuthService } from '../auth/service.ts';
import type { Arrival, Visit } from '../auth/visit.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import { DEFAULT_LANGUAGE, type Language, type LetterName, type LetterParameters } from '../mail/letters/index.ts';
import type { Mails } from '../mail/mails.ts';
import type { AccountChanges, Change } from '../sessions/account-changes.ts';
import { type Proof, proofsOf, type Session, type TokenClaims } from '../sessions/model.ts';
import type { SessionsService } from '../sessions/sessions.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Account } from '../users/model.ts';
import type { UsersService } from '../users/service.ts';
import type { RecoveryCodes } from './recovery-codes.ts';
import type { Totp } from './totp.ts';

export interface FactorsDeps {
  users: UsersService;
  sessions: SessionsService;
  changes: AccountChanges;
  auth: Pick<AuthService, 'confirmPassword'>;
  entrance: Entrance;
  tickets: MfaTickets;
  totp: Totp;
  codes: RecoveryCodes;
  tries: PasswordTries;
  limits: Pick<RateLimits, 'login'>;
  mails: Mails;
  config: RestrictionConfig;
  /** Milliseconds since the Unix epoch. */
  now?: () => number;
}

/** What answers `mfa_required`. */
export interface ShownFactor {
  ticket: string;
  method: MfaMethod;
  code: string;
}

/** What is shown once more by somebody who is signed in. */
export interface ShownAgain {
  password?: string;
  code?: string;
}

/** Uses a code up in a transaction, and says whether it was still good. */
type UseUp = (change: Change) => Promise<boolean>;

/** The second factor: setting it up and taking it away, signing in with it, and what is left to who has lost it (AUTH.md). */
export class FactorsService {
  private readonly now: () => number;

  constructor(private readonly deps: FactorsDeps) {
    this.now = deps.now ?? Date.now;
  }

  /** Makes a secret for an authenticator app. It counts once a code of it was shown; one that is in use stays until then. */
  begin({ userId, sessionId }: TokenClaims, { whence }: Visit): Promise<TotpSetup> {
    return this.deps.changes.run(async (change) => {
      const account = await this.deps.users.hold(change.tx, userId);
      change.record({ kind: 'factor.begun', actorId: userId, subjectId: userId, sessionId, whence });
      return this.deps.totp.begin(change.tx, userId, account.username ?? userId);
    });
  }

  /**
   * Takes the app into use, by a code of it, and answers recovery codes. This session has shown it; every other one of the
   * account lacks it from now on.
   */
  async confirm(caller: TokenClaims, code: string, visit: Visit): Promise<RecoveryCodesAnswer> {
    const { users, changes, totp, tries, codes } = this.deps;
    const { userId, sessionId } = caller;
    const first = await this.noting('factor.added', caller, visit, async () => {
      if (!(await totp.isAwaited(userId))) throw setUpIsOver();
      return judged(tries, tries.bySession(userId, sessionId), () => totp.fitsPending(userId, code));
    });
    const made = await codes.make(userId);
    await changes.run(async (change) => {
      const { tx, record } = change;
      const account = await users.hold(tx, userId);
      if (!(await totp.confirm(tx, userId, first))) throw setUpIsOver();
      await users.setFactor(change, userId, true);
      await codes.replace(tx, userId, made, this.now());
      await this.prove(change, caller, ['totp']);
      record({ kind: 'factor.added', actorId: userId, subjectId: userId, sessionId, whence: visit.whence });
      await this.write(change, account, 'factorAdded', visit.language, { at: this.now() });
    });
    return { codes: made.shown };
  }

  /** Takes the app and the recovery codes away. Fails with `forbidden` where the account has to have a second factor. */
  async remove(caller: TokenClaims, visit: Visit): Promise<void> {
    const { userId, sessionId } = caller;
    await this.noting('factor.removed', caller, visit, () =>
      this.deps.changes.run(async (change) => {
        const account = await this.deps.users.hold(change.tx, userId);
        if (account.has_factor === 0) throw new ParleyError('not_found', 'There is no second factor');
        if (mustHaveFactor(account, this.deps.config)) {
          throw new ParleyError('forbidden', 'This server asks for a second factor: set another one up in its place');
        }
        await this.removeAll(change, userId);
        const { whence, language } = visit;
        change.record({ kind: 'factor.removed', actorId: userId, subjectId: userId, sessionId, whence });
        await this.write(change, account, 'factorRemoved', language, { at: this.now(), byOperator: false });
      }),
    );
  }

  /** Makes recovery codes anew; those of before are worth nothing. Fails with `enrolment_required` without a second factor. */
  async renewCodes(caller: TokenClaims, visit: Visit): Promise<RecoveryCodesAnswer> {
    const { users, changes, codes } = this.deps;
    const { userId, sessionId } = caller;
    return this.noting('recovery.renewed', caller, visit, async () => {
      if ((await users.account(userId)).has_factor === 0) throw new ParleyError('enrolment_required');
      const made = await codes.make(userId);
      await changes.run(async (change) => {
        const account = await users.hold(change.tx, userId);
        if (account.has_factor === 0) throw new ParleyError('enrolment_required');
        await codes.replace(change.tx, userId, made, this.now());
        const { whence, language } = visit;
        change.record({ kind: 'recovery.renewed', actorId: userId, subjectId: userId, sessionId, whence });
        await this.write(change, account, 'recoveryRenewed', language, { at: this.now() });
      });
      return { codes: made.shown };
    });
  }

  /** How many recovery codes are left. */
  async codesLeft(userId: string): Promise<number> {
    return this.deps.codes.left(userId);
  }

  /**
   * Goes on with a sign-in that lacked the second factor: begins the session that was asked for, or proves the one that asked
   * to be refreshed. Fails with `mfa_failed` for a wrong code, with `link_expired` for a ticket that is no longer good.
   */
  async enter({ ticket: token, method, code }: ShownFactor, arrival: Arrival): Promise<Arrived> {
    const { users, tickets, entrance, changes } = this.deps;
    const ticket = await this.tryTicket(token, arrival);
    const { user_id: userId, session_id } = ticket;
    const about = { subjectId: userId, sessionId: session_id ?? undefined };
    const entered = await this.noting('factor.shown', about, arrival, async () => {
      const account = await users.find(userId);
      // Before a code is used up for nothing.
      const isGood = account?.is_active === 1 && passwordMark(account.password_hash) === ticket.password_mark;
      if (!isGood) throw signInIsOver();
      const device = await entrance.deviceOf(arrival);
      const useUp = await this.judge(account, { method, code }, this.tryBy(userId, device, arrival));
      return changes.run(async (change) => {
        const found = await users.hold(change.tx, userId);
        if (found.is_active === 0) throw signInIsOver();
        await tickets.use(change.tx, ticket, found);
        if (!(await useUp(change))) throw new ParleyError('mfa_failed');
        if (method === 'recovery') await this.codeWasUsed(change, found, arrival);
        return this.letIn(change, { account: found, ticket, method, arrival, device });
      });
    });
    const { session } = entered;
    if (session_id === null || !session) return entrance.arrive(entered);
    // What was known of it before it had the factor is exchanged, too (ASVS 7.2.4).
    const exchanged = await this.deps.sessions.exchange(userId, session.id, session.generation);
    return entrance.arrive({ ...entered, session: exchanged });
  }

  /** Shows by the password or by a code, or both, that whoever uses a session is its owner: good for ten minutes. */
  async reauthenticate(caller: TokenClaims, { password, code }: ShownAgain, visit: Visit): Promise<void> {
    const { auth, users, changes, tries } = this.deps;
    const { userId, sessionId } = caller;
    if (password !== undefined) await auth.confirmPassword(caller, password, visit);
    const useUp =
      code === undefined
        ? undefined
        : await this.noting('factor.shown', caller, visit, async () => {
            const how = tries.bySession(userId, sessionId);
            return this.judge(await users.account(userId), { method: 'totp', code }, how);
          });
    await this.noting(useUp ? 'factor.shown' : 'password.checked', caller, visit, () =>
      changes.run(async (change) => {
        await users.hold(change.tx, userId);
        if (useUp && !(await useUp(change))) throw new ParleyError('mfa_failed');
        await this.prove(change, caller, useUp ? ['totp'] : []);
        const who = { actorId: userId, subjectId: userId, sessionId, whence: visit.whence };
        if (password !== undefined) change.record({ kind: 'password.checked', ...who });
        if (useUp) change.record({ kind: 'factor.shown', ...who });
      }),
    );
  }

  /** Takes an account's second factor away and ends all of its sessions: for those who run the installation. */
  async reset(userId: string): Promise<void> {
    await this.deps.changes.run(async (change) => {
      const account = await this.deps.users.hold(change.tx, userId);
      await this.removeAll(change, userId);
      await this.deps.sessions.endAll(change, userId);
      const detail = { by: 'operator', had_factor: account.has_factor === 1 };
      change.record({ kind: 'factor.removed', subjectId: userId, whence: {}, detail });
      const parameters = { at: this.now(), byOperator: true };
      await this.write(change, account, 'factorRemoved', DEFAULT_LANGUAGE, parameters);
    });
  }

  /** Forgets the secret and the codes of an account that was deleted. */
  async forget(userId: string): Promise<void> {
    await this.deps.changes.run(async (change) => {
      await this.deps.totp.remove(change.tx, userId);
      await this.deps.codes.removeAll(change.tx, userId);
    });
  }

  /** The ticket, with this try counted. What is none counts for its address, as nonsense from there. */
  private async tryTicket(token: string, { address, whence }: Arrival): Promise<MfaTicket> {
    const { tickets, limits, changes } = this.deps;
    try {
      return await tickets.try(token).catch(async (error) => {
        await limits.login?.take(address);
        throw error;
      });
    } catch (error) {
      if (error instanceof ParleyError) {
        changes.audit.refused({ kind: 'factor.shown', whence, detail: { code: error.code } });
      }
      throw error;
    }
  }

  /** How a code counts: a device that has signed in to the account before counts for itself, as with passwords. */
  private tryBy(userId: string, device: Device | undefined, { address }: Arrival): Try {
    const { tries } = this.deps;
    const isKnown = device?.userIds.includes(userId) === true;
    return isKnown ? tries.byDevice(userId, device.id) : tries.byStranger(userId, address);
  }

  /** Counts a code and looks whether it is right. Fails with `mfa_failed`; what comes back uses it up. */
  private async judge(account: Account, { method, code }: Omit<ShownFactor, 'ticket'>, how: Try): Promise<UseUp> {
    const { tries, totp, codes } = this.deps;
    const { id } = account;
    if (account.has_factor === 0) throw new ParleyError('mfa_failed');
    if (method === 'totp') {
      const found = await judged(tries, how, () => totp.fits(id, code));
      return ({ tx }) => totp.take(tx, id, found);
    }
    const hash = await judged(tries, how, () => codes.find(id, code));
    return ({ tx }) => codes.use(tx, id, { hash, now: this.now() });
  }

  /** Begins the session that a ticket is for, or proves the one that it is of. */
  private async letIn(
    change: Change,
    entering: { account: Account; ticket: MfaTicket; method: Proof & MfaMethod; arrival: Arrival; device?: Device },
  ): Promise<Entered> {
    const { account, ticket, method, arrival, device } = entering;
    const proofs = [...proofsOf(ticket), method];
    const who = { account, proofs, arrival, device, kind: 'login' } as const;
    if (ticket.session_id === null) return this.deps.entrance.enter(change, who);
    const session = await this.deps.sessions.prove(change, account.id, ticket.session_id, proofs);
    if (!session) throw signInIsOver();
    const { whence } = arrival;
    const event = { actorId: account.id, subjectId: account.id, sessionId: session.id, whence };
    change.record({ kind: 'factor.shown', ...event, detail: { proofs: session.proofs } });
    return { ...who, session };
  }

  private async codeWasUsed(change: Change, account: Account, arrival: Arrival): Promise<void> {
    const left = await this.deps.codes.left(account.id, change.tx);
    const { whence, device, language } = arrival;
    change.record({ kind: 'recovery.used', actorId: account.id, subjectId: account.id, whence, detail: { left } });
    const parameters = { at: this.now(), device, address: whence.address ?? '', left };
    await this.write(change, account, 'recoveryUsed', language, parameters);
  }

  /** Writes down that a session has shown this, too, and when; its account is held by now. Fails with `invalid_token` where it is over. */
  private async prove(change: Change, { userId, sessionId }: TokenClaims, shown: Proof[]): Promise<Session> {
    const session = await this.deps.sessions.byId(sessionId);
    const proofs = session && [...new Set([...proofsOf(session), ...shown])];
    const proved = proofs && (await this.deps.sessions.prove(change, userId, sessionId, proofs));
    if (!proved) throw new ParleyError('invalid_token');
    return proved;
  }

  private async removeAll(change: Change, userId: string): Promise<void> {
    await this.deps.users.setFactor(change, userId, false);
    await this.deps.totp.remove(change.tx, userId);
    await this.deps.codes.removeAll(change.tx, userId);
  }

  /** Writes to the owner of an account, where there is mail and the address is known to be theirs. */
  private async write<Name extends LetterName>(
    { tx }: Change,
    account: Account,
    letter: Name,
    language: Language,
    parameters: LetterParameters[Name],
  ): Promise<void> {
    if (!this.deps.mails.isPossible || !hasProvenEmail(account)) return;
    await this.deps.mails.send(tx, { to: account.email!, letter, language, parameters });
  }

  /** Does something, and notes in the audit trail where it is refused. */
  private async noting<T>(
    kind: AuditKind,
    about: { userId?: string; subjectId?: string; sessionId?: string },
    { whence }: Visit,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ParleyError) {
        const { userId, subjectId = userId, sessionId } = about;
        const detail = { code: error.code };
        this.deps.changes.audit.refused({ kind, actorId: userId, subjectId, sessionId, whence, detail });
      }
      throw error;
    }
  }
}

/** Counts a try of a code. Answers what was found by it; fails with `mfa_failed` where that is nothing. */
async function judged<T>(tries: PasswordTries, how: Try, find: () => Promise<T | undefined>): Promise<T> {
  let found: T | undefined;
  await tries.judge(how, async () => {
    found = await find();
    return found !== undefined;
  });
  if (found === undefined) throw new ParleyError('mfa_failed');
  return found;
}

function setUpIsOver(): ParleyError {
  return new ParleyError('link_expired', 'This set-up took too long: begin again');
}

function signInIsOver(): ParleyError {
  return new ParleyError('link_expired', 'This sign-in took too long: begin again');
}
