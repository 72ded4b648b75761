import { parseAccept } from 'hono/utils/accept';
import { SAFE_METHODS } from '../http/methods.ts';
import type { OriginPolicy } from '../http/origin.ts';
import type { Caller, HttpContext } from '../http/router.ts';
import { addressKey } from '../limits/rate-limits.ts';
import { DEFAULT_LANGUAGE, isLanguage, type Language } from '../mail/letters/index.ts';
import { ParleyError } from '../shared/errors.ts';
import { accessCookie } from './cookies.ts';
import type { SessionChecks } from './session-checks.ts';
import { deviceName, type Visit } from './visit.ts';

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
export function createAuthenticate(checks: SessionChecks, origins: OriginPolicy): (c: HttpContext) => Promise<Caller> {
  return async (c) => {
    const { headers, method } = c.req.raw;
    const bearer = bearerToken(headers);
    if (bearer !== undefined) return checks.authenticate(bearer);
    const token = accessCookie(headers);
    if (token === undefined) throw new ParleyError('missing_token');
    // By what only reads, a page of another site gains nothing: it cannot see the answer.
    if (!SAFE_METHODS.has(method)) assertMayUseCookies(origins, headers);
    return checks.authenticate(token);
  };
}

/** As much of a header as is looked at. */
const MAX_HEADER = 512;

/** Where a request comes from. */
export function visitOf(c: HttpContext): Visit {
  const { address } = c.env;
  return {
    address: addressKey(address),
    whence: { address, requestId: c.var.requestId },
    device: deviceName(c.req.header('user-agent') ?? ''),
    language: languageOf(c.req.header('accept-language') ?? ''),
  };
}

/** The language of `Accept-Language` that there are letters in and that is liked best (RFC 9110 §12.5.4). */
function languageOf(header: string): Language {
  const ranges = parseAccept(header.slice(0, MAX_HEADER)).sort((a, b) => b.q - a.q);
  const subtags = ranges.filter(({ q }) => q > 0).map(({ type }) => type.split('-')[0]!.toLowerCase());
  return subtags.find(isLanguage) ?? DEFAULT_LANGUAGE;
}
