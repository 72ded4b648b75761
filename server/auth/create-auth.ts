import { PASSWORD_LENGTH } from '../../protocol/limits.ts';
import type { ServerInfo } from '../../protocol/resources.ts';
import type { Core } from '../core.ts';
import type { Mails } from '../mail/mails.ts';
import type { Part } from '../part.ts';
import type { Sessions } from '../sessions/create-sessions.ts';
import { sweep } from '../shared/sweep.ts';
import type { UsersService } from '../users/service.ts';
import { Arrivals } from './arrivals.ts';
import { BreachedPasswords } from './breached-passwords.ts';
import { SessionCookies } from './cookies.ts';
import type { Secrets } from './create-secrets.ts';
import { DeviceTokens } from './device-tokens.ts';
import { Entrance } from './entrance.ts';
import { infoRoutes } from './info-routes.ts';
import { MfaTickets } from './mfa-tickets.ts';
import { MfaTicketsRepository } from './mfa-tickets-repository.ts';
import { PasswordStrength } from './password-strength.ts';
import { PasswordTries } from './password-tries.ts';
import { Passwords } from './passwords.ts';
import { profileRoutes } from './profile-routes.ts';
import { authRoutes } from './routes.ts';
import { AuthService } from './service.ts';
import { SessionChecks } from './session-checks.ts';
import { sessionRoutes } from './session-routes.ts';
import { Tokens } from './tokens.ts';

/** Tickets that are over are deleted so often, in milliseconds. */
const SWEEP_MS = 3_600_000;
const SWEEP_CHUNK = 1000;

export interface AuthPart extends Part {
  auth: AuthService;
  /** Whether a session holds. */
  sessionChecks: SessionChecks;
  entrance: Entrance;
  tickets: MfaTickets;
  passwords: Passwords;
  devices: DeviceTokens;
  /** What every call that signs in reads and answers. */
  arrivals: Arrivals;
}

/** The list of `PASSWORD_BLOCKLIST`, where a server has one. Commands of the machine need none: what an operator gives is not judged. */
export async function openBreachedPasswords({ config, lifecycle }: Core): Promise<BreachedPasswords | undefined> {
  if (config.auth.password_blocklist === '') return undefined;
  const breached = await BreachedPasswords.open(config.auth.password_blocklist);
  lifecycle.onStop('close', 'breached-passwords', () => breached.close());
  return breached;
}

/** Signing in: passwords, tokens and cookies. */
export function createAuth(
  core: Core,
  {
    users,
    sessions,
    changes,
    cache,
    mails,
    secrets,
    breached,
  }: Sessions & { users: UsersService; mails: Mails; secrets: Secrets; breached?: BreachedPasswords },
): AuthPart {
  const { config, limits, origins, database } = core;
  const { current: secret, seals } = secrets;
  const tokens = new Tokens({ ...secrets, accessExpiryMs: config.auth.jwt_access_expiry });
  const devices = new DeviceTokens(secrets);
  const tickets = new MfaTickets(new MfaTicketsRepository(database), seals);
  const entrance = new Entrance({ sessions, tickets, tokens, devices, mails, config: config.auth });
  const sessionChecks = new SessionChecks({ users, sessions, tokens, cache, config: config.auth });
  const host = config.server.public_url === '' ? '' : new URL(config.server.public_url).hostname;
  const passwords = new Passwords(config.auth, new PasswordStrength(config.auth, host, breached));
  const auth = new AuthService({
    users,
    sessions,
    entrance,
    tickets,
    passwords,
    tries: new PasswordTries(limits, secret),
    tokens,
    changes,
    limits,
    mails,
    config: config.auth,
  });
  const cookies = new SessionCookies(config.server.public_url);
  const arrivals = new Arrivals({ tokens, cookies, origins });
  return {
    auth,
    sessionChecks,
    entrance,
    tickets,
    arrivals,
    passwords,
    devices,
    routes: [
      authRoutes({ auth, users, tokens, arrivals, cookies, origins }),
      profileRoutes({ users, changes, mails }),
      sessionRoutes({ sessions, changes }),
      infoRoutes(infoOf(core, mails)),
    ],
    duties: [
      {
        name: 'mfa-tickets',
        everyMs: SWEEP_MS,
        run: (signal) => sweep(SWEEP_CHUNK, (limit) => tickets.sweep(limit), signal),
      },
    ],
  };
}

function infoOf({ config: { server, auth } }: Pick<Core, 'config'>, mails: Mails): ServerInfo {
  const { min, max } = PASSWORD_LENGTH;
  return {
    name: server.public_url === '' ? undefined : new URL(server.public_url).host,
    mail: mails.isPossible ? 'sent' : mails.reachesSomebody ? 'printed' : 'none',
    verified_email_required: auth.require_verified_email,
    // The settings have made of "auto" one of the others.
    password: { min_length: min, max_length: max, strength: auth.password_strength === 'refuse' ? 'refuse' : 'warn' },
  };
}
