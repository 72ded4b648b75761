import type { AuditKind } from '../audit/events.ts';
import type { Mails } from '../mail/mails.ts';
import type { Change } from '../sessions/account-changes.ts';
import { type Grant, hasSecondFactor, type Proof, type Session, type SignedIn } from '../sessions/model.ts';
import type { SessionsService } from '../sessions/sessions.ts';
import type { Account } from '../users/model.ts';
import { presentUser } from '../users/presenter.ts';
import type { Device, DeviceTokens } from './device-tokens.ts';
import { type MfaTickets, mfaRequired, type TicketToShow } from './mfa-tickets.ts';
import { type RestrictionConfig, restrictionOf } from './restrictions.ts';
import type { Tokens } from './tokens.ts';
import type { Arrival } from './visit.ts';

export interface EntranceDeps {
  sessions: SessionsService;
  tickets: MfaTickets;
  tokens: Tokens;
  devices: DeviceTokens;
  mails: Mails;
  config: RestrictionConfig;
}

/** Somebody who may come in, as far as they have shown who they are. */
export interface Entering {
  account: Account;
  proofs: readonly Proof[];
  arrival: Arrival;
  /** The device that has signed in before, where it has shown that; for which accounts it says itself. */
  device?: Device;
  /** What the audit trail calls it. */
  kind: Extract<AuditKind, 'account.created' | 'login' | 'password.reset'>;
}

/** What came of it, once it is committed. */
export interface Entered extends Entering {
  /** Left out where a second factor is missing. */
  session?: Session;
  ticket?: TicketToShow;
}

/** A session that begins, and by what its device is known from now on. */
export interface Arrived extends SignedIn {
  deviceToken: string;
}

/**
 * The one place where sessions begin, whichever door somebody came by: signing up, a password, a link, a second factor. So no
 * door leads past the second factor, and each is written down alike.
 */
export class Entrance {
  constructor(private readonly deps: EntranceDeps) {}

  /**
   * Begins a session in the change that found somebody entitled to one, and ends those that their browser leaves by it; or,
   * where the account has a second factor that was not shown, makes a ticket instead. Call `arrive` after the commit.
   */
  async enter(change: Change, entering: Entering): Promise<Entered> {
    const { account, proofs, arrival, device, kind } = entering;
    const { sessions, tickets } = this.deps;
    const event = { kind, actorId: account.id, subjectId: account.id, whence: arrival.whence };
    const isKnown = device?.userIds.includes(account.id) === true;
    if (account.has_factor === 1 && !hasSecondFactor(proofs)) {
      const ticket = await tickets.make(change.tx, { account, proofs });
      change.record({ ...event, detail: { known_device: isKnown, missing: 'factor' } });
      return { ...entering, ticket };
    }
    for (const left of arrival.before) await sessions.endIn(change, left.userId, left.sessionId);
    const { device: name, whence } = arrival;
    // Of a reset its own letter tells.
    const isNew = kind === 'login' && !isKnown;
    if (isNew) await this.tellOwner(change, entering);
    const session = await sessions.start(change, account.id, { proofs, device: name, address: whence.address });
    change.record({
      ...event,
      sessionId: session.id,
      detail: { known_device: isKnown, second_factor: hasSecondFactor(proofs) },
    });
    return { ...entering, session };
  }

  /** The device that a request says it is, where that is true. */
  async deviceOf({ deviceToken }: Arrival): Promise<Device | undefined> {
    return deviceToken === undefined ? undefined : this.deps.devices.read(deviceToken);
  }

  /** What a client is given. Fails with `mfa_required` where a second factor is missing. */
  async arrive({ account, session, ticket, device }: Entered): Promise<Arrived> {
    if (ticket) throw mfaRequired(ticket);
    const deviceToken = await this.deps.devices.issue(account.id, device);
    const user = presentUser(account, restrictionOf(account, this.deps.config));
    return { user, deviceToken, ...(await this.grant(session!)) };
  }

  /** The tokens of a session as it now stands. */
  async grant(session: Session): Promise<Grant> {
    return { tokens: await this.deps.tokens.issue(session), expiresAt: session.expires_at };
  }

  /** Writes to the owner of an account that a device signed in which has not been seen there (ASVS 6.3.5). */
  private async tellOwner({ tx }: Change, { account, arrival }: Entering): Promise<void> {
    const { mails, sessions } = this.deps;
    const { device, whence, language } = arrival;
    if (!mails.isPossible || account.email === null || account.email_proven === 0) return;
    if (await sessions.isFamiliar(tx, account.id, { device, address: whence.address })) return;
    const parameters = { device, address: whence.address ?? '', at: Date.now() };
    await mails.send(tx, { to: account.email, letter: 'newSignIn', language, parameters });
  }
}
