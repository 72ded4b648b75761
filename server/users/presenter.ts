import { DELETED_USER } from '../../protocol/limits.ts';
import { shownName } from '../../protocol/names.ts';
import type { PublicUser, User } from '../../protocol/resources.ts';
import type { Restriction } from '../shared/restriction.ts';
import type { Account } from './model.ts';

/** A user as others see it. Who deleted the account is nobody any more, but keeps the id that messages name. */
export function presentPublicUser(account: Account): PublicUser {
  const username = account.username ?? DELETED_USER;
  return {
    id: account.id,
    username,
    display_name: shownName(account.display_name, username),
    avatar_url: account.avatar_url ?? undefined,
    status: account.status ?? undefined,
    is_active: account.is_active === 1,
    created_at: account.created_at,
  };
}

/** A user as it sees itself; `restriction` is what they have to do before anything else. */
export function presentUser(account: Account, restriction?: Restriction): User {
  return {
    ...presentPublicUser(account),
    email: account.email ?? account.unverified_email ?? '',
    phone_number: account.phone_number ?? undefined,
    role: account.role,
    email_verified: account.email !== null && account.email_proven === 1,
    pending_email: account.email === null ? undefined : (account.unverified_email ?? undefined),
    has_second_factor: account.has_factor === 1,
    restriction,
  };
}
