import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { DeleteUserBody, LoginBody, PasswordBody, RefreshBody, RegisterBody } from '../../protocol/requests.ts';
import { Tokens as TokensAnswer, User } from '../../protocol/resources.ts';
import type { OriginPolicy } from '../http/origin.ts';
import {
  createRouter,
  failures,
  type HttpContext,
  jsonAnswer,
  jsonBody,
  type Router,
  SIGNED_IN,
} from '../http/router.ts';
import { addressKey, type RateLimits } from '../limits/rate-limits.ts';
import type { SignedIn, TokenClaims } from '../sessions/model.ts';
import { ParleyError } from '../shared/errors.ts';
import type { UsersService } from '../users/service.ts';
import { assertMayUseCookies, bearerToken } from './authenticate.ts';
import { accessCookie, refreshCookie, type SessionCookies } from './cookies.ts';
import type { AuthService } from './service.ts';
import type { Tokens } from './tokens.ts';

const TAGS = ['Authentication'];
const Success = z.object({ success: z.literal(true) });

/** How a browser says that it keeps its tokens in cookies: they are then in no body, where scripts could read them. */
const authMode = z.object({
  'x-auth-mode': z.string().optional().meta({ description: '`cookie` leaves the tokens out of the body' }),
});

const SignedInAnswer = z.object({ user: User, tokens: TokensAnswer.optional() }).meta({
  id: 'SignedIn',
  description: 'The tokens are set as cookies too, and in no body with `X-Auth-Mode: cookie`',
});

const registerRoute = (path: string, summary: string) =>
  createRoute({
    method: 'post',
    path,
    tags: TAGS,
    summary,
    request: { headers: authMode, body: jsonBody(RegisterBody) },
    responses: {
      201: jsonAnswer('The account is made and signed in', SignedInAnswer),
      ...failures('validation_failed', 'email_taken', 'username_taken', 'phone_taken', 'rate_limited', 'unavailable'),
    },
  });

const loginRoute = createRoute({
  method: 'post',
  path: '/api/v1/auth/login',
  tags: TAGS,
  summary: 'Sign in',
  description: 'By e-mail address, username or phone number. An unknown account is answered like a wrong password.',
  request: { headers: authMode, body: jsonBody(LoginBody) },
  responses: {
    200: jsonAnswer('Signed in', SignedInAnswer),
    ...failures('validation_failed', 'invalid_credentials', 'rate_limited', 'unavailable'),
  },
});

const refreshRoute = createRoute({
  method: 'post',
  path: '/api/v1/auth/refresh',
  tags: TAGS,
  summary: 'Exchange a refresh token',
  description:
    'The token of the body, or of the cookie where the body has none. Every exchange makes the token void; for 30 s a ' +
    'repeat gets the same successor, after that it ends the session.',
  request: { headers: authMode, body: jsonBody(RefreshBody) },
  responses: {
    200: jsonAnswer(
      'New tokens; where they travel in cookies, only for how many seconds they hold',
      z.union([TokensAnswer, Success.extend({ expires_in: z.int() })]),
    ),
    ...failures(
      'validation_failed',
      'missing_token',
      'invalid_token',
      'token_expired',
      'token_reused',
      'origin_not_allowed',
      'rate_limited',
    ),
  },
});

const logoutRoute = createRoute({
  method: 'post',
  path: '/api/v1/auth/logout',
  tags: TAGS,
  summary: 'Sign out',
  description: 'Ends the session, closes its sockets and clears the cookies; also with an expired token, or with none.',
  security: [{ bearer: [] }, { cookie: [] }, {}],
  responses: { 200: jsonAnswer('Signed out', Success), ...failures('origin_not_allowed') },
});

const passwordRoute = createRoute({
  method: 'post',
  path: '/api/v1/auth/password',
  ...SIGNED_IN,
  tags: TAGS,
  summary: 'Change your password',
  description: 'Ends every other session of yours.',
  request: { body: jsonBody(PasswordBody) },
  responses: {
    200: jsonAnswer('Changed', Success),
    ...failures('validation_failed', 'missing_token', 'invalid_token', 'invalid_credentials', 'rate_limited'),
  },
});

const meRoute = createRoute({
  method: 'get',
  path: '/api/v1/auth/me',
  ...SIGNED_IN,
  tags: TAGS,
  summary: 'Who you are',
  responses: { 200: jsonAnswer('You', User), ...failures('missing_token', 'invalid_token', 'token_expired') },
});

