import { cors } from 'hono/cors';
import { requestId } from 'hono/request-id';
import { TrieRouter } from 'hono/router/trie-router';
import { secureHeaders } from 'hono/secure-headers';
import type { ErrorCode } from '../../protocol/errors.ts';
import { addressKey } from '../limits/rate-limits.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { SampledLines } from '../shared/sampled-lines.ts';
import { answerError } from './errors.ts';
import { SAFE_METHODS } from './methods.ts';
import type { OriginPolicy } from './origin.ts';
import type { ProxyTrust } from './proxy-trust.ts';
import type { BeginRead } from './read-turns.ts';
import { type Caller, createRouter, type HttpContext, type Router, type TakeLimit } from './router.ts';

export interface HttpOptions {
  log: Logger;
  origins: OriginPolicy;
  proxies: ProxyTrust;
  /** Lines of requests that are not looked at, for there were too many. */
  refusals: SampledLines;
  /** Finds out who makes a request. */
  authenticate(c: HttpContext): Promise<Caller>;
  /** Fails where it is too long ago that it was shown who uses a session. */
  requireFreshProof(sessionId: string): Promise<void>;
  /** Counts one use of a limit. */
  takeLimit: TakeLimit;
  /** Waits until an account may read what can be long. */
  beginRead: BeginRead;
  /** Whether the server is about to go, and takes no new work. */
  isDraining(): boolean;
  /** Told of every answer: for metrics. */
  observe(route: string, method: string, status: number, milliseconds: number): void;
  /** Told of every failure that is answered. */
  failed(code: ErrorCode): void;
}

/** The HTTP application without its routes: what all of them share, in the order in which a request meets it. */
export function createHttpApp(options: HttpOptions): Router {
  const app = createRouter();

  app.use(requestId(), async (c, next) => {
    const started = performance.now();
    c.set('log', options.log.child({ request_id: c.var.requestId }));
    c.set('secure', options.proxies.isSecure(c.env.peer, c.req.raw.headers));
    c.set('authenticate', () => options.authenticate(c));
    c.set('requireFreshProof', options.requireFreshProof);
    c.set('takeLimit', options.takeLimit);
    c.set('beginRead', options.beginRead);
    await next();
    const milliseconds = performance.now() - started;
    options.observe(c.req.routePath, c.req.method, c.res.status, milliseconds);
    // The path without its query: a token may be there.
    const line = { method: c.req.method, path: c.req.path, status: c.res.status, ms: Math.round(milliseconds) };
    const { address, refusedId } = c.env;
    const code = c.var.failure;
    const write = () =>
      c.var.log.info({ ...line, code, address, user_id: c.var.caller?.userId ?? refusedId }, 'request');
    // Nobody who is refused again and again is to fill the disk.
    if (code === 'rate_limited') options.refusals.log(refusedId ?? addressKey(address), write);
    else write();
  });
  app.use(
    secureHeaders({
      strictTransportSecurity: 'max-age=31536000; includeSubDomains', // ASVS 3.4.1
      xFrameOptions: 'DENY',
      referrerPolicy: 'no-referrer',
      crossOriginResourcePolicy: 'same-site',
      // `default-src` says of `object-src` the same; ASVS 3.4.3 asks for both by name.
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
      overwrite: false, // the few answers that are pages bring a policy of their own
    }),
  );
  app.use(async (c, next) => {
    if (c.env.malformed) throw c.env.malformed;
    await next();
  });
  app.use('/api/*', async (c, next) => {
    await next();
    // What is not said to be kept is somebody's own, or of this moment (ASVS 14.3.2).
    if (!c.res.headers.has('Cache-Control')) c.header('Cache-Control', 'no-store');
  });
  app.use(
    cors({
      origin: (origin) => (options.origins.isTrusted(origin) ? origin : null),
      credentials: true,
      allowHeaders: ['Content-Type', 'Authorization', 'X-Auth-Mode'],
      exposeHeaders: ['X-Request-Id', 'Retry-After', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'],
      allowMethods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      maxAge: 600,
    }),
  );
  app.use(async (c, next) => {
    if (c.env.refused) throw c.env.refused;
    // What only reads is answered to the end; what was under way before is finished.
    if (options.isDraining() && !SAFE_METHODS.has(c.req.method)) {
      throw new ParleyError('unavailable', 'This server is about to restart');
    }
    await next();
  });
  app.onError((error, c) => answerError(error, c, options.failed));
  return app;
}

/** To be called once all routes are there: says 405 where the path exists and the method does not, 404 elsewhere. */
export function answerUnknownRoutes(app: Router, failed: HttpOptions['failed']): void {
  const methods = new TrieRouter<string>();
  for (const route of app.routes) {
    if (route.method !== 'ALL') methods.add('ANY', route.path, route.method);
  }
  app.notFound((c) => {
    const [matches] = methods.match('ANY', c.req.path);
    const allowed = [...new Set(matches.map(([method]) => method))];
    if (allowed.length === 0) return answerError(new ParleyError('not_found'), c, failed);
    c.header('Allow', allowed.join(', '));
    return answerError(new ParleyError('method_not_allowed'), c, failed);
  });
}
