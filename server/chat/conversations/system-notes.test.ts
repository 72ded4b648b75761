import { describe, expect, test } from 'bun:test';
import type { PublicUser, SystemNote } from '../../../protocol/resources.ts';
import { describe as say } from './system-notes.ts';

const names = ['Bob', 'Carol', 'Dan', 'Eve', 'Frank', 'Grace', 'Heidi', 'Ivan'];
const users = new Map(
  names.map((username): [string, PublicUser] => [
    username.toLowerCase(),
    { id: username.toLowerCase(), username, display_name: username, is_active: true, created_at: 0 },
  ]),
);
const added = (count: number): SystemNote => ({
  kind: 'participant_joined',
  by: 'alice',
  user_ids: [...users.keys()].slice(0, count),
});

describe('a system message says in English', () => {
  test('what was done, and by whom', () => {
    const notes: [SystemNote, string][] = [
      [{ kind: 'group_created', by: 'alice', name: 'Friends', user_ids: ['bob'] }, 'Alice created the group “Friends”'],
      [{ kind: 'participant_left', by: 'alice' }, 'Alice left'],
      [{ kind: 'participant_removed', by: 'alice', user_ids: ['bob'] }, 'Alice removed Bob'],
      [{ kind: 'renamed', by: 'alice', name: 'Foes' }, 'Alice renamed the group to “Foes”'],
    ];
    for (const [note, text] of notes) expect(say(note, 'Alice', users)).toBe(text);
  });

  test('whom it concerned, as a person would list them', () => {
    expect(say(added(1), 'Alice', users)).toBe('Alice added Bob');
    expect(say(added(2), 'Alice', users)).toBe('Alice added Bob and Carol');
    expect(say(added(3), 'Alice', users)).toBe('Alice added Bob, Carol and Dan');
    expect(say(added(6), 'Alice', users)).toBe('Alice added Bob, Carol, Dan, Eve, Frank and Grace');
    expect(say(added(7), 'Alice', users)).toBe('Alice added Bob, Carol, Dan, Eve, Frank and 2 others');
  });

  test('that it concerned somebody, where the name is not known any more', () => {
    const note: SystemNote = { kind: 'participant_removed', by: 'alice', user_ids: ['nobody'] };
    expect(say(note, 'Alice', users)).toBe('Alice removed somebody');
  });
});
