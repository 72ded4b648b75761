import type { z } from 'zod';
import { invalidField } from './errors.ts';

/**
 * Opaque places in a list: what a page ended with, so that the next begins behind it and cuts nothing off, also when
 * the list moves in between. Clients hand them back unread. They are not signed: one that was made by hand is only another place in the
 * same caller's list, and its page costs what any other does. So whatever walks on from a place must reach it along an index,
 * and pass over only so much behind it (`tests/e2e/bounds.test.ts` tries each kind with the lowest and the highest places).
 */
export class CursorCodec<T> {
  constructor(private readonly schema: z.ZodType<T>) {}

  encode(place: T): string {
    return Buffer.from(JSON.stringify(place)).toString('base64url');
  }

  /** Fails with `validation_failed` for a text that no page ended with. */
  decode(cursor: string): T {
    try {
      return this.schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    } catch {
      throw invalidField('cursor', 'cursor must be the next_cursor of a page');
    }
  }
}
