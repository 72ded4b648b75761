import { z } from 'zod';
import { Email } from '../../protocol/requests.ts';
import type { DeviceTokens } from '../auth/device-tokens.ts';
import type { Arrived, Entrance } from '../auth/entrance.ts';
import { notify } from '../auth/notices.ts';
import { IS_GIVEN, tooWeak } from '../auth/password-strength.ts';
import type { Passwords } from '../auth/passwords.ts';
import { hasProvenEmail } from '../auth/restrictions.ts';
import type { Arrival, Visit } from '../auth/visit.ts';
import type { Database } from '../database/database.ts';
import type { JobHandler } from '../jobs/handlers.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import { isLanguage } from '../mail/letters/index.ts';
import type { Mails } from '../mail/mails.ts';
import type { AccountChanges, Change } from '../sessions/account-changes.ts';
import type { SessionsService } from '../sessions/sessions.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Addresses } from '../users/addresses.ts';
import type { Account } from '../users/model.ts';
import type { UsersService } from '../users/service.ts';
import { addressMark } from './address-mark.ts';
import type { EmailService } from './email-service.ts';
import { type About, fitsPassword, type Links } from './links.ts';
import type { AccountLink, AccountLinksRepository } from './repository.ts';

/** The kind of its jobs in the queue. */
export const FORGOT = 'forgot-password';
const TRY_TIMEOUT_MS = 30_000;

/** Somebody who has forgotten a password, or says so: whether there is such an account is not looked at before. */
const ForgotJob = z.object({
  email: Email,
  language: z.string().refine(isLanguage),
  whence: z.object({ address: z.string().optional(), requestId: z.string().optional() }),
});
type ForgotJob = z.output<typeof ForgotJob>;

export interface PasswordServiceDeps {
  repository: AccountLinksRepository;
  links: Links;
  emails: EmailService;
  users: UsersService;
  addresses: Addresses;
  sessions: SessionsService;
  changes: AccountChanges;
  passwords: Passwords;
  devices: DeviceTokens;
  entrance: Entrance;
  mails: Mails;
  database: Database;
  queue: JobQueue<Record<typeof FORGOT, ForgotJob>>;
  limits: Pick<RateLimits, 'forgot_account'>;
}

/** A lost password, and how its owner comes by another (ASVS 6.4.3, 6.3.8). */
export class PasswordService {
  constructor(private readonly deps: PasswordServiceDeps) {}

  /**
   * Asks for a link for a new password. The request does the same whatever the address: it writes one job, and nobody has looked
   * whether there is an account. Fails with `mail_unavailable` where the installation has no mail.
   */
  async forgot(email: string, { whence, language }: Visit): Promise<void> {
    const { mails, queue, database, limits } = this.deps;
    if (!mails.reachesSomebody) throw new ParleyError('mail_unavailable');
    await limits.forgot_account?.take(addressMark(email));
    const payload = { email, language, whence };
    await database.transaction((tx) => queue.enqueue(tx, { kind: FORGOT, payload, priority: 'high' }));
    queue.wake();
    mails.requirePossible(); // what the terminal is shown reaches nobody else
  }

  /** What the queue's runner does with that. The link is of the job's id: a job that comes twice makes one link, and one letter. */
  get handler(): JobHandler<ForgotJob> {
    return {
      schema: ForgotJob,
      timeoutMs: TRY_TIMEOUT_MS,
      handle: async (job, { jobId }) => {
        await this.sendLink(job, jobId);
        return { kind: 'done' };
      },
    };
  }

