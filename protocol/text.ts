import { EXCERPT_LENGTH } from './limits.ts';

/**
 * Text that every engine stores and gives back unchanged: NUL cannot be kept by PostgreSQL, lone surrogates
 * (ill-formed UTF-16) cannot be written as UTF-8.
 */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
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
