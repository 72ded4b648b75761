import { de } from './de.ts';
import { en } from './en.ts';
import { type Letter, type WrittenLetter, writeLetter } from './letter.ts';
import type { LetterName, LetterParameters, Phrases, Sender } from './phrases.ts';

export type { LetterName, LetterParameters };

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

/** Writes one letter in a language. */
export function write<Name extends LetterName>(
  name: Name,
  language: Language,
  parameters: LetterParameters[Name] & Sender,
): WrittenLetter {
  const compose: (parameters: LetterParameters[Name] & Sender) => Letter = LANGUAGES[language][name];
  return writeLetter(compose(parameters), language);
}
