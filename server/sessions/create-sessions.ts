import type { AuditTrail } from '../audit/trail.ts';
import type { Core } from '../core.ts';
import type { Part } from '../part.ts';
import { AccountChanges } from './account-changes.ts';
import { SessionsRepository } from './repository.ts';
import { BELIEVED_MS, SessionCache } from './session-cache.ts';
import { SessionsService } from './sessions.ts';
import { SharedSessions } from './shared-sessions.ts';

/** Rows of sessions that are long over are deleted so often, in milliseconds. */
const SWEEP_MS = 3_600_000;

export interface Sessions extends Part {
  sessions: SessionsService;
  /** The one way in which accounts and sessions change. */
  changes: AccountChanges;
  /** Sessions that were found to hold a moment ago. */
  cache: SessionCache;
}

/** Sessions: what it means to be signed in, below accounts and the ways of signing in. */
export function createSessions({ config, database, bus, redis }: Core, { audit }: { audit: AuditTrail }): Sessions {
  const changes = new AccountChanges(database, bus, audit);
  const repository = new SessionsRepository(database);
  const sessions = new SessionsService({ repository, changes, config: config.auth });
  return {
    sessions,
    changes,
    cache: new SessionCache(bus, redis && new SharedSessions(redis, BELIEVED_MS)),
    duties: [{ name: 'sessions', everyMs: SWEEP_MS, run: (signal) => sessions.sweep(signal) }],
  };
}
