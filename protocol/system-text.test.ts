import { describe, expect, test } from 'bun:test';
import type { SystemNote } from './resources.ts';
import { namedIn, systemText } from './system-text.ts';

const others = ['bob', 'carol', 'dan', 'eve', 'frank', 'grace', 'heidi', 'ivan'];
const names = new Map(['alice', ...others].map((id) => [id, id.replace(/^./, (letter) => letter.toUpperCase())]));
const say = (note: SystemNote) => systemText(note, (id) => names.get(id));
const added = (count: number): SystemNote => ({
  kind: 'participant_joined',
  by: 'alice',
  user_ids: others.slice(0, count),
});

describe('a system message says in English', () => {
  test('what was done, and by whom', () => {
    const notes: [SystemNote, string][] = [
      [{ kind: 'group_created', by: 'alice', name: 'Friends', user_ids: ['bob'] }, 'Alice created the group “Friends”'],
      [{ kind: 'participant_left', by: 'alice' }, 'Alice left'],
      [{ kind: 'participant_removed', by: 'alice', user_ids: ['bob'] }, 'Alice removed Bob'],
      [{ kind: 'renamed', by: 'alice', name: 'Foes' }, 'Alice renamed the group to “Foes”'],
    ];
    for (const [note, text] of notes) expect(say(note)).toBe(text);
  });

  test('whom it concerned, as a person would list them', () => {
    expect(say(added(1))).toBe('Alice added Bob');
    expect(say(added(2))).toBe('Alice added Bob and Carol');
    expect(say(added(3))).toBe('Alice added Bob, Carol and Dan');
    expect(say(added(6))).toBe('Alice added Bob, Carol, Dan, Eve, Frank and Grace');
    expect(say(added(7))).toBe('Alice added Bob, Carol, Dan, Eve, Frank and 2 others');
  });

  test('that it concerned somebody, where the name is not known any more', () => {
    expect(say({ kind: 'participant_removed', by: 'alice', user_ids: ['nobody'] })).toBe('Alice removed somebody');
  });

  test('no other names than those that it asks for', () => {
    for (const count of [1, 5, 6, 7, 8]) {
      const asked: string[] = [];
      systemText(added(count), (id) => {
        asked.push(id);
        return id;
      });
      expect(asked).toEqual(namedIn(added(count)));
    }
    expect(namedIn(added(8))).toHaveLength(6);
  });
});
