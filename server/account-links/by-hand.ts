import { notifyByOperator } from '../auth/notices.ts';
import type { Link, LinkAddresses } from '../mail/link-addresses.ts';
import type { Mails } from '../mail/mails.ts';
import type { AccountChanges } from '../sessions/account-changes.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Addresses } from '../users/addresses.ts';
import type { Account } from '../users/model.ts';
import { waiting } from './email-service.ts';
import type { Links } from './links.ts';

export interface ByHandDeps {
  links: Links;
  linkAddresses: LinkAddresses;
  addresses: Addresses;
  changes: AccountChanges;
  mails: Mails;
}

/** Links that whoever runs the installation makes and hands over by other ways than mail. */
export class LinksByHand {
  constructor(private readonly deps: ByHandDeps) {}

  /** A link for a new password. It says nothing about the address of the account. */
  reset(account: Account): Promise<Link> {
    return this.make(account, 'reset', '');
  }

  /** A link that confirms the address that an account waits for. Fails with `not_found` where it waits for none. */
  async verify(account: Account): Promise<Link & { email: string }> {
    const email = waiting(account);
    if (email === undefined)
      throw new ParleyError('not_found', `${account.username} has no address that waits to be confirmed`);
    return { email, ...(await this.make(account, 'verify', email)) };
  }

  /** Takes an address from whoever holds it or asks for it. Answers who they were. */
  async release(email: string): Promise<Account[]> {
    return this.deps.changes.run(async (change) => {
      const losers = await this.deps.addresses.release(change, email);
      await this.deps.links.endAt(
        change.tx,
        losers.map(({ id }) => id),
        email,
      );
      for (const loser of losers) {
        // Who merely asked for it has another, or none: there is nobody to tell at this one.
        if (loser.email === email) await notifyByOperator(this.deps.mails, change.tx, loser, 'addressReleased');
      }
      return losers;
    });
  }

  private async make({ id: userId }: Account, purpose: 'reset' | 'verify', email: string): Promise<Link> {
    const { links, linkAddresses, addresses, changes } = this.deps;
    const id = await changes.run(async (change) => {
      const { account } = await addresses.hold(change.tx, userId, email);
      if (!account) throw new ParleyError('user_not_found');
      change.record({ kind: 'link.made', subjectId: userId, whence: {}, detail: { by: 'operator', purpose } });
      return links.make(change.tx, { account, purpose, email });
    });
    return linkAddresses.write(purpose, id!);
  }
}
