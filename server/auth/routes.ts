import { z } from 'zod';
import { DeleteUserBody, LoginBody, PasswordBody, RefreshBody, RegisterBody } from '../../protocol/requests.ts';
import { Tokens as TokensAnswer, User } from '../../protocol/resources.ts';
import { answer, Success } from '../http/declared-answers.ts';
import type { OriginPolicy } from '../http/origin.ts';
import { mount, publicRoute, signedInRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';
import type { TokenClaims } from '../sessions/model.ts';
import { ParleyError } from '../shared/errors.ts';
import type { UsersService } from '../users/service.ts';
import { type Arrivals, authMode, SignedInAnswer, wantsCookiesOnly } from './arrivals.ts';
import { assertMayUseCookies, bearerToken, visitOf } from './authenticate.ts';
import { refreshCookie, type SessionCookies, sessionCookies } from './cookies.ts';
import { credentials } from './credentials.ts';
import type { AuthService } from './service.ts';
import type { Tokens } from './tokens.ts';

const TAG = 'Authentication';

const registration = {
  ...credentials,
  method: 'post',
  request: { headers: authMode, body: RegisterBody },
  answers: { 201: answer('The account is made and signed in', SignedInAnswer) },
  fails: ['password_too_weak', 'email_taken', 'username_taken', 'phone_taken'],
  limit: 'register',
} as const;

const register = publicRoute({
  ...registration,
  path: '/api/v1/auth/register',
  operationId: 'register',
  summary: 'Sign up',
});

const signUp = publicRoute({
  ...registration,
  path: '/api/signup',
  operationId: 'signUp',
  summary: 'Sign up, at the address that older web clients post to',
});

const login = publicRoute({
  ...credentials,
  method: 'post',
  path: '/api/v1/auth/login',
  operationId: 'login',
  summary: 'Sign in',
  limit: 'sign_in',
  description:
    'By e-mail address, username or phone number. An unknown account is answered like a wrong password. A browser’s session ' +
    'of before ends. A `device_token`, or the cookie, of an earlier log-in to the account keeps strangers from using up ' +
    'its tries.',
  request: { headers: authMode, body: LoginBody },
  answers: { 200: answer('Signed in', SignedInAnswer) },
  fails: ['invalid_credentials', 'mfa_required'],
});

const refresh = publicRoute({
  ...credentials,
  method: 'post',
  path: '/api/v1/auth/refresh',
  operationId: 'refreshTokens',
  summary: 'Exchange a refresh token',
  limit: 'sign_in',
  description:
    'The token of the body, or of the cookie where the body has none. Every exchange makes the token void; for 30 s a ' +
    'repeat gets the same successor, after that it ends the session.',
  request: { headers: authMode, body: RefreshBody },
  answers: {
    200: answer(
      'New tokens; where they travel in cookies, only for how many seconds they hold',
      z.union([TokensAnswer, Success.extend({ expires_in: z.int() })]),
    ),
  },
  fails: [
    'missing_token',
    'invalid_token',
    'token_expired',
    'token_reused',
    'session_revoked',
    'mfa_required',
    'origin_not_allowed',
  ],
});

const logout = publicRoute({
  method: 'post',
  path: '/api/v1/auth/logout',
  operationId: 'logout',
  tag: TAG,
  summary: 'Sign out',
  description: 'Ends the session, closes its sockets and clears the cookies; also with an expired token, or with none.',
  looksAtSession: true,
  answers: { 200: answer('Signed out', Success) },
  fails: ['origin_not_allowed'],
});

const changePassword = signedInRoute({
  ...credentials,
  method: 'post',
  path: '/api/v1/auth/password',
  operationId: 'changePassword',
  whileRestricted: ['password', 'email', 'factor'],
  summary: 'Change your password',
  description: 'Ends every other session of yours.',
  request: { body: PasswordBody },
  answers: { 200: answer('Changed', Success) },
  fails: ['password_too_weak', 'invalid_credentials'],
});

const getMe = signedInRoute({
  method: 'get',
  path: '/api/v1/auth/me',
  operationId: 'getMe',
  whileRestricted: ['password', 'email', 'factor'],
  tag: TAG,
  summary: 'Who you are',
  answers: { 200: answer('You', User) },
});

const deleteMe = signedInRoute({
  ...credentials,
  method: 'delete',
  path: '/api/v1/users/me',
  operationId: 'deleteMe',
  whileRestricted: ['password', 'email', 'factor'],
  tag: 'Users',
  summary: 'Delete your account',
  description:
    'Signs you out everywhere and frees your address; your username is held back for a while. Your messages stay, as those ' +
    'of a deleted user.',
  request: { body: DeleteUserBody },
  answers: { 200: answer('The account is deleted', Success) },
  fails: ['invalid_credentials'],
});

export interface AuthRoutesDeps {
  auth: AuthService;
  users: UsersService;
  tokens: Tokens;
  cookies: SessionCookies;
  origins: OriginPolicy;
  arrivals: Arrivals;
}

export function authRoutes({ auth, users, tokens, cookies, origins, arrivals }: AuthRoutesDeps): Router {
  const router = createRouter();

  for (const route of [register, signUp]) {
    mount(router, route, async (c) => {
      const { device_token, ...signUp } = c.req.valid('json');
      return arrivals.answer(c, await auth.register(signUp, await arrivals.of(c, device_token)), device_token);
    });
  }

  mount(router, login, async (c) => {
    const { password, device_token, ...handle } = c.req.valid('json');
    return arrivals.answer(c, await auth.login(handle, password, await arrivals.of(c, device_token)), device_token);
  });

  mount(router, refresh, async (c) => {
    const given = c.req.valid('json').refresh_token;
    const token = given ?? refreshCookie(c.req.raw.headers);
    if (token === undefined) throw new ParleyError('missing_token', 'Sign in first: no refresh token was sent');
    if (given === undefined) assertMayUseCookies(origins, c.req.raw.headers);
    const grant = await auth.refresh(token, visitOf(c));
    cookies.set(c, grant);
    const inCookies = given === undefined || wantsCookiesOnly(c);
    return inCookies ? { success: true as const, expires_in: grant.tokens.expires_in } : grant.tokens;
  });

  mount(router, logout, async (c) => {
    for (const session of await sessionsToLeave(c.req.raw.headers)) await auth.logout(session, visitOf(c));
    cookies.clear(c);
    return { success: true };
  });

  /** The sessions that a sign-out means, by whichever tokens are there, expired or not. */
  async function sessionsToLeave(headers: Headers): Promise<TokenClaims[]> {
    const bearer = bearerToken(headers);
    if (bearer !== undefined) {
      const session = await tokens.readIgnoringExpiry(bearer, 'access');
      return session ? [session] : [];
    }
    const { access, refresh } = sessionCookies(headers);
    if (access.length + refresh.length > 0) assertMayUseCookies(origins, headers);
    return arrivals.sessionsOfCookies(headers);
  }

  mount(router, changePassword, async (c) => {
    const { current_password: current, new_password: next } = c.req.valid('json');
    await auth.changePassword(c.var.caller, { current, next }, visitOf(c));
    return { success: true };
  });

  mount(router, deleteMe, async (c) => {
    const { userId, sessionId } = c.var.caller;
    const visit = visitOf(c);
    await auth.confirmPassword(c.var.caller, c.req.valid('json').password, visit);
    await users.remove(userId, ({ record }) =>
      record({ kind: 'account.deleted', actorId: userId, subjectId: userId, sessionId, whence: visit.whence }),
    );
    cookies.clear(c);
    return { success: true };
  });

  mount(router, getMe, (c) => auth.self(c.var.caller));

  return router;
}
