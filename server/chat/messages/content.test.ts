import { describe, expect, test } from 'bun:test';
import { checkContent } from './content.ts';

const MAX = 10;
const isTaken = (content: string): boolean => {
  try {
    checkContent(content, MAX);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'validation_failed', details: { errors: [{ path: 'content' }] } });
    return false;
  }
};

describe('the content of a message', () => {
  test('is 1 to so many characters, whatever they are made of', () => {
    for (const one of ['x', 'é', '你', '😀']) {
      expect(isTaken(one)).toBe(true);
      expect(isTaken(one.repeat(MAX))).toBe(true);
      expect(isTaken(one.repeat(MAX + 1))).toBe(false);
    }
    expect(isTaken('')).toBe(false);
  });

  test('is counted without the white space around it, of which there may be some, and never only that', () => {
    expect(isTaken(`  \n${'x'.repeat(MAX)}\t `)).toBe(true);
    expect(isTaken(`${' '.repeat(1000)}x`)).toBe(false);
    for (const blank of [' ', '\n\t', '\u00a0', '\u2003\ufeff']) expect(isTaken(blank)).toBe(false);
  });

  test('is text that every engine keeps: no NUL, no half of a surrogate pair', () => {
    for (const text of ['a\0b', '\0', '\ud83d', '\ude00', 'a\ud800b', '\ude00\ud83d'])
      expect(isTaken(text)).toBe(false);
    for (const text of ['\u0001', '\u202Eabc', '\uffff', 'e\u0301', '👩‍👧']) expect(isTaken(text)).toBe(true);
  });
});
