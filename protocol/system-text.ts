import type { SystemNote } from './resources.ts';

/** The name that somebody goes by now; undefined where nobody knows. */
export type NameOf = (userId: string) => string | undefined;

/** Names that are listed; of more the others are counted. */
const NAMED = 5;

/**
 * What a system message says in English, with the names that people go by as it is read: it is kept nowhere, so that nobody's
 * old name stays in it. Clients that speak other languages say it from the note itself.
 */
export function systemText(note: SystemNote, nameOf: NameOf): string {
  const name = (id: string) => nameOf(id) ?? 'somebody';
  const actor = name(note.by);
  const whom = () => list(note.user_ids ?? [], name);
  switch (note.kind) {
    case 'group_created':
      return `${actor} created the group “${note.name}”`;
    case 'participant_joined':
      return `${actor} added ${whom()}`;
    case 'participant_left':
      return `${actor} left`;
    case 'participant_removed':
      return `${actor} removed ${whom()}`;
    case 'renamed':
      return `${actor} renamed the group to “${note.name}”`;
  }
}

/** Whose names its text holds. */
export function namedIn({ by, user_ids = [] }: SystemNote): string[] {
  return [by, ...listed(user_ids)];
}

/** "Bob", "Bob and Carol", "Bob, Carol, Dan, Eve, Frank and 7 others". */
function list(ids: string[], name: (id: string) => string): string {
  const named = listed(ids);
  const names = named.map(name);
  const rest = ids.length - named.length;
  if (rest > 0) names.push(`${rest} others`);
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** Nobody is "1 others". */
function listed(ids: string[]): string[] {
  return ids.length > NAMED + 1 ? ids.slice(0, NAMED) : ids;
}
