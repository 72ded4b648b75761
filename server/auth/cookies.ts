import { deleteCookie, setCookie } from 'hono/cookie';
import { parse } from 'hono/utils/cookie';
import type { HttpContext } from '../http/router.ts';
import type { Grant } from '../sessions/model.ts';
import { DEVICE_KNOWN_MS } from './device-tokens.ts';

/** A cookie as it is called and sent where the connection is not encrypted. */
interface Kind {
  name: string;
  path: string;
}

const ACCESS: Kind = { name: 'access_token', path: '/' };
/** Only the calls that need these are sent them. */
const REFRESH: Kind = { name: 'refresh_token', path: '/api/v1/auth' };
const DEVICE: Kind = { name: 'device', path: '/api/v1/auth' };

/**
 * Under TLS: nobody but this very host can set a cookie of such a name, no sister site and nobody on the way of a request in
 * the clear (RFC 6265bis §4.1.3.2; ASVS 3.3.1, 3.3.3). It asks for the path `/`.
 */
const PREFIX = '__Host-';

/** The session's tokens, and the device's, as cookies that no script can read (PROTOCOL.md §3; ASVS 3.3.2, 3.3.4). */
export class SessionCookies {
  private readonly alwaysSecure: boolean;

  constructor(publicUrl: string) {
    this.alwaysSecure = publicUrl.startsWith('https://');
  }

  /**
   * Both live as long as the session: an access token that has expired is still sent, so that the answer can say
   * `token_expired`, and sign-out knows which session is meant.
   */
  set(c: HttpContext, { tokens, expiresAt }: Grant): void {
    const maxAge = Math.max(0, Math.ceil((expiresAt - Date.now()) / 1000));
    this.put(c, ACCESS, tokens.access_token, maxAge);
    this.put(c, REFRESH, tokens.refresh_token, maxAge);
    this.removeOtherNames(c, [ACCESS, REFRESH]);
  }

  /** It outlives sessions: by it the device is known at the next log-in. */
  setDevice(c: HttpContext, token: string): void {
    this.put(c, DEVICE, token, DEVICE_KNOWN_MS / 1000);
    this.removeOtherNames(c, [DEVICE]);
  }

  /** Takes those of the session away, by whichever names they may be there. */
  clear(c: HttpContext): void {
    const secure = this.isSecure(c);
    for (const kind of [ACCESS, REFRESH]) deleteCookie(c, kind.name, attributes(kind, secure, secure));
    this.removeOtherNames(c, [ACCESS, REFRESH]);
  }

  private put(c: HttpContext, kind: Kind, value: string, maxAge: number): void {
    const secure = this.isSecure(c);
    setCookie(c, kind.name, value, { ...attributes(kind, secure, secure), maxAge });
  }

  /** Where a browser sent cookies by the names that are not those of this connection, it is to forget them. */
  private removeOtherNames(c: HttpContext, kinds: Kind[]): void {
    const secure = this.isSecure(c);
    if (!kinds.some((kind) => isSent(c, kind, !secure))) return;
    for (const kind of kinds) deleteCookie(c, kind.name, attributes(kind, !secure, secure));
  }

  private isSecure(c: HttpContext): boolean {
    return c.var.secure || this.alwaysSecure;
  }
}

/** The access token that a browser sent as a cookie. */
export function accessCookie(headers: Headers): string | undefined {
  return cookie(headers, ACCESS);
}

export function refreshCookie(headers: Headers): string | undefined {
  return cookie(headers, REFRESH);
}

export function deviceCookie(headers: Headers): string | undefined {
  return cookie(headers, DEVICE);
}

/** Every token of a session that a browser sent, by whichever name. */
export function sessionCookies(headers: Headers): { access: string[]; refresh: string[] } {
  const sent = headers.get('cookie') ?? '';
  const both = ({ name }: Kind) => [PREFIX + name, name].map((one) => parse(sent, one)[one]).filter((one) => !!one);
  return { access: both(ACCESS) as string[], refresh: both(REFRESH) as string[] };
}

/**
 * A browser that was signed in before the prefix came, or before there was TLS, has the name without it, until its tokens are
 * exchanged. Where both are there it counts for nothing, for it may be anybody's.
 */
function cookie(headers: Headers, { name }: Kind): string | undefined {
  const sent = headers.get('cookie');
  if (sent === null) return undefined;
  const prefixed = PREFIX + name;
  return (parse(sent, prefixed)[prefixed] ?? parse(sent, name)[name]) || undefined;
}

function isSent(c: HttpContext, { name }: Kind, prefixed: boolean): boolean {
  const full = prefixed ? PREFIX + name : name;
  return parse(c.req.header('cookie') ?? '', full)[full] !== undefined;
}

function attributes({ path }: Kind, prefixed: boolean, secure: boolean) {
  const rest = { httpOnly: true, sameSite: 'Lax', secure } as const;
  return prefixed ? ({ ...rest, prefix: 'host' } as const) : { ...rest, path };
}