const deleteRoute = createRoute({
  method: 'delete',
  path: '/api/v1/users/me',
  ...SIGNED_IN,
  tags: ['Users'],
  summary: 'Delete your account',
  description: 'Signs you out everywhere and frees your address. Your messages stay, as those of a deleted user.',
  request: { body: jsonBody(DeleteUserBody) },
  responses: {
    200: jsonAnswer('The account is deleted', Success),
    ...failures('validation_failed', 'missing_token', 'invalid_token', 'invalid_credentials', 'rate_limited'),
  },
});

export interface AuthRoutesDeps {
  auth: AuthService;
  users: UsersService;
  tokens: Tokens;
  cookies: SessionCookies;
  origins: OriginPolicy;
  limits: Pick<RateLimits, 'register' | 'login' | 'refresh'>;
}

export function authRoutes({ auth, users, tokens, cookies, origins, limits }: AuthRoutesDeps): Router {
  const router = createRouter();

  const signedIn = (c: HttpContext, { user, ...grant }: SignedIn) => {
    cookies.set(c, grant);
    return wantsCookiesOnly(c) ? { user } : { user, tokens: grant.tokens };
  };

  const registerRoutes = [
    registerRoute('/api/v1/auth/register', 'Sign up'),
    registerRoute('/api/signup', 'Sign up, at the address that older web clients post to'),
  ];
  for (const route of registerRoutes) {
    router.openapi(route, async (c) => {
      await limits.register?.take(addressKey(c.env.address));
      return c.json(signedIn(c, await auth.register(c.req.valid('json'))), 201);
    });
  }

  router.openapi(loginRoute, async (c) => {
    await limits.login?.take(addressKey(c.env.address));
    const { password, ...handle } = c.req.valid('json');
    return c.json(signedIn(c, await auth.login(handle, password)), 200);
  });

  router.openapi(refreshRoute, async (c) => {
    await limits.refresh?.take(addressKey(c.env.address));
    const given = c.req.valid('json').refresh_token;
    const token = given ?? refreshCookie(c.req.raw.headers);
    if (token === undefined) throw new ParleyError('missing_token', 'Sign in first: no refresh token was sent');
    if (given === undefined) assertMayUseCookies(origins, c.req.raw.headers);
    const grant = await auth.refresh(token);
    cookies.set(c, grant);
    const inCookies = given === undefined || wantsCookiesOnly(c);
    return c.json(inCookies ? { success: true as const, expires_in: grant.tokens.expires_in } : grant.tokens, 200);
  });

  router.openapi(logoutRoute, async (c) => {
    const session = await sessionToLeave(c.req.raw.headers);
    if (session) await auth.logout(session);
    cookies.clear(c);
    return c.json({ success: true as const }, 200);
  });

  /** The session that a sign-out means, by whichever token is there, expired or not. */
  async function sessionToLeave(headers: Headers): Promise<TokenClaims | undefined> {
    const bearer = bearerToken(headers);
    if (bearer !== undefined) return tokens.readIgnoringExpiry(bearer, 'access');
    const [access, refresh] = [accessCookie(headers), refreshCookie(headers)];
    if (access === undefined && refresh === undefined) return undefined;
    assertMayUseCookies(origins, headers);
    return (
      (access && (await tokens.readIgnoringExpiry(access, 'access'))) ||
      (refresh && (await tokens.readIgnoringExpiry(refresh, 'refresh'))) ||
      undefined
    );
  }

  router.openapi(passwordRoute, async (c) => {
    const { userId, sessionId } = c.var.caller;
    const { current_password: current, new_password: next } = c.req.valid('json');
    await auth.changePassword(userId, { current, next }, sessionId);
    return c.json({ success: true as const }, 200);
  });

  router.openapi(deleteRoute, async (c) => {
    const { userId } = c.var.caller;
    await auth.confirmPassword(userId, c.req.valid('json').password);
    await users.remove(userId);
    cookies.clear(c);
    return c.json({ success: true as const }, 200);
  });

  router.openapi(meRoute, async (c) => c.json(await users.self(c.var.caller.userId), 200));

  return router;
}

function wantsCookiesOnly(c: HttpContext): boolean {
  return c.req.header('x-auth-mode')?.toLowerCase() === 'cookie';
}
