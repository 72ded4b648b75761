import { characterCount, isStorableText } from '../../../protocol/text.ts';
import { invalidField } from '../../shared/errors.ts';

/** What a message may hold: 1 to `max` characters after trimming, storable on every engine. Kept as it was sent. */
export function checkContent(content: string, max: number): void {
  if (!isStorableText(content)) throw invalidField('content', 'content must be well-formed Unicode without NUL');
  const trimmed = content.trim();
  if (trimmed === '') throw invalidField('content', 'content must not be empty');
  // Code points are counted only where UTF-16 could hold too many of them; white space around them is bounded as well.
  const tooLong = content.length > max && (characterCount(trimmed) > max || content.length > 2 * max);
  if (tooLong) throw invalidField('content', `content must be at most ${max} characters`);
}
