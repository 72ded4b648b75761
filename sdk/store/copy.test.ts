import { expect, test } from 'bun:test';
import type { Entry, Message, Participant } from '../protocol.ts';
import { Copy, type Delta } from './copy.ts';

const ME = 'me';
const CONVERSATION = { id: 'c', type: 'group' as const, created_at: 1, updated_at: 1, seq: 0, rev: 1 };

function participant(id: string, rev = 1, more: Partial<Participant> = {}): Participant {
  return {
    id,
    username: id,
    display_name: id,
    is_active: true,
    created_at: 1,
    participant_role: 'member',
    joined_at: 1,
    read_seq: 0,
    delivered_seq: 0,
    rev,
    ...more,
  };
}

function message(seq: number, rev: number, more: Partial<Message> = {}): Message {
  return {
    id: `m${seq}`,
    conversation_id: 'c',
    sender_id: 'other',
    sender_username: 'other',
    content: `content ${seq}`,
    type: 'text',
    sent_at: seq,
    seq,
    rev,
    ...more,
  };
}

/** A copy of which no messages were asked for. */
function closedCopy(more: Partial<Entry> = {}): Copy {
  const participants = [participant(ME), participant('other')];
  return new Copy(ME, {
    conversation: CONVERSATION,
    participants,
    participant_count: 2,
    unread_count: 0,
    read_seq: 0,
    ...more,
  });
}

/** A copy whose messages are loaded. */
function copy(more: Partial<Entry> = {}): Copy {
  const made = closedCopy(more);
  made.putPage({ messages: [], has_more: false, rev: 1 });
  return made;
}

/** Revs 2 to 8: three messages, an edit, a reaction, a deletion, somebody who joins. */
const HISTORY: Delta[] = [
  { rev: 2, messages: [message(1, 2)] },
  {
    rev: 3,
    messages: [
      message(2, 3, { reply_to: { id: 'm1', sender_id: 'other', sender_username: 'other', excerpt: 'content 1' } }),
    ],
  },
  { rev: 4, messages: [message(1, 4, { content: 'edited', edited_at: 5 })] },
  {
    rev: 5,
    messages: [
      message(1, 5, { content: 'edited', edited_at: 5, reactions: [{ emoji: '👍', count: 1, user_ids: ['x'] }] }),
    ],
  },
  { rev: 6, messages: [message(3, 6, { sender_id: ME })] },
  { rev: 7, participants: [participant('third', 7)], joined: 1 },
  { rev: 8, messages: [message(1, 8, { content: '', deleted_at: 9 })] },
];

const after = (deltas: Delta[]) => {
  const made = copy();
  for (const delta of deltas) made.apply(delta);
  return made;
};

test('what comes twice or late changes nothing', () => {
  const wanted = after(HISTORY).record();
  expect(after([...HISTORY, ...HISTORY]).record()).toEqual(wanted);
  const made = after(HISTORY);
  for (const delta of [...HISTORY].reverse()) made.apply(delta);
  expect(made.record()).toEqual(wanted);
  expect(made.windowRecord()).toEqual(after(HISTORY).windowRecord());
});

test('changes in one answer end where the live ones do', () => {
  const live = after(HISTORY);
  const answered = copy();
  answered.apply({
    rev: 8,
    messages: [HISTORY[1]!.messages![0]!, HISTORY[4]!.messages![0]!, HISTORY[6]!.messages![0]!],
    participants: [participant('third', 7)],
  });
  expect(answered.windowRecord()).toEqual(live.windowRecord());
  expect(answered.record()).toEqual(live.record());
});

test('a quote is made anew when its message changes, and is empty once it is deleted', () => {
  const excerpt = (made: Copy) => made.message('m2')?.reply_to?.excerpt;
  expect(excerpt(after(HISTORY.slice(0, 2)))).toBe('content 1');
  expect(excerpt(after(HISTORY.slice(0, 3)))).toBe('edited');
  expect(excerpt(after(HISTORY))).toBe('');
});

