import { beforeEach, describe, expect, test } from 'bun:test';
import type { Token } from 'marked';
import { BoundedLexer, beginCount, countElements, countPlace } from './markdown-bounds.ts';

describe('a message that is parsed', () => {
  beforeEach(() => beginCount(''));

  const read = (text: string) => new BoundedLexer({ gfm: true, breaks: true }).lex(text);

  test('has lists in lists, six deep; what is deeper stays as it was typed', () => {
    for (const [depth, lists] of [
      [3, 3],
      [6, 6],
      [7, 6],
      [1900, 6],
    ] as const) {
      const tokens = read(`${'- '.repeat(depth)}x`);
      expect([depth, deepest(tokens, 'list')]).toEqual([depth, lists]);
      expect(innermost(tokens)).toBe(`${'- '.repeat(depth - lists)}x`);
    }
  });

  test('has emphasis in emphasis, and loses nothing of what is deeper', () => {
    const tokens = read(`${'*a _b '.repeat(20)}x${' b_ a*'.repeat(20)}`);
    expect(deepest(tokens, 'em')).toBe(12);
    expect(JSON.stringify(tokens)).toContain('x');
  });

  test('ends a text where something begins', () => {
    const texts = (source: string) => (read(source)[0] as { tokens: Token[] }).tokens.map(({ raw }) => raw);
    expect(texts('see a.b@c.example, or www.a.example!')).toEqual([
      'see ',
      'a.b@c.example',
      ', or ',
      'www.a.example',
      '!',
    ]);
    expect(texts('(https://a.example/b&lt;)')).toEqual(['(', 'https://a.example/b', '&lt;)']);
    expect(texts('a *b* \\* `c`\nd  \ne')).toEqual(['a ', '*b*', ' ', '\\*', ' ', '`c`', '\n', 'd', '  \n', 'e']);
  });

  test('is too much where it is too long, has too many lines, marks, places or elements', () => {
    expect(() => beginCount('a'.repeat(8000))).not.toThrow();
    expect(() => beginCount('a'.repeat(8001))).toThrow();
    expect(() => beginCount('\n'.repeat(301))).toThrow();
    expect(() => read(`${'*a '.repeat(50)}${'b'.repeat(3800)}`)).not.toThrow();
    expect(() => read(`${'*a '.repeat(60)}${'b'.repeat(3800)}`)).toThrow();
    expect(() => countElements('<br>'.repeat(301))).toThrow();
    expect(() => Array.from({ length: 2001 }, countPlace)).toThrow();
  });
});

/** How deep tokens of a type lie in each other. */
function deepest(tokens: readonly any[], type: string): number {
  const depths = tokens.map((token) => deepest(inside(token), type) + (token.type === type ? 1 : 0));
  return Math.max(0, ...depths);
}

function innermost(tokens: readonly any[]): string {
  const lists = tokens.flatMap((token) => (token.type === 'list' ? token.items : []));
  return lists.length > 0 ? innermost(lists[0].tokens) : tokens[0].text;
}

function inside(token: any): any[] {
  return [...(token.items ?? []), ...(token.tokens ?? [])];
}
