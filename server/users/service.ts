import { DELETED_USER } from '../../protocol/limits.ts';
import { Email } from '../../protocol/requests.ts';
import type { PublicUser, User, UserRole } from '../../protocol/resources.ts';
import type { Bus } from '../bus/bus.ts';
import type { Config } from '../config/config.ts';
import type { Executor } from '../database/database.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { AccountChanges, Change } from '../sessions/account-changes.ts';
import type { SessionsService } from '../sessions/sessions.ts';
import { invalidField, ParleyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { type Also, assertFree, createAccount } from './create-account.ts';
import { type Account, type Handle, type NewAccount, type ProfileChanges, uniqueName } from './model.ts';
import { presentPublicUser, presentUser } from './presenter.ts';
import { PublicUsers } from './public-users.ts';
import type { UsersRepository } from './repository.ts';
import { type FoundUsers, type Search, searchByName } from './search.ts';
import { type SignInNameCare, updateProfile } from './update-profile.ts';
import type { UsernameClaims } from './username-claims.ts';
import type { ReservedUsernames } from './usernames.ts';

export interface UsersDeps {
  repository: UsersRepository;
  claims: UsernameClaims;
  reserved: ReservedUsernames;
  changes: AccountChanges;
  sessions: SessionsService;
  bus: Bus;
  config: Pick<Config['auth'], 'discover_by_email'>;
  limits: Pick<RateLimits, 'directory' | 'email_lookup' | 'profile'>;
  log: Logger;
  /** Milliseconds since the Unix epoch. */
  now?: () => number;
}

/** Who deleted an account is told to these, once the account has become nobody's. */
type OnDeleted = (userId: string) => Promise<void>;

/** Accounts, as people see and change them, and as the other services ask for them. */
export class UsersService {
  private readonly publics: PublicUsers;
  private readonly deletionListeners: OnDeleted[] = [];
  private readonly now: () => number;

  constructor(private readonly deps: UsersDeps) {
    this.publics = new PublicUsers(deps.repository, deps.bus);
    this.now = deps.now ?? Date.now;
  }

  /** The users behind `ids` as others see them; who deleted the account is there as "deleted user". */
  publicUsers(ids: Iterable<string>): Promise<Map<string, PublicUser>> {
    return this.publics.get(ids);
  }

  /** Forgets what it keeps of them in memory: the database may have gone back. */
  forgetPublicUsers(): void {
    this.publics.forget();
  }

  /**
   * Fails with `user_not_found` where one of `ids` is no account in use, also by a change that is under way; and none of
   * them is closed or deleted before the transaction ends.
   */
  async requireActive(tx: Executor, ids: string[]): Promise<void> {
    const active = await this.deps.repository.holdActive(tx, ids);
    if (active < ids.length) throw new ParleyError('user_not_found');
  }

  /** A page of deleted accounts, in id order. */
  listDeletedIds(limit: number, afterId?: string): Promise<string[]> {
    return this.deps.repository.listDeletedIds(limit, afterId);
  }

  /** The active user with this address; nobody where people cannot be found by their address. */
  async findByEmail(email: string): Promise<PublicUser | undefined> {
    if (!this.deps.config.discover_by_email) return undefined;
    const account = await this.deps.repository.by('email', email.trim().toLowerCase());
    return account?.is_active ? presentPublicUser(account) : undefined;
  }

  /** Ids by address, of those who can be found like that. Whoever asks for a stranger limits how often. */
  async findIdsByEmails(emails: string[]): Promise<Map<string, string>> {
    if (!this.deps.config.discover_by_email) return new Map();
    const accounts = await this.deps.repository.byEmails([...new Set(emails)]);
    return new Map(accounts.filter((account) => account.is_active).map(({ email, id }) => [email!, id]));
  }

  /** Calls `listener` after every deletion, when the account is nobody's any more. */
  onDeleted(listener: OnDeleted): void {
    this.deletionListeners.push(listener);
  }

  /** A user as `callerId` may see them: oneself whole, others in public. */
  async seenBy(callerId: string, id: string): Promise<User | PublicUser> {
    const account = await this.deps.repository.byId(id);
    if (!account) throw new ParleyError('user_not_found');
    return id === callerId ? presentUser(account) : presentPublicUser(account);
  }

  /** A user as they see themselves. */
  async self(id: string): Promise<User> {
    return presentUser(await this.account(id));
  }

  /** People by the beginning of a name, or one by the whole of an address. */
  async search(callerId: string, search: Search): Promise<FoundUsers> {
    const email = this.deps.config.discover_by_email ? Email.safeParse(search.query) : undefined;
    if (!email?.success) return this.searchByName(callerId, search);
    await this.deps.limits.email_lookup?.take(callerId);
    const user = await this.findByEmail(email.data);
    return { users: user ? [user] : [] };
  }

  /** Each person who is shown counts: nobody takes the whole directory home. */
  private async searchByName(callerId: string, search: Search): Promise<FoundUsers> {
    const { limits, repository } = this.deps;
    await limits.directory?.take(callerId); // the first of them, before anything is looked up
    const found = await searchByName(repository, search);
    if (found.users.length > 1) await limits.directory?.take(callerId, found.users.length - 1);
    return found;
  }

  /** Changes what a user says of themselves. An empty status, or an empty number, takes it away. */
  async updateProfile(id: string, profile: ProfileChanges, care: SignInNameCare): Promise<User> {
    const { now } = this;
    const deps = { ...this.deps, now, requireChoosable: (username: string) => this.requireChoosable(username) };
    return updateProfile(deps, await this.account(id), profile, care);
  }

  /** Fails where a username is one that nobody can choose. */
  requireChoosable(username: string): void {
    if (!/[A-Za-z0-9]/.test(username)) throw invalidField('username', 'Username must hold a letter or a digit');
    if (this.deps.reserved.has(username)) throw new ParleyError('username_taken', 'This username is reserved');
  }

  /** Forgets usernames that are held back no more. */
  sweepUsernames(signal: AbortSignal): Promise<void> {
    return this.deps.claims.sweep(signal, this.now());
  }

  /**
   * Makes an account nobody's: its address and number are free again, its username is after a while, its sessions end. The row
   * stays, for the messages that name it. The caller has asked for the password, and writes down what was done.
   */
  async remove(id: string, record: (change: Change) => void): Promise<void> {
    await this.deps.changes.run(async (change) => {
      const { tx, tell } = change;
      const removed = await this.deps.repository.update(tx, id, {
        ...ANONYMOUS,
        is_active: 0,
        deleted_at: this.now(),
      });
      if (!removed) throw new ParleyError('user_not_found');
      await this.deps.claims.giveUp(tx, id, this.now());
      await this.deps.sessions.endAll(change, id);
      record(change);
      tell({ kind: 'user_changed', user_id: id });
    });
    for (const listener of this.deletionListeners) {
      // The account is gone whatever happens here, and one part's failure is not another's.
      await listener(id).catch((error) => this.deps.log.error({ err: error, user_id: id }, 'cleaning up failed'));
    }
  }

  /** An account that is not deleted. Fails with `user_not_found`. */
  async account(id: string): Promise<Account> {
    const account = await this.find(id);
    if (!account) throw new ParleyError('user_not_found');
    return account;
  }

  /** An account that is not deleted, or undefined. */
  async find(id: string): Promise<Account | undefined> {
    const account = await this.deps.repository.byId(id);
    return account?.deleted_at === null ? account : undefined;
  }

  /** The account that a handle names, or undefined; the first of its fields that is given counts. */
  async accountOf(handle: Handle): Promise<Account | undefined> {
    const name = uniqueName(handle);
    if (name?.column === 'email') return this.deps.repository.byAddress(name.value);
    const account = name && (await this.deps.repository.by(name.column, name.value));
    return name?.column === 'phone_number' && account?.phone_signs_in === 0 ? undefined : account;
  }

  /** Fails with the code of what is taken, or cannot be chosen. Who wins in the end is the database's to say. */
  async assertFree(account: Omit<NewAccount, 'role'>): Promise<void> {
    if (account.username !== undefined && !account.may_be_reserved) this.requireChoosable(account.username);
    await assertFree(this.deps, account, this.now());
  }

  /** Makes an account, and whatever else belongs to it, in one transaction. Of many with one address one is made. */
  create(account: NewAccount, passwordHash: string, also?: Also): Promise<User> {
    return createAccount(this.deps, { account, passwordHash, now: this.now(), also });
  }

  /**
   * Replaces the hash of a password, in a transaction, where the account is active and its hash still the `known` one.
   * Answers the account. Fails with `invalid_credentials` where it is not: the password was changed, or the account closed, in
   * the meantime.
   */
  async replaceHash(tx: Executor, id: string, known: string, next: string): Promise<Account> {
    const account = await this.deps.repository.replaceHash(tx, id, known, next);
    if (!account) throw new ParleyError('invalid_credentials');
    return account;
  }

  /** Sets a hash whatever was there before. `mustChange`: its owner is to choose another before anything else. */
  async setHash({ tx, tell }: Change, id: string, hash: string, { mustChange = false } = {}): Promise<Account> {
    const changes = { password_hash: hash, must_change_password: mustChange ? 1 : 0 } as const;
    const account = await this.deps.repository.update(tx, id, changes);
    if (!account) throw new ParleyError('user_not_found');
    tell({ kind: 'user_changed', user_id: id });
    return account;
  }

  /** The password is one that its owner chose: nothing has to be changed before anything else. */
  async passwordIsOwn({ tx, tell }: Change, id: string): Promise<void> {
    const [freed] = await this.deps.repository.passwordIsOwn(tx, id);
    if (freed) tell({ kind: 'user_changed', user_id: id });
  }

  /** An account as it now stands, which nothing else changes before the transaction ends. Fails with `user_not_found`. */
  async hold(tx: Executor, id: string): Promise<Account> {
    const account = await this.deps.repository.hold(tx, id);
    if (!account) throw new ParleyError('user_not_found');
    return account;
  }

  /** Says whether an account has a second factor, in the change that makes it so. */
  async setFactor({ tx, tell }: Change, id: string, has: boolean): Promise<void> {
    await this.deps.repository.update(tx, id, { has_factor: has ? 1 : 0 });
    tell({ kind: 'user_changed', user_id: id });
  }

  setRole(id: string, role: UserRole): Promise<User> {
    return this.change(id, { role }, ({ record }) =>
      record({ kind: 'account.role', subjectId: id, whence: {}, detail: { by: 'operator', role } }),
    );
  }

  /** Closes an account to its owner: no session, no new one. Others still see it, as not active. */
  async deactivate(id: string): Promise<void> {
    await this.deps.changes.run(async (change) => {
      const { tx, tell, record } = change;
      const closed = await this.deps.repository.update(tx, id, { is_active: 0 });
      if (!closed) throw new ParleyError('user_not_found');
      await this.deps.sessions.endAll(change, id);
      record({ kind: 'account.deactivated', subjectId: id, whence: {}, detail: { by: 'operator' } });
      tell({ kind: 'user_changed', user_id: id });
    });
  }

  private change(
    id: string,
    changes: Parameters<UsersRepository['update']>[2],
    also?: (change: Change, account: Account) => Promise<void> | void,
  ): Promise<User> {
    return this.deps.changes.run(async (change) => {
      const account = await this.deps.repository.update(change.tx, id, changes);
      if (!account) throw new ParleyError('user_not_found');
      await also?.(change, account);
      change.tell({ kind: 'user_changed', user_id: id });
      return presentUser(account);
    });
  }
}

/** What a deleted account is left with. The empty key keeps it out of every search. */
const ANONYMOUS = {
  email: null,
  username: null,
  username_key: null,
  display_name: DELETED_USER,
  display_name_key: '',
  phone_number: null,
  password_hash: null,
  avatar_url: null,
  status: null,
  role: 'user',
  unverified_email: null,
  email_proven: 0,
  has_factor: 0,
  must_change_password: 0,
} as const;
