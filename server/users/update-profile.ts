import type { Updateable } from 'kysely';
import { nameKey } from '../../protocol/names.ts';
import type { User } from '../../protocol/resources.ts';
import type { UsersTable } from '../database/schema.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { AccountChanges, Change } from '../sessions/account-changes.ts';
import { invalidField, ParleyError } from '../shared/errors.ts';
import { NameRefused, takenOr } from './create-account.ts';
import type { Account, ProfileChanges } from './model.ts';
import { toE164 } from './phone.ts';
import { presentUser } from './presenter.ts';
import type { UsersRepository } from './repository.ts';
import type { UsernameClaims } from './username-claims.ts';

/** By what one signs in, of all that somebody says of themselves. */
export type SignInName = 'username' | 'phone_number';

/** What belongs to another name to sign in by. */
export interface SignInNameCare {
  /** Whether a number that nobody was asked at is a name to sign in by. */
  phoneSignsIn: boolean;
  /** Asked before another name is looked at. */
  requireProof(): Promise<void>;
  /** What is done in the change that gives another name, for each of them. */
  onChange(change: Change, account: Account, which: SignInName): Promise<void>;
}

interface Deps {
  repository: UsersRepository;
  changes: AccountChanges;
  claims: UsernameClaims;
  limits: Pick<RateLimits, 'profile'>;
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Fails where a username is one that nobody can choose. */
  requireChoosable(username: string): void;
}

/** Changes what somebody says of themselves. An empty status, or an empty number, takes it away. */
export async function updateProfile(
  deps: Deps,
  before: Account,
  profile: ProfileChanges,
  care: SignInNameCare,
): Promise<User> {
  const changes = columnsOf(profile);
  if (Object.keys(changes).length === 0) return presentUser(before);
  await deps.limits.profile?.take(before.id);
  const others: SignInName[] = [];
  // Whatever it is, everybody may keep the name that they have, in other letters too.
  if (changes.username_key !== undefined && changes.username_key !== before.username_key) others.push('username');
  if (changes.phone_number !== undefined && changes.phone_number !== before.phone_number) others.push('phone_number');
  if (others.length > 0) await care.requireProof();
  if (others.includes('username')) deps.requireChoosable(profile.username!);
  if (others.includes('phone_number')) changes.phone_signs_in = care.phoneSignsIn ? 1 : 0;
  try {
    return await deps.changes.run(async (change) => {
      const account = await deps.repository.update(change.tx, before.id, changes);
      if (!account) throw new ParleyError('user_not_found');
      if (others.includes('username')) await goBy(deps, change, before.id, profile.username!);
      for (const which of others) await care.onChange(change, account, which);
      change.tell({ kind: 'user_changed', user_id: before.id });
      return presentUser(account);
    });
  } catch (error) {
    throw takenOr(error);
  }
}

function columnsOf({ display_name, status, username, phone_number }: ProfileChanges): Updateable<UsersTable> {
  return {
    ...(display_name !== undefined && { display_name, display_name_key: nameKey(display_name) }),
    ...(status !== undefined && { status: status.trim() === '' ? null : status }),
    ...(username !== undefined && { username, username_key: nameKey(username) }),
    ...(phone_number !== undefined && { phone_number: phone_number.trim() === '' ? null : requirePhone(phone_number) }),
  };
}

/** A number in E.164. Fails with `validation_failed` where it is none. */
export function requirePhone(given: string): string {
  const number = toE164(given);
  if (number !== undefined) return number;
  throw invalidField('phone_number', 'Phone number must be a valid one in E.164, such as +14155552671');
}

/** The name before is held back, in the transaction in which another is taken. */
async function goBy({ claims, now }: Deps, { tx }: Change, id: string, username: string): Promise<void> {
  const at = now();
  if (!(await claims.take(tx, id, username, at))) throw new NameRefused();
  await claims.giveUp(tx, id, at, username);
}