  /**
   * Gives an account the password that its owner chose, who came by a link. All sessions and links end; what goes on after it is
   * the entrance's to say, which asks for the second factor. Fails with `link_expired`.
   */
  async reset(token: string, password: string, arrival: Arrival): Promise<Arrived> {
    const { links, users, passwords, devices, changes, entrance } = this.deps;
    const about: About = {};
    try {
      const link = await links.byToken('reset', token, about);
      const account = await users.account(link.user_id);
      if (!fitsPassword(link, account)) throw new ParleyError('link_expired'); // before the hash, which is dear
      const asker = { kind: 'stranger', key: arrival.address } as const;
      const isGiven =
        account.must_change_password === 1 && (await passwords.verify(password, account.password_hash, asker));
      if (isGiven) throw tooWeak('new_password', IS_GIVEN);
      const names = { ...account, email: link.email };
      const hash = await passwords.choose(password, asker, names, 'new_password');
      const { deviceToken } = arrival;
      const device = deviceToken === undefined ? undefined : await devices.read(deviceToken);
      const entered = await changes.run(async (change) => {
        const renewed = await this.renew(change, link, hash, arrival);
        return entrance.enter(change, { account: renewed, proofs: ['link'], arrival, device, kind: 'password.reset' });
      });
      return await entrance.arrive(entered);
    } catch (error) {
      const code = error instanceof ParleyError ? error.code : undefined;
      // What lacks the second factor was written down as done: the password is another.
      if (code && code !== 'mfa_required') {
        const { whence } = arrival;
        changes.audit.refused({ kind: 'password.reset', ...about, whence, detail: { code } });
      }
      if (code === 'user_not_found') throw new ParleyError('link_expired');
      throw error;
    }
  }

  private async renew(change: Change, link: AccountLink, hash: string, visit: Visit): Promise<Account> {
    const { links, users, addresses, sessions } = this.deps;
    const { tx } = change;
    const held = await addresses.hold(tx, link.user_id, link.email);
    const { account } = held;
    if (!account || !fitsPassword(link, account) || !isTheirs(account, link.email))
      throw new ParleyError('link_expired');
    await links.use(tx, link);
    if (link.email !== '' && !hasProvenEmail(account))
      await this.takeOver(change, { ...held, account }, link.email, visit);
    else if (account.email !== null && account.unverified_email !== null) await addresses.dropClaim(change, account.id);
    const renewed = await users.setHash(change, account.id, hash);
    await sessions.endAll(change, account.id);
    await links.end(tx, account.id);
    await notify(this.deps.mails, tx, renewed, { letter: 'passwordChanged', visit });
    return renewed;
  }

  /**
   * An account whose address nobody had shown to be theirs becomes that of who reads its letters. Whoever made it may have been
   * somebody else, who is left with nothing to come back by (contract: pre-hijacking).
   */
  private async takeOver(
    change: Change,
    held: Parameters<EmailService['prove']>[1],
    email: string,
    visit: Visit,
  ): Promise<void> {
    const { id } = held.account;
    await this.deps.emails.prove(change, held, email, visit);
    await this.deps.repository.removeFactors(change.tx, id);
    change.record({ kind: 'email.verified', subjectId: id, whence: visit.whence, detail: { by: 'reset' } });
  }

  private async sendLink({ email, language, whence }: ForgotJob, jobId: string): Promise<void> {
    const { users, addresses, links, mails, changes } = this.deps;
    const found = await users.accountOf({ email });
    const isSent =
      found &&
      (await changes.run(async (change) => {
        const { account } = await addresses.hold(change.tx, found.id, email);
        if (!account || !isTheirs(account, email)) return false;
        const link = await links.make(change.tx, { account, purpose: 'reset', email, id: jobId });
        if (link === undefined) return true; // this job came before, and got as far as that
        await mails.send(change.tx, { to: email, letter: 'reset', language, parameters: { link } });
        change.record({ kind: 'password.forgot', subjectId: account.id, whence });
        return true;
      }));
    if (isSent) mails.wake();
    else changes.audit.refused({ kind: 'password.forgot', whence, detail: { code: 'user_not_found' } });
  }
}

/** Whether a link that was sent to an address is good for an account: its own address, or the only one that it has asked for. */
function isTheirs({ email, unverified_email }: Account, address: string): boolean {
  return address === '' || (email ?? unverified_email) === address;
}
