import { describe, expect, test } from 'bun:test';
import { cleanGroupName, cleanName, faultOfDisplayName, nameKey, shownName } from './names.ts';

describe('a name', () => {
  test('is compared as the examples of RFC 8266 are', () => {
    // §3, table 1: each with its form for comparison.
    const examples: [string, string][] = [
      ['Foo', 'foo'],
      ['foo', 'foo'],
      ['Foo Bar', 'foo bar'],
      ['foo bar', 'foo bar'],
      ['\u03a3', '\u03c3'],
      ['\u03c3', '\u03c3'],
      ['\u03c2', '\u03c2'],
      ['\u265a', '\u265a'],
      ['Richard \u2163', 'richard iv'],
    ];
    for (const [name, key] of examples) {
      expect({ name, key: nameKey(cleanName(name)) }).toEqual({ name, key });
      expect({ name, fault: faultOfDisplayName(cleanName(name)) }).toEqual({ name, fault: undefined });
    }
    expect(nameKey(' Foo \u3000 bar ')).toBe('foo bar');
  });

  test('that is clean stays as it is, whatever it was made of', () => {
    const parts = [
      'a',
      ' ',
      '\u200d',
      '\u200c',
      '\ufe0f',
      '\u0301',
      '\u202e',
      '❤',
      '👩',
      '🏽',
      '🏴',
      '\u{E0067}',
    ].concat(['\u{E007F}', 'ک', '\u064b', 'е', '\u3164', '\n', '\u2069', '1', '\u20e3']);
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let n = 0; n < 20_000; n++) {
      const name = Array.from({ length: 8 }, () => parts[random(parts.length)]).join('');
      const clean = cleanName(name);
      expect(cleanName(clean)).toBe(clean);
      expect(clean).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]|^\s|\s$|\s\s/u);
      expect(cleanGroupName(cleanGroupName(name))).toBe(cleanGroupName(name));
    }
  });

  test('takes a moment to clean, however it is made', () => {
    const started = performance.now();
    for (const part of ['\u200d', '\u064b', 'ک\u200d', '\u202e', ' ', '🏴\u{E0067}', '\ufe0f', 'é\u0301']) {
      cleanName(`ک${part.repeat(100)}x`);
      cleanGroupName(part.repeat(100));
    }
    expect(performance.now() - started).toBeLessThan(200);
  });

  test('from before is shown only where there is something of it to see', () => {
    expect(shownName('\u202eAnn', 'ann')).toBe('Ann');
    expect(shownName('\u200b', 'ann')).toBe('ann');
  });
});
