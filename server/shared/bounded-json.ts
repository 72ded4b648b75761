import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../../protocol/limits.ts';
import { invalidField, ParleyError } from './errors.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** What a text is of: for the message. */
type What = 'body' | 'frame';

/**
 * The value of a text of JSON that a client sent. Fails with `invalid_json` where it is none or nested too deeply, and with
 * `validation_failed` where it holds too many values (RFC 8259 §9): a parser takes 65 ms over a megabyte of `[`, 34 ms over keys
 * that are numbers, and nothing else is done meanwhile.
 */
export function parseBoundedJson(text: string, what: What): unknown {
  if (mayExceed(text)) requireBounds(text, what);
  try {
    return JSON.parse(text);
  } catch {
    throw new ParleyError('invalid_json', `The ${what} is not valid JSON`);
  }
}

/** Whether a look at all of it is needed: hardly any frame has so many brackets, or is so long. */
function mayExceed(text: string): boolean {
  // Two characters are the shortest that a value takes, with what parts it from the next one.
  if (text.length > 2 * MAX_JSON_VALUES) return true;
  return countUpTo(MAX_JSON_DEPTH + 1, text, '{') + countUpTo(MAX_JSON_DEPTH + 1, text, '[') > MAX_JSON_DEPTH;
}

function countUpTo(most: number, text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0 && count < most; at = text.indexOf(character, at + 1)) count++;
  return count;
}

/** Follows what opens and closes outside of strings. Whether it is JSON at all is the parser's to say. */
function requireBounds(text: string, what: What): void {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) {
      at = endOfString(text, at);
    } else if (character === COMMA) {
      values++;
    } else if (character === OPEN_LIST || character === OPEN_OBJECT) {
      depth++;
      values++;
      if (depth > MAX_JSON_DEPTH) {
        throw new ParleyError('invalid_json', `The ${what} is nested more than ${MAX_JSON_DEPTH} deep`);
      }
    } else if (character === CLOSE_LIST || character === CLOSE_OBJECT) {
      depth--;
    }
    if (values > MAX_JSON_VALUES) {
      throw invalidField('', `The ${what} holds more than ${MAX_JSON_VALUES} values`);
    }
  }
}

/** Where the string ends that begins at `start`; the end of the text where it does not. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    // An even number of backslashes before it escape each other.
    if ((at - first) % 2 === 0) return at;
  }
  return text.length;
}
