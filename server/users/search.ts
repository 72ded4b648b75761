import { nameKey } from '../../protocol/names.ts';
import type { PublicUser } from '../../protocol/resources.ts';
import { searchPlace } from './model.ts';
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
 * name. Two walks along an index rather than one sorted union: a page costs what it returns, however many are found.
 */
export async function searchByName(repository: UsersRepository, search: Search): Promise<FoundUsers> {
  const prefix = nameKey(search.query);
  const place = search.cursor === undefined ? undefined : searchPlace.decode(search.cursor);
  const inDisplayNames = place !== undefined && 'id' in place;
  const wanted = search.limit + 1; // one more says whether there is a next page

  const byUsername = inDisplayNames
    ? []
    : await repository.searchUsernames({ prefix, after: place?.username_key, limit: wanted });
  const missing = prefix === '' ? 0 : wanted - byUsername.length; // everyone has a username
  const byDisplayName =
    missing === 0
      ? []
      : await repository.searchDisplayNames({ prefix, after: inDisplayNames ? place : undefined, limit: missing });

  const found = [...byUsername, ...byDisplayName].slice(0, search.limit);
  const users = found.map(presentPublicUser);
  const last = found.at(-1);
  if (!last || byUsername.length + byDisplayName.length < wanted) return { users };
  const end =
    found.length <= byUsername.length
      ? { username_key: last.username_key! }
      : { display_name_key: last.display_name_key, id: last.id };
  return { users, next_cursor: searchPlace.encode(end) };
}
