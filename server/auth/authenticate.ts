import { SAFE_METHODS } from '../http/methods.ts';
import type { OriginPolicy } from '../http/origin.ts';
import type { Caller, HttpContext } from '../http/router.ts';
import { ParleyError } from '../shared/errors.ts';
import { accessCookie } from './cookies.ts';
import type { AuthService } from './service.ts';

/** The token of an `Authorization: Bearer` header, or undefined where there is no such header. */
export function bearerToken(headers: Headers): string | undefined {
  const match = /^bearer(?: +(.*))?$/i.exec(headers.get('authorization') ?? '');
  return match ? (match[1] ?? '') : undefined;
}

/** Fails with `origin_not_allowed` where the page that asks may not use the visitor's cookies. */
export function assertMayUseCookies(origins: OriginPolicy, headers: Headers): void {
  if (!origins.mayUseCookies(headers)) throw new ParleyError('origin_not_allowed');
}

/** Finds out who makes a request: by its bearer token where there is one, by its cookie elsewhere. */
export function createAuthenticate(auth: AuthService, origins: OriginPolicy): (c: HttpContext) => Promise<Caller> {
  return async (c) => {
    const { headers, method } = c.req.raw;
    const bearer = bearerToken(headers);
    if (bearer !== undefined) return auth.authenticate(bearer);
    const token = accessCookie(headers);
    if (token === undefined) throw new ParleyError('missing_token');
    // By what only reads, a page of another site gains nothing: it cannot see the answer.
    if (!SAFE_METHODS.has(method)) assertMayUseCookies(origins, headers);
    return auth.authenticate(token);
  };
}
