import type { Core } from '../core.ts';
import type { Part } from '../part.ts';
import type { Sessions } from '../sessions/create-sessions.ts';
import type { UsersService } from '../users/service.ts';
import { SessionCookies } from './cookies.ts';
import { DeviceTokens } from './device-tokens.ts';
import { PasswordTries } from './password-tries.ts';
import { Passwords } from './passwords.ts';
import { authRoutes } from './routes.ts';
import { AuthService } from './service.ts';
import { Tokens } from './tokens.ts';

/** Signing in: passwords, tokens and cookies. */
export function createAuth(
  core: Core,
  { users, sessions, changes, cache }: Sessions & { users: UsersService },
): Part & { auth: AuthService } {
  const { config, secrets, limits, origins } = core;
  const keys = { secret: secrets.current, previousSecret: secrets.previous };
  const tokens = new Tokens({ ...keys, accessExpiryMs: config.auth.jwt_access_expiry });
  const auth = new AuthService({
    users,
    sessions,
    passwords: new Passwords(config.auth),
    tries: new PasswordTries(limits, secrets.current),
    tokens,
    devices: new DeviceTokens(keys),
    cache,
    changes,
    limits,
  });
  const cookies = new SessionCookies(config.server.public_url);
  return { auth, routes: [authRoutes({ auth, users, tokens, cookies, origins })] };
}
