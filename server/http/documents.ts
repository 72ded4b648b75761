import { compress, type Encoding, negotiateEncoding } from './compression.ts';
import { inOnePiece } from './long-answers.ts';
import type { Router } from './router.ts';

/**
 * Serves a JSON document that holds as long as this process does. It is made at the first request. Who has it asks whether it
 * still holds (RFC 9110 §13.1.2), and gets it only where it does not.
 */
export function serveDocument(app: Router, path: string, make: () => object): void {
  let made: { bytes: Uint8Array<ArrayBuffer>; tag: string } | undefined;
  const compressed = new Map<Encoding, Promise<Uint8Array<ArrayBuffer>>>();

  app.get(path, async (c) => {
    made ??= tagged(new TextEncoder().encode(JSON.stringify(make())));
    const { bytes, tag } = made;
    c.header('ETag', tag);
    c.header('Cache-Control', 'no-cache');
    c.header('Vary', 'Accept-Encoding');
    if (isHeld(tag, c.req.header('if-none-match'))) return c.body(null, 304);
    c.header('Content-Type', 'application/json');
    const encoding = negotiateEncoding(c.req.header('accept-encoding'));
    if (encoding !== undefined) c.header('Content-Encoding', encoding);
    if (c.req.method === 'HEAD') return c.body(null);
    if (encoding === undefined) return c.body(inOnePiece(c, bytes));
    const known = compressed.get(encoding) ?? compress(bytes, encoding);
    compressed.set(encoding, known);
    return c.body(inOnePiece(c, await known));
  });
}

/** Weak: the same document goes out in several codings. */
function tagged(bytes: Uint8Array<ArrayBuffer>) {
  return { bytes, tag: `W/"${Bun.hash(bytes).toString(36)}"` };
}

/** Whether one of the tags of an `If-None-Match` is this one, or is any. */
function isHeld(tag: string, held: string | undefined): boolean {
  if (held === undefined) return false;
  const tags = held.split(',').map((one) => one.trim());
  return tags.includes('*') || tags.some((one) => one.replace(/^W\//, '') === tag.slice(2));
}
