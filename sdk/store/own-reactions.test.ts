import { expect, test } from 'bun:test';
import type { Message, Reaction } from '../protocol.ts';
import { keepOwnReactions } from './own-reactions.ts';

const others = Array.from({ length: 20 }, (_, index) => `user ${index}`);
const with_ = (...reactions: Reaction[]) => ({ id: 'm', reactions }) as Message;
const mine = (message: Message) => message.reactions!.filter((one) => one.me).map(({ emoji }) => emoji);

test('one’s own reaction is known where one is named', () => {
  const told = with_({ emoji: '👍', count: 2, user_ids: ['you', 'me'] }, { emoji: '🎉', count: 1, user_ids: ['you'] });
  expect(mine(keepOwnReactions(told, undefined, 'me'))).toEqual(['👍']);
});

test('among many it is known by its cause, or from before', () => {
  const told = with_({ emoji: '👍', count: 30, user_ids: others });
  const held = with_({ emoji: '👍', count: 29, user_ids: others, me: true });
  const cause = (kind: 'reaction.add' | 'reaction.remove', user_id = 'me') => ({ kind, user_id, emoji: '👍' });
  expect(mine(keepOwnReactions(told, undefined, 'me'))).toEqual([]);
  expect(mine(keepOwnReactions(told, undefined, 'me', cause('reaction.add')))).toEqual(['👍']);
  expect(mine(keepOwnReactions(told, held, 'me', cause('reaction.add', 'you')))).toEqual(['👍']);
  expect(mine(keepOwnReactions(told, held, 'me', cause('reaction.remove')))).toEqual([]);
});

test('where all are named, one who is not among them did not react', () => {
  const told = with_({ emoji: '👍', count: 1, user_ids: ['you'] });
  const held = with_({ emoji: '👍', count: 2, user_ids: ['you', 'me'], me: true });
  expect(mine(keepOwnReactions(told, held, 'me'))).toEqual([]);
});
