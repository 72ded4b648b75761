import type { Core } from '../core.ts';
import type { Part } from '../part.ts';
import type { Sessions } from '../sessions/create-sessions.ts';
import { Addresses } from './addresses.ts';
import { UsersRepository } from './repository.ts';
import { usersRoutes } from './routes.ts';
import { UsersService } from './service.ts';

export interface UsersPart extends Part {
  users: UsersService;
  addresses: Addresses;
}

/** Accounts: who there is, as they see themselves and as others see and find them. */
export function createUsers(core: Core, { sessions, changes }: Sessions): UsersPart {
  const { config, logger, lifecycle, database, bus, limits } = core;
  const repository = new UsersRepository(database);
  const users = new UsersService({ repository, changes, sessions, bus, config: config.auth, limits, log: logger });
  lifecycle.onNewEpoch('users', () => users.forgetPublicUsers());
  return { users, addresses: new Addresses({ repository, sessions }), routes: [usersRoutes(users)] };
}
