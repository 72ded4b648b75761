import { nameKey } from '../../protocol/names.ts';
import type { User } from '../../protocol/resources.ts';
import { violatedColumns } from '../database/database.ts';
import type { AccountChanges, Change } from '../sessions/account-changes.ts';
import { ParleyError } from '../shared/errors.ts';
import { type Account, type AddressStanding, candidateUsernames, type NewAccount } from './model.ts';
import { presentUser } from './presenter.ts';
import type { UsersRepository } from './repository.ts';
import type { UsernameClaims } from './username-claims.ts';
import type { ReservedUsernames } from './usernames.ts';

/** What belongs to a new account and happens in the change that makes it. */
export type Also = (change: Change, account: Account) => Promise<void>;

interface Deps {
  repository: UsersRepository;
  changes: AccountChanges;
  claims: UsernameClaims;
  reserved: ReservedUsernames;
}

type FreeDeps = Pick<Deps, 'repository' | 'claims'>;

interface Creation {
  account: NewAccount;
  passwordHash: string;
  now: number;
  also?: Also;
}

/** Makes an account. The unique keys decide who gets a name; a derived one that is taken is tried with digits. */
export async function createAccount(deps: Deps, creation: Creation): Promise<User> {
  const { repository, changes, claims, reserved } = deps;
  const { account, now } = creation;
  let refusal: unknown;
  for (const username of candidateUsernames(account, (name) => !account.may_be_reserved && reserved.has(name))) {
    const row = newRow(creation, username);
    try {
      await changes.run(async (change) => {
        await repository.insert(change.tx, row);
        if (!(await claims.take(change.tx, row.id, username, now))) throw new NameRefused();
        await creation.also?.(change, row);
      });
      return presentUser(row);
    } catch (error) {
      refusal = takenOr(error);
      if (refusal === error && !(error instanceof NameRefused)) throw error;
      // The engine names one of the constraints that were violated: a taken address is said before a taken name.
      await assertFree(deps, account, now);
    }
  }
  throw refusal;
}

/** Fails with the code of what is taken: the address first, then the username, then the number. */
export async function assertFree(
  { repository, claims }: FreeDeps,
  { email, username, phone_number, standing }: Omit<NewAccount, 'role'>,
  now: number,
): Promise<void> {
  if (await isTaken(repository, email, standing)) throw new ParleyError('email_taken');
  if (username !== undefined) {
    if (await repository.by('username_key', nameKey(username))) throw new ParleyError('username_taken');
    if (!(await claims.isFree(username, now))) throw new NameRefused();
  }
  if (phone_number !== undefined && (await repository.by('phone_number', phone_number))) {
    throw new ParleyError('phone_taken');
  }
}

/** A name that nobody has, and that is not to be had: the same answer, for why that is so tells of others. */
export class NameRefused extends ParleyError {
  constructor() {
    super('username_taken');
  }
}

/** Whether an address is so much another's that who asks for it is told so. Where it can be proven, being first is not enough. */
async function isTaken(repository: UsersRepository, email: string, standing: AddressStanding): Promise<boolean> {
  if (standing === 'claimed_quietly') return false;
  const holder = await repository.by('email', email);
  return holder !== undefined && (standing !== 'claimed' || holder.email_proven === 1);
}

/** What a unique constraint refused, as the client is told; any other error as it is. */
export function takenOr(error: unknown): unknown {
  const columns = violatedColumns(error) ?? '';
  if (columns.includes('email')) return new ParleyError('email_taken');
  if (columns.includes('username_key')) return new ParleyError('username_taken');
  if (columns.includes('phone_number')) return new ParleyError('phone_taken');
  return error;
}

function newRow({ account, passwordHash, now }: Creation, username: string): Account {
  const display_name = account.display_name ?? username;
  const { email, standing } = account;
  const isClaimed = standing === 'claimed' || standing === 'claimed_quietly';
  return {
    id: Bun.randomUUIDv7(),
    email: isClaimed ? null : email,
    username,
    username_key: nameKey(username),
    display_name,
    display_name_key: nameKey(display_name),
    phone_number: account.phone_number ?? null,
    password_hash: passwordHash,
    avatar_url: null,
    status: null,
    role: account.role,
    is_active: 1,
    created_at: now,
    deleted_at: null,
    unverified_email: isClaimed ? email : null,
    email_proven: standing === 'vouched' ? 1 : 0,
    has_factor: 0,
    phone_signs_in: isClaimed ? 0 : 1,
    must_change_password: account.must_change_password ? 1 : 0,
  };
}
