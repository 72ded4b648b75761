import { describe, expect, test } from 'bun:test';
import { MAX_BODY_BYTES, MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../../protocol/limits.ts';
import { parseBoundedJson } from './bounded-json.ts';
import { ParleyError } from './errors.ts';

const parse = (text: string) => parseBoundedJson(text, 'body');
const nested = (depth: number, [open, close]: [string, string], inside = '1') =>
  open.repeat(depth) + inside + close.repeat(depth);
const LISTS: [string, string] = ['[', ']'];
const OBJECTS: [string, string] = ['{"a":', '}'];

/** What a text is refused with. */
function refusal(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ParleyError && error.status === 400) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('it was taken');
}

describe('JSON of a client', () => {
  test('is what it says, within the bounds', () => {
    for (const text of [
      '{"a":[1,2.5e3,-0,"x",true,null,{}]}',
      ' [ ] ',
      '"text"',
      nested(MAX_JSON_DEPTH, LISTS),
      nested(MAX_JSON_DEPTH, OBJECTS),
      JSON.stringify(Array.from({ length: MAX_JSON_VALUES - 2 }, (_, n) => n)),
      JSON.stringify(Array.from({ length: 1000 }, (_, n) => ({ id: 'x', rev: n, marks_rev: n }))),
    ]) {
      expect(parse(text)).toEqual(JSON.parse(text));
    }
  });

  test('may hold any number of brackets and commas in its strings', () => {
    for (const inside of [
      '['.repeat(50_000),
      '{'.repeat(100),
      ','.repeat(50_000),
      '\\'.repeat(999),
      `\\"[${'{,'.repeat(30_000)}`,
    ]) {
      for (const value of [inside, `${inside}"`, `${inside}\\`, `"${inside}`]) {
        const text = JSON.stringify({ [value]: [value, { value }] });
        expect(parse(text)).toEqual(JSON.parse(text));
      }
    }
  });

  test('is refused where it is nested deeper, also in what nobody knows', () => {
    const message = 'invalid_json: The body is nested more than 32 deep';
    for (const text of [
      nested(MAX_JSON_DEPTH + 1, LISTS),
      nested(MAX_JSON_DEPTH + 1, OBJECTS),
      nested(20, LISTS, nested(20, OBJECTS)),
      '['.repeat(MAX_BODY_BYTES),
      '{"a":'.repeat(10_000),
      `{"content":"\\\\","unknown":${nested(MAX_JSON_DEPTH, LISTS)}}`,
      `{"content":"a\\"]","unknown":${nested(MAX_JSON_DEPTH, LISTS)}}`,
    ]) {
      expect(refusal(text)).toBe(message);
    }
  });

  test('is refused where it holds more values', () => {
    const many = MAX_JSON_VALUES;
    for (const text of [
      `[${'0,'.repeat(many)}0]`,
      `[${'[],'.repeat(many / 2)}0]`,
      `{${'"a":1,'.repeat(many)}"a":1}`,
      `{"a":[${'"",'.repeat(many)}""]}`,
    ]) {
      expect(refusal(text)).toBe('validation_failed: The body holds more than 20000 values');
    }
  });

  test('is refused where it is none, without a look at more than it has to', () => {
    for (const text of [
      '',
      '{',
      '"',
      '"\\',
      ']'.repeat(100),
      `${']'.repeat(100)}${'['.repeat(100)}`,
      `"${'x'.repeat(50_000)}`,
    ]) {
      expect(refusal(text)).toBe('invalid_json: The body is not valid JSON');
    }
    expect(() => parseBoundedJson('{', 'frame')).toThrow('The frame is not valid JSON');
  });

  test('does not change the prototype of what it becomes', () => {
    const value = parse('{"__proto__":{"role":"admin"},"a":1,"a":2}') as { a: number; role?: string };
    expect([value.a, value.role, Object.getPrototypeOf(value)]).toEqual([2, undefined, Object.prototype]);
  });

  test('is followed in a time that grows with its length alone', () => {
    const milliseconds = (text: string) => {
      const times = Array.from({ length: 5 }).map(() => {
        const started = performance.now();
        try {
          parse(text);
        } catch {
          // most of them are refused, which has to be quick too
        }
        return performance.now() - started;
      });
      return Math.min(...times);
    };
    const full = (unit: string) => unit.repeat(MAX_BODY_BYTES / unit.length);
    for (const text of ['[', '{"a":', '[]', '"', '\\', '"\\"', '\\"', '1', '[{', '{"1000":[1],', '},{'].map(full)) {
      expect(milliseconds(text)).toBeLessThan(40);
      expect(milliseconds(`"${text}`)).toBeLessThan(40);
    }
  });
});
