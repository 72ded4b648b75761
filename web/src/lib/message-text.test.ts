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
    for (const text of ['*a*', '`a`', '- a', '1. a', 'a\n\t- b', 'https://a.example', 'a@b.c', 'a@@b@c.d', '\\a'])
      expect([text, mayBeMarkdown(text)]).toEqual([text, true]);
    for (const text of ['', 'a - b', 'in 1999.', 'a@b', 'a@b@c', '@.b']) {
      expect([text, mayBeMarkdown(text)]).toEqual([text, false]);
    }
  });

  test('is one line without marks where there is room for one', () => {
    expect(toLine(' a\n\n b ')).toBe('a b');
    expect(toLine('**a** and `b`, see [c](https://d.example)')).toBe('a and b, see c');
  });

  test('is one line of what a line can show, behind any white space', () => {
    expect(toLine(`${'\n'.repeat(3000)}a ${'b'.repeat(900)} ${'c'.repeat(3000)}`)).toStartWith(
      `a ${'b'.repeat(900)} ccc`,
    );
    expect(toLine(`*${'a'.repeat(3998)}*`).length).toBe(1000);
  });

  // Each took time that grew with the square of its length, or would where a pattern is written with less care.
  for (const part of [
    '\n',
    ' ',
    ' \n',
    '\r\n',
    '\u2028',
    '\t',
    '@',
    '@a',
    '@.',
    '[a](b',
    '[a](',
    '[',
    '**a',
    '*',
    '`',
    '```',
    '1',
    '👍',
  ])
    test(`is read in next to no time, also of ${JSON.stringify(part)} without end`, () => {
      for (const text of [part.repeat(15_000 / part.length), `a${part.repeat(15_000 / part.length)}x`])
        for (const work of [toLine, mayBeMarkdown, isOnlyEmoji]) expect(least(() => work(text))).toBeLessThan(10);
    });
});

/** Of three tries: what is slow is slow each time, and a machine may be busy with something else. In milliseconds. */
function least(work: () => unknown): number {
  const times = [1, 2, 3].map(() => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return Math.min(...times);
}
