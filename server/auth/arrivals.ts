import { z } from 'zod';
import { Tokens as TokensAnswer, User } from '../../protocol/resources.ts';
import type { OriginPolicy } from '../http/origin.ts';
import type { HttpContext } from '../http/router.ts';
import type { TokenClaims } from '../sessions/model.ts';
import { visitOf } from './authenticate.ts';
import { deviceCookie, type SessionCookies, sessionCookies } from './cookies.ts';
import type { Arrived } from './entrance.ts';
import type { Tokens } from './tokens.ts';
import type { Arrival } from './visit.ts';

/** How a browser says that it keeps its tokens in cookies: they are then in no body, where scripts could read them. */
export const authMode = z.object({
  'x-auth-mode': z.string().optional().meta({ description: '`cookie` leaves the tokens out of the body' }),
});

export const SignedInAnswer = z
  .object({
    user: User,
    tokens: TokensAnswer.optional(),
    device_token: z
      .string()
      .optional()
      .meta({ description: 'Where the request had one: send this with the next log-in from the same device' }),
  })
  .meta({
    id: 'SignedIn',
    description: 'The tokens are set as cookies too, and in no body with `X-Auth-Mode: cookie`',
  });

export function wantsCookiesOnly(c: HttpContext): boolean {
  return c.req.header('x-auth-mode')?.toLowerCase() === 'cookie';
}

export interface ArrivalsDeps {
  tokens: Tokens;
  cookies: SessionCookies;
  origins: OriginPolicy;
}

/** What every call that signs in reads of its request, and how it answers. */
export class Arrivals {
  constructor(private readonly deps: ArrivalsDeps) {}

  /** All that a request that signs in brings with it. Cookies that its page may not use count as if they were not there. */
  async of(c: HttpContext, deviceToken: string | undefined): Promise<Arrival> {
    const { headers } = c.req.raw;
    const mayUseCookies = this.deps.origins.mayUseCookies(headers);
    return {
      ...visitOf(c),
      deviceToken: deviceToken || (mayUseCookies ? deviceCookie(headers) : undefined),
      before: mayUseCookies ? await this.sessionsOfCookies(headers) : [],
    };
  }

  /**
   * Answers whoever came in: with cookies, and with tokens where they are wanted. A token of the device is in the answer for those
   * who know of it: they sent one, be it empty.
   */
  answer(
    c: HttpContext,
    { user, deviceToken, ...grant }: Arrived,
    given: string | undefined,
  ): z.output<typeof SignedInAnswer> {
    const { cookies } = this.deps;
    cookies.set(c, grant);
    cookies.setDevice(c, deviceToken);
    if (wantsCookiesOnly(c)) return { user };
    return { user, tokens: grant.tokens, ...(given !== undefined && { device_token: deviceToken }) };
  }

  /** The sessions that a browser's cookies are of, expired or not: one, unless somebody else gave it cookies too. */
  async sessionsOfCookies(headers: Headers): Promise<TokenClaims[]> {
    const { tokens } = this.deps;
    const { access, refresh } = sessionCookies(headers);
    const claims = await Promise.all([
      ...access.map((token) => tokens.readIgnoringExpiry(token, 'access')),
      ...refresh.map((token) => tokens.readIgnoringExpiry(token, 'refresh')),
    ]);
    const bySession = new Map(claims.flatMap((one) => (one ? [[one.sessionId, one] as const] : [])));
    return [...bySession.values()];
  }
}
