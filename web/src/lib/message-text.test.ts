import { describe, expect, test } from 'bun:test';
import { isOnlyEmoji, mayBeMarkdown, toLine } from './message-text.ts';

describe('the text of a message', () => {
  test('is shown large where it is nothing but one to three emoji', () => {
    for (const text of ['👍', '🎉 🎉', '👩‍👩‍👧', '🇩🇪', '1️⃣', '❤️❤️❤️'])
      expect([text, isOnlyEmoji(text)]).toEqual([text, true]);
    for (const text of ['', '1', 'schön', 'ok 👍', '👍👍👍👍', '→', '©'])
      expect([text, isOnlyEmoji(text)]).toEqual([text, false]);
  });

  test('is parsed only where it may be Markdown', () => {
    for (const text of ['*a*', '`a`', '- a', '1. a', 'https://a.example', 'a@b.c', '\\a'])
      expect(mayBeMarkdown(text)).toBe(true);
    for (const text of ['', 'a - b', 'in 1999.', 'a@b']) expect(mayBeMarkdown(text)).toBe(false);
  });

  test('is one line without marks where there is room for one', () => {
    expect(toLine(' a\n\n b ')).toBe('a b');
    expect(toLine('**a** and `b`, see [c](https://d.example)')).toBe('a and b, see c');
  });
});
