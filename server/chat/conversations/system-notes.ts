import type { PublicUser, SystemNote } from '../../../protocol/resources.ts';

/** What a system message says in English; clients that speak other languages say it from the note itself. */
export function describe(note: SystemNote, actor: string, users: ReadonlyMap<string, PublicUser>): string {
  const whom = list((note.user_ids ?? []).map((id) => users.get(id)?.username ?? 'somebody'));
  switch (note.kind) {
    case 'group_created':
      return `${actor} created the group “${note.name}”`;
    case 'participant_joined':
      return `${actor} added ${whom}`;
    case 'participant_left':
      return `${actor} left`;
    case 'participant_removed':
      return `${actor} removed ${whom}`;
    case 'renamed':
      return `${actor} renamed the group to “${note.name}”`;
  }
}

const NAMED = 5;

/** "Bob", "Bob and Carol", "Bob, Carol, Dan, Eve, Frank and 7 others". */
function list(names: string[]): string {
  const rest = names.length - NAMED;
  const shown = rest > 1 ? [...names.slice(0, NAMED), `${rest} others`] : names;
  if (shown.length < 2) return shown.join('');
  return `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
