import { randomInt } from 'node:crypto';
import type { Selectable } from 'kysely';
import { z } from 'zod';
import { USERNAME_LENGTH } from '../../protocol/limits.ts';
import { nameKey } from '../../protocol/names.ts';
import { Email, Username } from '../../protocol/requests.ts';
import type { UserRole } from '../../protocol/resources.ts';
import { isStorableText } from '../../protocol/text.ts';
import type { UsersTable } from '../database/schema.ts';
import { CursorCodec } from '../shared/cursor.ts';
import { toE164 } from './phone.ts';

/** A user as it is stored, the hash of the password included: never to leave the services. */
export type Account = Selectable<UsersTable>;

/**
 * What is known of the address of a new account. `vouched`: an operator says that it is theirs. `unproven`: nobody can be asked
 * there, as there is no mail; it is held all the same. `claimed`: it is asked there. `claimed_quietly`: the same, and nobody
 * is told whether it has an account already.
 */
export type AddressStanding = 'vouched' | 'unproven' | 'claimed' | 'claimed_quietly';

/** An account to be made; what the user gave has been checked. */
export interface NewAccount {
  email: string;
  /** Derived from the e-mail address where it is missing. */
  username?: string;
  display_name?: string;
  /** E.164. */
  phone_number?: string;
  role: UserRole;
  /** Whether it may have a reserved username: for those who run the installation. */
  may_be_reserved?: boolean;
  /** Whether its owner has to choose another password before anything else: somebody else made this one. */
  must_change_password?: boolean;
  standing: AddressStanding;
}

/** How somebody names an account to sign in; the first that is given counts. */
export interface Handle {
  email?: string;
  username?: string;
  phone_number?: string;
}

/** What a user may change of themselves. */
export interface ProfileChanges {
  display_name?: string;
  status?: string;
  username?: string;
  /** However it is spaced; an empty one takes it away. */
  phone_number?: string;
}

/** A name that one account at most has, as it is stored. */
export interface UniqueName {
  column: 'email' | 'username_key' | 'phone_number';
  value: string;
}

/** The name that a handle is, however it is spelt; undefined where no account could have it. */
export function uniqueName({ email, username, phone_number }: Handle): UniqueName | undefined {
  if (email !== undefined) return named('email', Email.safeParse(email).data);
  if (username === undefined) return named('phone_number', toE164(phone_number ?? ''));
  const name = Username.safeParse(username.trim());
  return named('username_key', name.success ? nameKey(name.data) : undefined);
}

function named(column: UniqueName['column'], value: string | undefined): UniqueName | undefined {
  return value === undefined ? undefined : { column, value };
}

/** Digits that are added to a derived username, try by try, until it is free. */
const SUFFIX_DIGITS = [0, 4, 6, 8, 10];

/** What a username is made of where the address offers none that one can have. */
const PLAIN = 'user';

/** The usernames to try for a new account: the one it asks for, or several made from its address, none of them reserved. */
export function candidateUsernames(
  { username, email }: Pick<NewAccount, 'username' | 'email'>,
  isReserved: (username: string) => boolean = () => false,
): string[] {
  if (username !== undefined) return [username];
  const derived = deriveUsername(email);
  const base = isReserved(derived) ? PLAIN : derived;
  return SUFFIX_DIGITS.map((digits) => (digits === 0 ? base : withSuffix(base, digits)));
}

/** A valid username from the part of an address before the `@`, without its tag (`+…`). */
export function deriveUsername(email: string): string {
  const [local = ''] = email.split('@');
  const [name = ''] = local.split('+');
  const letters = withoutEdges(name.replace(/[^A-Za-z0-9_.-]+/g, '')).slice(0, USERNAME_LENGTH.max);
  if (letters === '') return PLAIN;
  const long = letters.length >= USERNAME_LENGTH.min ? letters : `${PLAIN}_${letters}`;
  return Username.safeParse(long).success ? long : PLAIN;
}

/** A name without the separators that it begins and ends with. By hand: a pattern would look at each of them from each of them. */
function withoutEdges(name: string): string {
  const isSeparator = (place: number) => '_.-'.includes(name.charAt(place));
  let [from, to] = [0, name.length];
  while (from < to && isSeparator(from)) from++;
  while (from < to && isSeparator(to - 1)) to--;
  return name.slice(from, to);
}

function withSuffix(base: string, digits: number): string {
  const suffix = String(randomInt(10 ** (digits - 1), 10 ** digits));
  return base.slice(0, USERNAME_LENGTH.max - digits) + suffix;
}

/** Where a page of a search ended: those found by their username come first, those found by display name after them. */
const Key = z.string().refine(isStorableText);
const Place = z.union([z.object({ username_key: Key }), z.object({ display_name_key: Key, id: z.uuid() })]);
export type SearchPlace = z.output<typeof Place>;
export const searchPlace = new CursorCodec<SearchPlace>(Place);
