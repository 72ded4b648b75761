import { DELETED_USER } from './limits.ts';

/**
 * Names that people and groups are shown under, by the Nickname profile of RFC 8266, with two differences. Emoji are names
 * too, so the joiners and selectors that they are made of may stand in them. And a name is kept in NFC, as it was meant to
 * look, for NFKC turns some emoji into letters: it is compared in NFKC (`nameKey`). Characters that the profile disallows, and
 * that nobody sees, are left out rather than refused: they come along with what is pasted.
 */

/** Marks that stand on one letter, at most: the most that a language needs, with one to spare. */
export const MAX_MARKS = 4;

/** What looks like a space: Unicode calls the blank pattern of Braille a symbol. */
const SPACES = /[\p{White_Space}\u2800]+/gu;

/** The flags of regions, such as Scotland's: a black flag, letters that are not shown, and their end. */
const FLAG = '\\u{1F3F4}[\\u{E0020}-\\u{E007E}]{1,8}\\u{E007F}';
const SCRIPTS_WITH_JOINERS = ['Arabic', 'Syriac', 'Mongolian', 'Nko', 'Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati']
  .concat(['Oriya', 'Tamil', 'Telugu', 'Kannada', 'Malayalam', 'Sinhala', 'Khmer', 'Myanmar', 'Tibetan'])
  .map((script) => `\\p{Script=${script}}`)
  .join('');
/** Between two letters of a script in which it changes how they are written. */
const JOINER_OF_LETTERS = `(?<=[${SCRIPTS_WITH_JOINERS}]\\p{M}*)[\\u200c\\u200d](?=[${SCRIPTS_WITH_JOINERS}])`;
/** Between two pictures, which it makes one. */
const JOINER_OF_PICTURES =
  '(?<=\\p{Extended_Pictographic}[\\ufe0f\\p{Emoji_Modifier}]?)\\u200d(?=\\p{Extended_Pictographic})';
/** After what can look one way or another: a picture, a symbol, a letter of some scripts, or the digit of a key. */
const SELECTOR =
  '(?<=[\\p{Extended_Pictographic}\\p{S}\\p{Script=Han}\\p{Script=Mongolian}\\p{Script=Myanmar}])\\p{Variation_Selector}' +
  '|(?<=[0-9#*])\\ufe0f(?=\\u20e3)';
/** Controls, what turns the direction of writing, and what is not shown at all. */
const UNSEEN = '[\\p{Cc}\\p{Bidi_Control}\\p{Default_Ignorable_Code_Point}\\p{Noncharacter_Code_Point}\\ufff9-\\ufffc]';
const KEPT_OR_UNSEEN = new RegExp(`(${FLAG}|${JOINER_OF_LETTERS}|${JOINER_OF_PICTURES}|${SELECTOR})|${UNSEEN}`, 'gu');

/** A name as it is kept: without what nobody sees, and with single spaces inside only. */
export function cleanName(name: string): string {
  const clean = name
    .normalize('NFC')
    .replace(KEPT_OR_UNSEEN, (one, kept: string | undefined) => kept ?? (/\s/.test(one) ? ' ' : ''))
    .replace(SPACES, ' ')
    .trim()
    .normalize('NFC');
  // What is left may have been kept for the sake of what is gone.
  return clean === name ? clean : cleanName(clean);
}

/**
 * The name of a group as it is kept: as it was sent, with what turns the direction of writing where that ends with the name, but
 * clean where it would act on what stands around it.
 */
export function cleanGroupName(name: string): string {
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(name) || !closesItself(name) ? cleanName(name) : name;
}

/** The characters that turn the direction of writing until another one, and which that is (UAX #9). */
const CLOSED_BY: Readonly<Record<string, string>> = {
  ...{ '\u202a': '\u202c', '\u202b': '\u202c', '\u202d': '\u202c', '\u202e': '\u202c' },
  ...{ '\u2066': '\u2069', '\u2067': '\u2069', '\u2068': '\u2069' },
};

/** Whether all that a text opens it closes, and nothing else. */
function closesItself(text: string): boolean {
  const open: string[] = [];
  for (const one of text.match(/[\u202a-\u202e\u2066-\u2069]/g) ?? []) {
    const closing = CLOSED_BY[one];
    if (closing !== undefined) open.push(closing);
    else if (open.pop() !== one) return false;
  }
  return open.length === 0;
}

/** A letter, a number or a picture, without which a name shows nothing to know it by. */
const SHOWN = /[\p{L}\p{N}\p{S}]/u;
const MANY_MARKS = new RegExp(`(?:(?!\\p{Variation_Selector})[\\p{Mn}\\p{Me}]){${MAX_MARKS + 1}}`, 'u');

/** Alphabets with letters that look alike: a word is of one of them (UTS #39, §5.2). */
const ALPHABETS = ['Latin', 'Greek', 'Cyrillic', 'Armenian', 'Cherokee', 'Coptic', 'Lisu'].map(
  (script) => new RegExp(`\\p{Script=${script}}`, 'u'),
);

/** Why a name may not be taken by a group; undefined where it may. */
export function faultOfGroupName(name: string): string | undefined {
  return faultOfName(cleanName(name));
}

/** Why nobody and nothing may have a clean name. */
function faultOfName(name: string): string | undefined {
  if (!SHOWN.test(name)) return 'must hold a letter, a number or a picture that can be seen';
  if (MANY_MARKS.test(name)) return `must not have more than ${MAX_MARKS} marks on one letter`;
  return undefined;
}

/** Why a clean name may not be taken by a person; undefined where it may. */
export function faultOfDisplayName(name: string): string | undefined {
  const words = name.match(/[\p{L}\p{M}]+/gu) ?? [];
  if (words.some((word) => ALPHABETS.filter((alphabet) => alphabet.test(word)).length > 1)) {
    return 'must not mix alphabets in one word';
  }
  if (nameKey(name) === DELETED_USER) return 'must not be that of deleted users';
  return faultOfName(name);
}

/** A name of a person as it is shown: one from before names were clean may be none that can be. */
export function shownName(name: string, instead: string): string {
  const clean = cleanName(name);
  return faultOfName(clean) === undefined ? clean : instead;
}

/** The form in which names are compared: letters of any width and case alike, whatever the spaces (RFC 8266 §2.4). */
export function nameKey(name: string): string {
  return name.replace(SPACES, ' ').trim().normalize('NFKC').toLowerCase();
}
