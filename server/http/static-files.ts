import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { inOnePiece } from './long-answers.ts';
import type { HttpContext, Router } from './router.ts';

/** What a page may load: files of this server, and nothing else. No inline script or style, no frame, no form target. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:", // swagger-ui.css draws its icons from data: addresses
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const compress = promisify(gzip);

/**
 * Serves files that are part of the program, each at its own path, so that an unknown one is a plain 404. `files` maps
 * a URL path to what `import … with { type: 'file' }` gave: this works in a compiled executable from any folder.
 * Browsers keep a copy and ask whether it still holds, so that an upgrade shows at once; they need not ask for one that
 * `isImmutable`, whose address changes with its content.
 */
export function serveFiles(app: Router, files: Record<string, string>, { isImmutable = false } = {}): void {
  const caching = isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache';
  for (const [url, path] of Object.entries(files)) app.get(url, answerFile(path, caching));
}

/** Answers with a page of this program: `%name%` in it becomes the value of that name, which must be safe as HTML. */
export function answerPage(c: HttpContext, html: string, values: Record<string, string> = {}): Response {
  c.header('Content-Security-Policy', PAGE_POLICY);
  if (!c.res.headers.has('Cache-Control')) c.header('Cache-Control', 'no-cache');
  return c.html(html.replace(/%(\w+)%/g, (_, name: string) => values[name] ?? ''));
}

/** A page without what it says of the API documents, where they are not served. */
export function withoutDocuments(html: string): string {
  return html.replace(/<!-- documents -->.*?<!-- \/documents -->/gs, '');
}

function answerFile(path: string, caching: string): (c: HttpContext) => Promise<Response> {
  const file = Bun.file(path);
  // They are part of the program, and kept: whoever asks costs no look at the disk, and no copy.
  let read: Promise<Uint8Array<ArrayBuffer>> | undefined;
  let tag: Promise<string> | undefined;
  let compressed: Promise<Uint8Array<ArrayBuffer>> | undefined;

  return async (c) => {
    read ??= file.bytes();
    tag ??= read.then((bytes) => `W/"${Bun.hash(bytes).toString(36)}"`);
    c.header('ETag', await tag);
    c.header('Cache-Control', caching);
    c.header('Vary', 'Accept-Encoding');
    if (c.req.header('if-none-match')?.includes(await tag)) return c.body(null, 304);
    c.header('Content-Type', typeOf(path, file.type));
    const isPlain = isCompressed(path) || !c.req.header('accept-encoding')?.includes('gzip');
    if (!isPlain) c.header('Content-Encoding', 'gzip');
    // Of a HEAD only the headers are sent: a body would wait for a reader who never comes.
    if (c.req.method === 'HEAD') return c.body(null);
    if (isPlain) return c.body(inOnePiece(c, await read));
    compressed ??= read.then(compress);
    return c.body(inOnePiece(c, await compressed));
  };
}

/** The types that Bun does not know, and the encoding of XML, which it does not say (ASVS 4.1.1). */
function typeOf(path: string, type: string): string {
  if (path.endsWith('.webmanifest')) return 'application/manifest+json';
  return type === 'image/svg+xml' ? `${type};charset=utf-8` : type;
}

/** Files that gzip would only make larger. */
function isCompressed(path: string): boolean {
  return path.endsWith('.png');
}
