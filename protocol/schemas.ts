import { z } from 'zod';
import { characterCount, isStorableText } from './text.ts';

/** The building blocks of resources, requests and events. */

/** A UUIDv7 in text. Any UUID is taken from a client: whether it names something is the database's to say. */
export const Id = z
  .uuid({ error: 'must be a UUID' })
  .toLowerCase()
  .meta({ description: 'UUIDv7', example: '0199a3f0-7c1e-7d44-8a5b-5f0c6f3b2a10' });

/** Milliseconds since the Unix epoch. */
export const Milliseconds = z.int().nonnegative().meta({
  description: 'Milliseconds since the Unix epoch',
  example: 1795195800000,
});

/** A conversation's own counters: `seq` numbers its messages, `rev` its changes. */
export const Counter = z.int().nonnegative();

/** The text of a message. Its greatest length is a setting, which the server checks. */
export const content = z.string({ error: 'must be a string' }).meta({ minLength: 1 });

/** For the description of an object that has one of these fields: JSON Schema of what a `refine` checks. */
export function eachRequires(...fields: string[]) {
  return fields.map((field) => ({ required: [field] }));
}

/** Text of `min` to `max` characters after trimming, kept as it was sent. */
export function text(name: string, min: number, max: number) {
  return z
    .string({ error: `${name} must be a string` })
    .max(max * 2, { error: `${name} must be at most ${max} characters`, abort: true })
    .refine(isStorableText, { error: `${name} must be well-formed Unicode without NUL`, abort: true })
    .refine((value) => characterCount(value.trim()) >= min, {
      error: min === 1 ? `${name} must not be empty` : `${name} must be at least ${min} characters`,
      abort: true,
    })
    .refine((value) => characterCount(value.trim()) <= max, { error: `${name} must be at most ${max} characters` })
    .meta({ minLength: min, maxLength: max });
}
