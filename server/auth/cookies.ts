import { deleteCookie, setCookie } from 'hono/cookie';
import { parse } from 'hono/utils/cookie';
import type { HttpContext } from '../http/router.ts';
import type { Grant } from '../sessions/model.ts';

const ACCESS = { name: 'access_token', path: '/' } as const;
/** Only the calls that need the refresh token are sent it. */
const REFRESH = { name: 'refresh_token', path: '/api/v1/auth' } as const;

/**
 * The session's tokens as cookies that no script can read (PROTOCOL.md §3; ASVS 3.3.2, 3.3.4). They are `Secure`, but their names,
 * which are the contract's, lack the prefix that 3.3.1 and 3.3.3 ask for: SECURITY.md says what that leaves open.
 */
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
    setCookie(c, ACCESS.name, tokens.access_token, { ...this.attributes(c, ACCESS.path), maxAge });
    setCookie(c, REFRESH.name, tokens.refresh_token, { ...this.attributes(c, REFRESH.path), maxAge });
  }

  clear(c: HttpContext): void {
    deleteCookie(c, ACCESS.name, this.attributes(c, ACCESS.path));
    deleteCookie(c, REFRESH.name, this.attributes(c, REFRESH.path));
  }

  private attributes(c: HttpContext, path: string) {
    return { path, httpOnly: true, sameSite: 'Lax', secure: c.var.secure || this.alwaysSecure } as const;
  }
}

/** The access token that a browser sent as a cookie. */
export function accessCookie(headers: Headers): string | undefined {
  return cookie(headers, ACCESS.name);
}

export function refreshCookie(headers: Headers): string | undefined {
  return cookie(headers, REFRESH.name);
}

function cookie(headers: Headers, name: string): string | undefined {
  const sent = headers.get('cookie');
  return sent === null ? undefined : parse(sent, name)[name] || undefined;
}
