import type { AuthPart } from '../auth/create-auth.ts';
import type { Core } from '../core.ts';
import { jobsOf } from '../jobs/handlers.ts';
import type { MailPart } from '../mail/create-mail.ts';
import type { Part } from '../part.ts';
import type { Sessions } from '../sessions/create-sessions.ts';
import { sweep } from '../shared/sweep.ts';
import type { UsersPart } from '../users/create-users.ts';
import { LinksByHand } from './by-hand.ts';
import { EmailService } from './email-service.ts';
import { Links } from './links.ts';
import { FORGOT, PasswordService } from './password-service.ts';
import { AccountLinksRepository } from './repository.ts';
import { accountLinksRoutes } from './routes.ts';

/** Links that are over are deleted so often, in milliseconds. */
const SWEEP_MS = 3_600_000;
const SWEEP_CHUNK = 1000;

type Needs = Pick<Sessions, 'sessions' | 'changes'> &
  Pick<UsersPart, 'users' | 'addresses'> &
  Pick<MailPart, 'mails' | 'links'> &
  Pick<AuthPart, 'auth' | 'passwords' | 'devices' | 'entrance' | 'arrivals'>;

export interface AccountLinksPart extends Part {
  byHand: LinksByHand;
}

/** What letters with links are for: addresses that are shown to be somebody's, and passwords that were lost. */
export function createAccountLinks(core: Core, needs: Needs): AccountLinksPart {
  const { config, database, limits, queue } = core;
  const { mails, links: linkAddresses, addresses, changes, auth, arrivals } = needs;
  const repository = new AccountLinksRepository(database);
  const links = new Links(repository, linkAddresses);
  const emails = new EmailService({ ...needs, links, limits, config: config.auth });
  const passwords = new PasswordService({ ...needs, repository, links, emails, database, queue, limits });
  auth.onSignUp((change, account, visit) => emails.signedUp(change, account, visit));
  return {
    byHand: new LinksByHand({ links, linkAddresses, addresses, changes, mails }),
    routes: [accountLinksRoutes({ emails, passwords, arrivals })],
    jobs: mails.reachesSomebody ? jobsOf({ [FORGOT]: passwords.handler }) : undefined,
    duties: [
      {
        name: 'account-links',
        everyMs: SWEEP_MS,
        run: (signal) => sweep(SWEEP_CHUNK, (limit) => links.sweep(limit), signal),
      },
    ],
  };
}
