import type { Transaction } from 'kysely';
import type { User } from '../../protocol/resources.ts';
import { violatedColumns } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import type { AccountChanges, Tell } from '../sessions/account-changes.ts';
import { ParleyError } from '../shared/errors.ts';
import { type Account, candidateUsernames, type NewAccount, nameKey } from './model.ts';
import { presentUser } from './presenter.ts';
import type { UsersRepository } from './repository.ts';

/** What belongs to a new account and happens in the transaction that makes it. */
export type Also = (tx: Transaction<Schema>, userId: string, tell: Tell) => Promise<void>;

interface Deps {
  repository: UsersRepository;
  changes: AccountChanges;
}

interface Creation {
  account: NewAccount;
  passwordHash: string;
  now: number;
  also?: Also;
}

/** Makes an account. The unique constraints decide who gets a name; a derived one that is taken is tried with digits. */
export async function createAccount({ repository, changes }: Deps, creation: Creation): Promise<User> {
  let refusal: unknown;
  for (const username of candidateUsernames(creation.account)) {
    const row = newRow(creation, username);
    try {
      await changes.run(async (tx, tell) => {
        await repository.insert(tx, row);
        await creation.also?.(tx, row.id, tell);
      });
      return presentUser(row);
    } catch (error) {
      refusal = takenOr(error);
      if (refusal === error) throw error;
      // The engine names one of the constraints that were violated: a taken address is said before a taken name.
      await assertFree(repository, creation.account);
    }
  }
  throw refusal;
}

/** Fails with the code of what is taken: the address first, then the username, then the number. */
export async function assertFree(
  repository: UsersRepository,
  { email, username, phone_number }: Omit<NewAccount, 'role'>,
): Promise<void> {
  if (await repository.by('email', email)) throw new ParleyError('email_taken');
  if (username !== undefined && (await repository.by('username_key', nameKey(username)))) {
    throw new ParleyError('username_taken');
  }
  if (phone_number !== undefined && (await repository.by('phone_number', phone_number))) {
    throw new ParleyError('phone_taken');
  }
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
  return {
    id: Bun.randomUUIDv7(),
    email: account.email,
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
  };
}
