import type { MessageView } from '../sdk.ts';
import { strings } from '../strings.ts';

/** What a system message tells, in the words of this client. */
export function systemText(
  message: MessageView,
  me: string | undefined,
  nameOf: (userId: string) => string | undefined,
): string {
  const { system: words } = strings;
  const note = message.system;
  if (!note) return message.content;
  const by = note.by === me ? words.you : (nameOf(note.by) ?? message.sender_username);
  const object = (id: string) => (id === me ? words.youObject : (nameOf(id) ?? words.somebody));
  const whom = (note.user_ids ?? []).map(object).join(', ');
  switch (note.kind) {
    case 'group_created':
      return note.name ? words.createdNamed(by, note.name) : words.created(by);
    case 'participant_joined':
      return whom === '' || note.user_ids?.includes(note.by) ? words.came(by) : words.joined(by, whom);
    case 'participant_left':
      return words.left(by);
    case 'participant_removed':
      return words.removed(by, whom);
    case 'renamed':
      return words.renamed(by, note.name ?? '');
  }
}
