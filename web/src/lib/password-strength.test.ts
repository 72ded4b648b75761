import { expect, test } from 'bun:test';
import { strengthOf } from './password-strength.ts';

const scoreOf = (password: string, personal?: string[]) => strengthOf(password, personal).score;

test('what the server would refuse has no strength', () => {
  expect(scoreOf('1234567')).toBe(0);
});

test('common words, rows of keys and repetitions are weak, however long', () => {
  for (const password of ['password', 'Password123', 'qwertyuiop', '1234567890', 'aaaaaaaaaaaa']) {
    expect([password, scoreOf(password)]).toEqual([password, 1]);
  }
});

test('one’s own name does not count', () => {
  expect(scoreOf('mara-lindqvist', ['mara', 'lindqvist'])).toBe(1);
});

test('a few words in a row are strong', () => {
  expect(scoreOf('correct horse battery')).toBe(4);
});
