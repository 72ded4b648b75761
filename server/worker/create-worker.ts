import type { MessageFeed } from '../chat/feed.ts';
import type { Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import type { Logger } from '../monitoring/logger.ts';
import { conversationsBehind } from './catch-up.ts';
import { OutboxSource } from './outbox-source.ts';
import { JobRepository } from './repository.ts';
import { RetryPolicy } from './retry-policy.ts';
import { Webhooks } from './webhooks/webhooks.ts';
import { Worker, type WorkerOptions } from './worker.ts';

export interface WorkerDeps extends Pick<WorkerOptions, 'feed' | 'log' | 'observe'> {
  config: Pick<Config, 'worker' | 'webhooks'>;
  database: Database;
  feed: MessageFeed;
  version: string;
  log: Logger;
}

/** The worker of this process, or undefined where the settings give it nothing to do. */
export function createWorker(deps: WorkerDeps): Worker | undefined {
  const { config, database, feed, version, log, observe } = deps;
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
  const source = new OutboxSource({ database, log, findBehind: () => conversationsBehind(feed, repository) });
  const retry = new RetryPolicy({ tries, baseMs: retry_base, capMs: retry_cap });
  const isAlone = database.engine === 'sqlite';
  return new Worker({ consumer, source, repository, feed, retry, concurrency, isAlone, log, observe });
}
