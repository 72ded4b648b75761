import { nameKey } from '../../protocol/names.ts';
import type { PublicUser } from '../../protocol/resources.ts';
import { type Account, type SearchPlace, searchPlace } from './model.ts';
import { presentPublicUser } from './presenter.ts';
import type { UsersRepository } from './repository.ts';

export interface Search {
  /** The beginning of a name; empty for everyone. */
  query: string;
  limit: number;
  cursor?: string;
}

export interface FoundUsers {
  users: PublicUser[];
  next_cursor?: string;
}

/**
 * Active people whose username begins with the query, by username; after them those whose display name does, by display
 * name. Two walks along an index rather than one sorted union: a page costs what it returns, however many are found. Those
 * whom a walk passes over, inactive or found before, end a page early, also an empty one: what is looked at for one has a
 * bound, wherever a cursor leads.
 */
export async function searchByName(repository: UsersRepository, search: Search): Promise<FoundUsers> {
  const prefix = nameKey(search.query);
  const place = search.cursor === undefined ? undefined : searchPlace.decode(search.cursor);
  const after = place !== undefined && 'id' in place ? place : undefined;
  const afterUsername = place !== undefined && 'username_key' in place ? place.username_key : undefined;
  const found: Account[] = [];
  if (!after) {
    const byUsername = await repository.searchUsernames({ prefix, after: afterUsername, limit: search.limit + 1 });
    found.push(...byUsername.found);
    if (found.length > search.limit) return page(found, search.limit, usernamePlace);
    if (byUsername.walkedTo !== undefined) return endingAt(found, { username_key: byUsername.walkedTo });
    if (prefix === '') return endingAt(found); // everyone has a username
  }
  const wanted = search.limit + 1 - found.length; // one more says whether there is a next page
  const byDisplayName = await repository.searchDisplayNames({ prefix, after, limit: wanted });
  const usernames = found.length;
  found.push(...byDisplayName.found);
  if (found.length <= search.limit) return endingAt(found, byDisplayName.walkedTo);
  return page(found, search.limit, usernames === search.limit ? usernamePlace : displayNamePlace);
}

const usernamePlace = (account: Account) => ({ username_key: account.username_key! });
const displayNamePlace = ({ display_name_key, id }: Account) => ({ display_name_key, id });

/** The first `limit` of those found, with the place of the last of them. */
function page(found: Account[], limit: number, placeOf: (last: Account) => SearchPlace): FoundUsers {
  const shown = found.slice(0, limit);
  return endingAt(shown, placeOf(shown.at(-1)!));
}

function endingAt(found: Account[], place?: SearchPlace): FoundUsers {
  return { users: found.map(presentPublicUser), next_cursor: place && searchPlace.encode(place) };
}
