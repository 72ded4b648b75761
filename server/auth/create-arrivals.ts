import type { OriginPolicy } from '../http/origin.ts';
import type { HttpContext } from '../http/router.ts';
import type { TokenClaims } from '../sessions/model.ts';
import { visitOf } from './authenticate.ts';
import { deviceCookie, type SessionCookies, sessionCookies } from './cookies.ts';
import type { Arrived } from './entrance.ts';
import type { Tokens } from './tokens.ts';
import type { Arrival } from './visit.ts';

export interface ArrivalsDeps {
  tokens: Tokens;
  cookies: SessionCookies;
  origins: OriginPolicy;
}

/** How requests that sign in are read and answered, whichever call it is. */
export interface Arrivals {
  /** What a request that signs in brings with it. Cookies that its page may not use count as if they were not there. */
  arrivalOf(c: HttpContext, deviceToken: string | undefined): Promise<Arrival>;
  /** Sets the cookies of a session that began, and answers what goes into the body. */
  signedIn(c: HttpContext, arrived: Arrived): Pick<Arrived, 'user'> & { tokens?: FirstTokens };
  /** The sessions that a browser's cookies are of, expired or not: one, unless somebody else gave it cookies too. */
  sessionsOfCookies(headers: Headers): Promise<TokenClaims[]>;
}
type FirstTokens = Arrived['tokens'] & { device_token: string };

export function createArrivals({ tokens, cookies, origins }: ArrivalsDeps): Arrivals {
  const sessionsOfCookies = async (headers: Headers) => {
    const { access, refresh } = sessionCookies(headers);
    const claims = await Promise.all([
      ...access.map((token) => tokens.readIgnoringExpiry(token, 'access')),
      ...refresh.map((token) => tokens.readIgnoringExpiry(token, 'refresh')),
    ]);
    const bySession = new Map(claims.flatMap((one) => (one ? [[one.sessionId, one] as const] : [])));
    return [...bySession.values()];
  };

  return {
    sessionsOfCookies,

    async arrivalOf(c, given) {
      const { headers } = c.req.raw;
      const mayUseCookies = origins.mayUseCookies(headers);
      return {
        ...visitOf(c),
        deviceToken: given ?? (mayUseCookies ? deviceCookie(headers) : undefined),
        before: mayUseCookies ? await sessionsOfCookies(headers) : [],
      };
    },

    signedIn(c, { user, deviceToken, ...grant }) {
      cookies.set(c, grant);
      cookies.setDevice(c, deviceToken);
      return wantsCookiesOnly(c) ? { user } : { user, tokens: { ...grant.tokens, device_token: deviceToken } };
    },
  };
}

export function wantsCookiesOnly(c: HttpContext): boolean {
  return c.req.header('x-auth-mode')?.toLowerCase() === 'cookie';
}
