import { de } from './de.ts';
import { en } from './en.ts';
import { type Letter, type WrittenLetter, writeLetter } from './letter.ts';
import { type LetterName, type LetterParameters, LINKED, type Phrases, type Written } from './phrases.ts';

export type { LetterName, LetterParameters, Written };

/** The languages that letters are written in, by their subtags (BCP 47). The first one is for everybody else. */
const LANGUAGES = { en, de } as const satisfies Record<string, Phrases>;
export type Language = keyof typeof LANGUAGES;

export const DEFAULT_LANGUAGE: Language = 'en';

export function isLanguage(text: string): text is Language {
  return Object.hasOwn(LANGUAGES, text);
}

export function isLetter(text: string): text is LetterName {
  return Object.hasOwn(en, text);
}

/** Whether a letter holds a link. */
export function isLinked(name: LetterName): name is (typeof LINKED)[number] {
  return LINKED.some((linked) => linked === name);
}

/** Writes one letter in a language. */
export function write<Name extends LetterName>(
  name: Name,
  language: Language,
  parameters: Written<Name>,
): WrittenLetter {
  const compose: (parameters: Written<Name>) => Letter = LANGUAGES[language][name];
  return writeLetter(compose(parameters), language);
}
