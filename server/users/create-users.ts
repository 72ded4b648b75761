import type { Core } from '../core.ts';
import type { Part } from '../part.ts';
import type { Sessions } from '../sessions/create-sessions.ts';
import { Addresses } from './addresses.ts';
import { UsersRepository } from './repository.ts';
import { usersRoutes } from './routes.ts';
import { UsersService } from './service.ts';
import { UsernameClaims } from './username-claims.ts';
import { ReservedUsernames } from './usernames.ts';

/** Names that are held back no more are forgotten so often, in milliseconds. */
const SWEEP_MS = 3_600_000;

export interface UsersPart extends Part {
  users: UsersService;
  addresses: Addresses;
}

/** Accounts: who there is, as they see themselves and as others see and find them. */
export function createUsers(core: Core, { sessions, changes }: Sessions): UsersPart {
  const { config, logger, lifecycle, database, bus, limits } = core;
  const repository = new UsersRepository(database);
  const claims = new UsernameClaims(database, config.auth.username_hold);
  const reserved = new ReservedUsernames(config);
  const deps = { repository, claims, reserved, changes, sessions, bus, config: config.auth, limits, log: logger };
  const users = new UsersService(deps);
  lifecycle.onNewEpoch('users', () => users.forgetPublicUsers());
  return {
    users,
    addresses: new Addresses({ repository, sessions }),
    routes: [usersRoutes(users)],
    duties: [{ name: 'usernames', everyMs: SWEEP_MS, run: (signal) => users.sweepUsernames(signal) }],
  };
}