test('a page that is older than the copy takes its rev back, so that what it lacks is fetched', () => {
  const made = closedCopy();
  for (const delta of HISTORY) made.apply(delta);
  made.putPage({ messages: [message(1, 2)], has_more: false, rev: 2 });
  expect(made.rev).toBe(2);
  made.apply({ rev: 8, messages: HISTORY.slice(1).flatMap(({ messages }) => messages ?? []) });
  expect(made.windowRecord()).toEqual(after(HISTORY).windowRecord());
});

test('marks only grow, reading is receiving, and a message moves its sender’s own', () => {
  const made = copy();
  expect(made.mark({ user_id: 'other', delivered_seq: 3, read_seq: 2 })).toBe(true);
  expect(made.mark({ user_id: 'other', delivered_seq: 1, read_seq: 1 })).toBe(false);
  expect(made.markOf('other')).toEqual({ user_id: 'other', delivered_seq: 3, read_seq: 2 });
  made.mark({ user_id: 'other', delivered_seq: 0, read_seq: 5 });
  expect(made.markOf('other').delivered_seq).toBe(5);
  made.apply({ rev: 2, messages: [message(7, 2)] });
  expect(made.markOf('other')).toEqual({ user_id: 'other', delivered_seq: 7, read_seq: 7 });
});

test('new messages are told in their order, also where an edit put the first one last', () => {
  const made = copy();
  made.apply({ rev: 3, messages: [message(2, 3)] });
  made.apply({ rev: 4, messages: [message(1, 4, { edited_at: 4 })] });
  const news = made.takeNews();
  expect(news.fresh.map(({ seq }) => seq)).toEqual([1, 2]);
  made.apply({ rev: 5, messages: [message(1, 5, { edited_at: 5 })] });
  expect(made.takeNews()).toMatchObject({ fresh: [], updated: [{ seq: 1, rev: 5 }], isReformed: false });
});

test('messages below those that are loaded stay out until their page is', () => {
  const made = closedCopy();
  made.apply({ rev: 7 });
  made.putPage({ messages: [message(5, 6), message(6, 7)], has_more: true, rev: 7 });
  made.apply({ rev: 8, messages: [message(2, 8, { edited_at: 8 })] });
  expect(made.window!.map(({ seq }) => seq)).toEqual([5, 6]);
  made.putPage({ messages: [message(3, 4), message(4, 5)], has_more: true, rev: 8 });
  expect(made.window!.map(({ seq }) => seq)).toEqual([3, 4, 5, 6]);
  expect(made.hasOlder).toBe(true);
});

test('who left stays known, and is no longer counted', () => {
  const made = after([...HISTORY, { rev: 9, participants: [participant('third', 9, { left: true })], joined: -1 }]);
  expect(made.participantCount).toBe(2);
  expect(made.present.map(({ id }) => id)).toEqual([ME, 'other']);
  expect(made.participants.get('third')).toMatchObject({ left: true });
});

test('of a large group the number is counted along, or asked for where that cannot be', () => {
  const made = copy({ participant_count: 500 });
  made.apply({ rev: 2, participants: [participant('new', 2)], joined: 1 });
  expect([made.participantCount, made.countIsUnknown]).toEqual([501, false]);
  made.apply({ rev: 9, participants: [participant('newer', 8)] });
  expect(made.countIsUnknown).toBe(true);
});

test('a copy that was stored is the same when it is read, and where its parts differ the older counts', () => {
  const made = after(HISTORY);
  made.takeNews();
  const restored = Copy.restore(ME, made.record(), made.windowRecord());
  expect(restored.record()).toEqual(made.record());
  expect(restored.windowRecord()).toEqual(made.windowRecord());
  const older = Copy.restore(ME, made.record(), after(HISTORY.slice(0, 3)).windowRecord());
  expect(older.rev).toBe(4);
});
