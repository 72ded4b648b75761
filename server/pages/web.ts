import type { HttpContext, Router } from '../http/router.ts';
import { serveFiles } from '../http/static-files.ts';
import { webFiles } from './web-files.ts';

/** What the web client may do: load files of this server, talk to it, and nothing else. Nothing inline, nothing from outside. */
const WEB_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = '/index.html';
/** Screens of the client: each opens by its address, and the client shows what it says. */
const SCREENS = ['/', '/login', '/signup', '/forgot', '/reset', '/verify', '/settings/security', '/c/:id'];
/** Where whoever keeps passwords for people finds the page to change one, on any site (W3C, A Well-Known URL for Changing Passwords). */
const WELL_KNOWN = '/.well-known/change-password';
/** The screen of the client for it. */
const CHANGE_PASSWORD = '/settings/security';
/** A worker runs under the policy that it came with: threads of the page, and what stands between it and the network. */
const WORKER = /^\/(?:sw|assets\/strength-worker-[\w-]+)\.js$/;
/** The bundler puts a hash of the content into these names: what one of them holds never changes. */
const HASHED = /-[\w-]{8}\.\w+$/;

/** Serves the web client. Returns false where it was not built. */
export function serveWeb(app: Router): boolean {
  const { [PAGE]: page, ...files } = webFiles();
  if (page === undefined) return false;
  for (const screen of SCREENS) app.use(screen, withPolicy);
  app.get(WELL_KNOWN, (c) => c.redirect(CHANGE_PASSWORD));
  for (const url of Object.keys(files)) if (WORKER.test(url)) app.use(url, withPolicy);
  serveFiles(app, Object.fromEntries(SCREENS.map((screen) => [screen, page])));
  for (const [url, path] of Object.entries(files)) serveFiles(app, { [url]: path }, { isImmutable: HASHED.test(url) });
  return true;
}

async function withPolicy(c: HttpContext, next: () => Promise<void>): Promise<void> {
  await next();
  c.header('Content-Security-Policy', WEB_POLICY);
}
