import type { MessageFeed } from '../chat/messages/feed.ts';
import type { Config } from '../config/config.ts';
import type { Database } from '../database/database.ts';
import type { AdvisoryLock } from '../database/postgres/advisory-lock.ts';
import type { Redis } from '../redis/redis.ts';
import type { Logger } from '../shared/logger.ts';
import { conversationsBehind } from './catch-up.ts';
import { JobStream } from './job-stream.ts';
import type { JobSource } from './jobs.ts';
import { OutboxSource } from './outbox-source.ts';
import { Relay } from './relay.ts';
import { JobRepository } from './repository.ts';
import { RetryPolicy } from './retry-policy.ts';
import { StreamSource } from './stream-source.ts';
import { Webhooks } from './webhooks/webhooks.ts';
import { Worker, type WorkerOptions } from './worker.ts';

export interface WorkerDeps extends Pick<WorkerOptions, 'feed' | 'log' | 'observe'> {
  config: Pick<Config, 'worker' | 'webhooks'>;
  database: Database;
  feed: MessageFeed;
  redis?: Redis;
  /** Of several nodes one relays; undefined where there are never several. */
  relayLock?: AdvisoryLock;
  version: string;
  log: Logger;
}

/** What this process does of the work that may wait. */
export interface RunningWorker {
  worker: Worker;
  /** Where there are several nodes. */
  relay?: Relay;
}

/** The worker of this process, or undefined where the settings give it nothing to do. */
export function createWorker(deps: WorkerDeps): RunningWorker | undefined {
  const { config, database, feed, redis, relayLock, version, log, observe } = deps;
  const { url, secret, secret_previous, timeout, allow_private } = config.webhooks;
  if (url === '') return undefined;
  const consumer = new Webhooks({
    url,
    secrets: [secret, secret_previous].filter((one) => one !== ''),
    allowPrivate: allow_private,
    timeoutMs: timeout,
    version,
  });
  const { tries, retry_base, retry_cap, concurrency } = config.worker;
  const repository = new JobRepository(database, consumer.name);
  const readOutbox = () => new OutboxSource({ database, log, findBehind: () => conversationsBehind(feed, repository) });
  const retry = new RetryPolicy({ tries, baseMs: retry_base, capMs: retry_cap });
  const work = (source: JobSource) =>
    new Worker({ consumer, source, repository, feed, retry, concurrency, isAlone: !relayLock, log, observe });
  if (!redis || !relayLock) return { worker: work(readOutbox()) };
  const stream = new JobStream(redis, consumer.name);
  const worker = work(new StreamSource({ stream, withoutRedis: readOutbox(), log }));
  return { worker, relay: new Relay({ source: readOutbox(), stream, lock: relayLock, log }) };
}
