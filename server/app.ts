import { createAccountLinks } from './account-links/create-account-links.ts';
import { createAudit } from './audit/create-audit.ts';
import { createAuth, openBreachedPasswords } from './auth/create-auth.ts';
import { createSecrets } from './auth/create-secrets.ts';
import { createChat } from './chat/create-chat.ts';
import type { Config } from './config/config.ts';
import { type Core, type CoreOptions, openCore } from './core.ts';
import { createFactors } from './factors/create-factors.ts';
import { createFrontDoor } from './front-door.ts';
import { type BoundAddress, requireFreeAddress } from './http/serve.ts';
import { createJobs } from './jobs/create-jobs.ts';
import { Lifecycle } from './lifecycle.ts';
import { createMail } from './mail/create-mail.ts';
import type { Part } from './part.ts';
import { createRealtime } from './realtime/create-realtime.ts';
import { createSessions } from './sessions/create-sessions.ts';
import type { Logger } from './shared/logger.ts';
import { createUsers } from './users/create-users.ts';
import { createWebhooks } from './webhooks/create-webhooks.ts';
import { createWorker } from './worker/create-worker.ts';

/** A running server. */
export interface App {
  address: BoundAddress;
  /** Stops in order, within `SHUTDOWN_TIMEOUT`: see lifecycle.ts. */
  stop(): Promise<void>;
}

/** What tests bring: a bus that loses, delays and reorders; parts of their own. */
export interface Additions extends Pick<CoreOptions, 'createBus'> {
  createParts?(core: Core): Part[];
}

/** Builds every part from the configuration and starts it. Nothing else wires. What was begun is ended where one fails. */
export async function startApp(
  config: Config,
  logger: Logger,
  onFatal: (error: Error) => void,
  additions: Additions = {},
): Promise<App> {
  await requireFreeAddress(config.server);
  const lifecycle = new Lifecycle(logger);
  const stop = () => lifecycle.stop(config.server.shutdown_timeout);
  try {
    const core = await openCore({ config, logger, lifecycle, onFatal, ...additions });
    const audit = createAudit(core);
    const secrets = createSecrets(core);
    const mail = createMail(core, secrets);
    const sessions = createSessions(core, audit);
    const users = createUsers(core, sessions);
    const breached = await openBreachedPasswords(core);
    const auth = createAuth(core, { ...sessions, ...users, ...mail, secrets, breached });
    const factors = createFactors(core, { ...sessions, ...users, ...mail, ...auth, secrets });
    const accountLinks = createAccountLinks(core, { ...sessions, ...users, ...mail, ...auth });
    const chat = createChat(core, users);
    const realtime = createRealtime(core, { ...auth, ...chat });
    const webhooks = createWebhooks(core);

    const parts: Part[] = [
      audit,
      mail,
      sessions,
      users,
      auth,
      factors,
      accountLinks,
      chat,
      realtime,
      webhooks,
      ...(additions.createParts?.(core) ?? []),
    ];
    createWorker(core, { ...chat, consumers: parts.flatMap(({ consumers = [] }) => consumers) });
    createJobs(core, {
      handlers: Object.assign({}, ...parts.map(({ jobs }) => jobs)),
      duties: parts.flatMap(({ duties = [] }) => duties),
    });
    const frontDoor = createFrontDoor(core, { ...auth, realtime, parts });
    await lifecycle.start();
    return { address: frontDoor.address, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
