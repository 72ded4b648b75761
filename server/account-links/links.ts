import { passwordMark } from '../auth/password-mark.ts';
import type { Executor } from '../database/database.ts';
import type { LinkPurpose } from '../database/schema.ts';
import type { LinkAddresses } from '../mail/link-addresses.ts';
import { invalidField, ParleyError } from '../shared/errors.ts';
import type { Account } from '../users/model.ts';
import type { AccountLink, AccountLinksRepository } from './repository.ts';

/** How long a link is good, in milliseconds (ASVS 6.4.1, 6.6.3). */
const GOOD_MS: Record<LinkPurpose, number> = { verify: 24 * 3_600_000, reset: 3_600_000 };
/** Codes that may be tried of one link. */
const CODE_TRIES = 5;

export interface LinkToMake {
  account: Pick<Account, 'id' | 'password_hash'>;
  purpose: LinkPurpose;
  /** The address that it is sent to; empty where an operator hands it over. */
  email: string;
  /** What makes it, where that may come twice: the same id makes no second link. */
  id?: string;
}

/** What the audit trail is told of a refusal. */
export interface About {
  subjectId?: string;
}

/** Links and codes of letters: each is good once, for a time, until there is a newer one; one for a password until that is another. */
export class Links {
  constructor(
    private readonly repository: AccountLinksRepository,
    private readonly addresses: LinkAddresses,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Makes a link and ends the older ones like it; the caller holds the account's row, so that of two at once one is the newer.
   * Answers its id, or undefined where it was made before.
   */
  async make(
    tx: Executor,
    { account, purpose, email, id = Bun.randomUUIDv7() }: LinkToMake,
  ): Promise<string | undefined> {
    const now = this.now();
    const isNew = await this.repository.insert(tx, {
      id,
      user_id: account.id,
      purpose,
      email,
      password_mark: purpose === 'reset' ? passwordMark(account.password_hash) : null,
      created_at: now,
      expires_at: now + GOOD_MS[purpose],
      used_at: null,
      tries: 0,
    });
    if (!isNew) return undefined;
    await this.repository.end(tx, account.id, now, { purpose, except: id });
    return id;
  }

  /** The live link that a token is of; `about` is told whose it is, also where it is over. Fails with `link_expired`. */
  async byToken(purpose: LinkPurpose, token: string, about: About): Promise<AccountLink> {
    const id = this.addresses.open(purpose, token);
    const link = id && (await this.repository.byId(id));
    if (!link) throw new ParleyError('link_expired');
    about.subjectId = link.user_id;
    if (link.used_at !== null || link.expires_at <= this.now()) throw new ParleyError('link_expired');
    return link;
  }

  /**
   * The live link that a code of somebody's is of. Each try counts before it is looked at: six at once are one too many. Fails
   * with `link_expired` where none is live or too many were tried, and with `validation_failed` for another code.
   */
  async byCode(purpose: LinkPurpose, userId: string, code: string): Promise<AccountLink> {
    const now = this.now();
    const link = await this.repository.newest(userId, purpose, now);
    const mayTry = link && (await this.repository.countTry(link.id, { now, most: CODE_TRIES }));
    if (!mayTry) throw new ParleyError('link_expired');
    if (!this.addresses.isCode(purpose, link.id, code)) throw invalidField('code', 'This is not the right code');
    return link;
  }

  /** Uses a link up, in the transaction of what it is for. Fails with `link_expired` where another was faster. */
  async use(tx: Executor, link: AccountLink): Promise<void> {
    if (!(await this.repository.use(tx, link.id, this.now()))) throw new ParleyError('link_expired');
  }

  /** Ends all live links of an account, or those of one purpose. */
  end(tx: Executor, userId: string, purpose?: LinkPurpose): Promise<void> {
    return this.repository.end(tx, userId, this.now(), { purpose });
  }

  /** Ends what was sent to an address that is no longer theirs. */
  endAt(tx: Executor, userIds: string[], email: string): Promise<void> {
    return this.repository.endByAddress(tx, userIds, this.now(), { email, isKept: false });
  }

  /** Ends what was sent to other addresses than the one that is theirs from now on. */
  endElsewhere(tx: Executor, userId: string, email: string): Promise<void> {
    return this.repository.endByAddress(tx, [userId], this.now(), { email, isKept: true });
  }

  /** Deletes up to `limit` that are over, and says how many. */
  sweep(limit: number): Promise<number> {
    return this.repository.deleteExpired(this.now(), limit);
  }
}

/** Whether an account is still the one that a link for a new password was made for. */
export function fitsPassword(link: AccountLink, account: Account): boolean {
  return link.password_mark === passwordMark(account.password_hash);
}
