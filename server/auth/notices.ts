import type { Executor } from '../database/database.ts';
import { DEFAULT_LANGUAGE } from '../mail/letters/index.ts';
import type { Mails } from '../mail/mails.ts';
import type { Account } from '../users/model.ts';
import { hasProvenEmail } from './restrictions.ts';
import type { Visit } from './visit.ts';

/** What was done to an account's way of signing in. */
type Notice = 'passwordChanged' | 'usernameChanged' | 'phoneChanged' | 'addressChanged';
/** What those did to it who run the installation; in which language its owner reads nobody knows then. */
type NoticeByOperator = 'passwordGiven' | 'addressReleased';

/**
 * Tells the owner of an account, at the address that is known to be theirs as the account stands, what was done to it
 * (ASVS 6.3.7); in the transaction that does it. Where there is no mail, or no such address, nobody is told.
 */
export async function notify(
  mails: Mails,
  tx: Executor,
  account: Account,
  notice: { letter: Notice; visit: Visit },
): Promise<void> {
  if (!mails.isPossible || !hasProvenEmail(account)) return;
  const { device, whence, language } = notice.visit;
  const parameters = { device, address: whence.address ?? '', at: Date.now() };
  await mails.send(tx, { to: account.email!, letter: notice.letter, language, parameters });
}

/** The same, of what was done from the machine itself. */
export async function notifyByOperator(
  mails: Mails,
  tx: Executor,
  account: Account,
  letter: NoticeByOperator,
): Promise<void> {
  if (!mails.isPossible || !hasProvenEmail(account)) return;
  await mails.send(tx, { to: account.email!, letter, language: DEFAULT_LANGUAGE, parameters: { at: Date.now() } });
}
