import type { AuditKind } from '../audit/events.ts';
import { notify } from '../auth/notices.ts';
import { hasProvenEmail } from '../auth/restrictions.ts';
import type { Visit } from '../auth/visit.ts';
import type { Config } from '../config/config.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { Language } from '../mail/letters/index.ts';
import type { Mails } from '../mail/mails.ts';
import type { AccountChanges, Change } from '../sessions/account-changes.ts';
import type { TokenClaims } from '../sessions/model.ts';
import { invalidField, ParleyError } from '../shared/errors.ts';
import type { Addresses, Held } from '../users/addresses.ts';
import type { Account } from '../users/model.ts';
import type { UsersService } from '../users/service.ts';
import { addressMark } from './address-mark.ts';
import type { About, Links } from './links.ts';
import type { AccountLink } from './repository.ts';

export interface EmailServiceDeps {
  users: UsersService;
  addresses: Addresses;
  links: Links;
  mails: Mails;
  changes: AccountChanges;
  limits: Pick<RateLimits, 'email_letters' | 'email_letters_to'>;
  config: Pick<Config['auth'], 'require_verified_email'>;
}

/** Addresses of accounts: whether they are their owner's, and how they change (ASVS 6.3.7, 6.4.3). */
export class EmailService {
  constructor(private readonly deps: EmailServiceDeps) {}

  /** Asks the address of a new account whether it is its owner's, in the transaction that makes the account. */
  async signedUp(change: Change, account: Account, { language }: Visit): Promise<void> {
    const { unverified_email: email } = account;
    if (email === null) return;
    const { others } = await this.deps.addresses.hold(change.tx, account.id, email);
    await this.ask(change, { account, others }, email, language);
  }

  /** Sends another letter for the address that waits to be confirmed. Fails with `not_found` where none does. */
  async resend(caller: TokenClaims, visit: Visit): Promise<void> {
    await this.judged('email.requested', caller, visit, async () => {
      const account = await this.deps.users.account(caller.userId);
      const email = waiting(account);
      if (email === undefined) throw new ParleyError('not_found', 'No address of yours waits to be confirmed');
      await this.request(caller, visit, email);
    });
  }

  /** Asks another address whether it is theirs; until it says so the account keeps the one that it has. */
  async change(caller: TokenClaims, email: string, visit: Visit): Promise<void> {
    await this.judged('email.requested', caller, visit, async () => {
      const account = await this.deps.users.account(caller.userId);
      if (account.email === email && account.email_proven === 1) {
        throw invalidField('new_email', 'This is your address already');
      }
      await this.request(caller, visit, email);
    });
  }

  /** Confirms an address by its link, whoever opens it: that it was read there is what counts. */
  async verifyByToken(token: string, visit: Visit): Promise<void> {
    await this.judged('email.verified', undefined, visit, async (about) => {
      const link = await this.deps.links.byToken('verify', token, about);
      await this.confirm(link, visit);
    });
  }

  /** Confirms an address by the code of its letter, for who is signed in. */
  async verifyByCode(caller: TokenClaims, code: string, visit: Visit): Promise<void> {
    await this.judged('email.verified', caller, visit, async () => {
      await this.confirm(await this.deps.links.byCode('verify', caller.userId, code), visit, caller);
    });
  }

  /** Makes an address an account's own, which was shown to be; in the transaction that uses the link. Fails with `link_expired` where it is another's by now. */
  async prove(change: Change, held: Held & { account: Account }, email: string, visit: Visit): Promise<void> {
    const { addresses, links } = this.deps;
    if (addresses.isTaken(held, email)) throw new ParleyError('link_expired');
    await addresses.prove(change, held, email, visit.whence);
    const losers = held.others.map(({ id }) => id);
    await links.endAt(change.tx, losers, email);
    await links.endElsewhere(change.tx, held.account.id, email);
  }

  private async confirm(link: AccountLink, visit: Visit, caller?: TokenClaims): Promise<void> {
    const { addresses, links, changes } = this.deps;
    const { user_id: userId, email } = link;
    await changes.run(async (change) => {
      const held = await addresses.hold(change.tx, userId, email);
      const { account } = held;
      if (!account || !asksFor(account, email)) throw new ParleyError('link_expired');
      await links.use(change.tx, link);
      await this.prove(change, { ...held, account }, email, visit);
      await links.end(change.tx, userId, 'verify');
      // To the address that it had until now, where that was known to be theirs.
      await notify(this.deps.mails, change.tx, account, { letter: 'addressChanged', visit });
      const kind = hasProvenEmail(account) ? 'email.changed' : 'email.verified';
      change.record({
        kind,
        actorId: caller?.userId,
        subjectId: userId,
        sessionId: caller?.sessionId,
        whence: visit.whence,
      });
    });
  }

  /** Notes what an account asks for, and writes there. What has an account already is told so, not who asks. */
  private async request(caller: TokenClaims, visit: Visit, email: string): Promise<void> {
    const { addresses, mails, changes, limits, config } = this.deps;
    const { userId, sessionId } = caller;
    if (!mails.reachesSomebody) throw new ParleyError('mail_unavailable');
    await limits.email_letters?.take(userId);
    await limits.email_letters_to?.take(addressMark(email));
    await changes.run(async (change) => {
      const held = await addresses.hold(change.tx, userId, email);
      const { account } = held;
      if (!account) throw new ParleyError('user_not_found');
      if (!config.require_verified_email && addresses.isTaken(held, email)) throw new ParleyError('email_taken');
      if (account.email !== email) await addresses.claim(change, userId, email);
      await this.ask(change, { ...held, account }, email, visit.language);
      change.record({ kind: 'email.requested', actorId: userId, subjectId: userId, sessionId, whence: visit.whence });
    });
    mails.wake();
    mails.requirePossible(); // what the terminal was shown has reached nobody else
  }

  /** Makes the link, and a letter in any case: which one it is nobody sees but who reads it. */
  private async ask(
    { tx }: Change,
    held: Held & { account: Account },
    email: string,
    language: Language,
  ): Promise<void> {
    const { addresses, links, mails } = this.deps;
    const link = await links.make(tx, { account: held.account, purpose: 'verify', email });
    if (addresses.isTaken(held, email))
      await mails.send(tx, { to: email, letter: 'addressTaken', language, parameters: {} });
    else await mails.send(tx, { to: email, letter: 'verify', language, parameters: { link: link! } });
  }

  /** Does something, and writes down where it is refused. */
  private async judged(
    kind: AuditKind,
    caller: TokenClaims | undefined,
    { whence }: Visit,
    work: (about: About) => Promise<void>,
  ): Promise<void> {
    const about: About = { subjectId: caller?.userId };
    try {
      await work(about);
    } catch (error) {
      if (error instanceof ParleyError) {
        const detail = { code: error.code };
        this.deps.changes.audit.refused({
          kind,
          actorId: caller?.userId,
          ...about,
          sessionId: caller?.sessionId,
          whence,
          detail,
        });
      }
      throw error;
    }
  }
}

/** The address of an account that waits to be confirmed; undefined for none. */
export function waiting({ email, email_proven, unverified_email }: Account): string | undefined {
  return unverified_email ?? (email_proven === 1 ? undefined : (email ?? undefined));
}

function asksFor(account: Account, email: string): boolean {
  return account.unverified_email === email || (account.email === email && account.email_proven === 0);
}
