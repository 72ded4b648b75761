import type { HttpContext } from './router.ts';

/** Characters of a body up to which Bun gathers it with its headers, in a buffer of 16 KiB, and sends them together. */
const GATHERED = 12 * 1024;

/**
 * A body that Bun sends together with its headers, however long it is. Of a longer one that comes after an `await` it sends
 * each name, colon and value by itself, some eighty system calls (oven-sh/bun#41341): half a millisecond, ten times what the
 * rest of the answer takes. A stream it gathers; its length is not told before then, and each chunk with its own instead
 * (RFC 9112 §7.1). What is long waits for its reader, and is cut where nobody reads it (`answers-under-way.ts`).
 */
export function inOnePiece<Body extends string | Uint8Array<ArrayBuffer>>(c: HttpContext, body: Body) {
  if (body.length <= GATHERED) return body;
  return c.env.send(typeof body === 'string' ? new TextEncoder().encode(body) : body, c.var.caller?.userId);
}
