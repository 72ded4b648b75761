import { EXCERPT_LENGTH } from './limits.ts';

/**
 * Text that every engine stores and gives back unchanged: NUL cannot be kept by PostgreSQL, lone surrogates
 * (ill-formed UTF-16) cannot be written as UTF-8.
 */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/**
 * A password as it is counted, judged and hashed: keyboards write one text in several ways, composed or not, in full width or
 * half, and whoever types it means the same (NFKC; NIST SP 800-63B §5.1.1.2). Neither case, spaces nor what nobody sees is touched.
 */
export function normalPassword(password: string): string {
  return password.normalize('NFKC');
}

/** Controls (C0, DEL, C1), ends of lines and paragraphs, and what turns the direction of writing. */
const ACTIVE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Text in which `instead` stands for every character that acts on what shows it, such as a terminal. */
export function disarmed(text: string, instead: (character: string) => string): string {
  return text.replace(ACTIVE, instead);
}

/** Length in Unicode code points: what a person would count, nearly, and the same in every language. */
export function characterCount(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** What a reply quotes of a message. It follows the message: who holds replies to it makes it anew when it changes. */
export function excerptOf(content: string): string {
  if (content.length <= EXCERPT_LENGTH) return content;
  const characters = [...content.slice(0, 2 * EXCERPT_LENGTH + 2)];
  return characters.length > EXCERPT_LENGTH ? `${characters.slice(0, EXCERPT_LENGTH).join('')}…` : content;
}
