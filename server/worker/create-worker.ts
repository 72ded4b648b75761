import type { EventFeed } from '../chat/messages/feed.ts';
import type { Config } from '../config/config.ts';
import type { Database } from '../database/database.ts';
import type { AdvisoryLock } from '../database/postgres/advisory-lock.ts';
import type { Redis } from '../redis/redis.ts';
import type { Logger } from '../shared/logger.ts';
import { BehindCursorsRepository } from './behind-cursors-repository.ts';
import { type Cursors, conversationsBehind } from './catch-up.ts';
import { JobStream } from './job-stream.ts';
import type { Consumer, JobSource } from './jobs.ts';
import { OutboxSource } from './outbox-source.ts';
import { Relay } from './relay.ts';
import { JobRepository } from './repository.ts';
import { RetryPolicy } from './retry-policy.ts';
import { SharedOutbox } from './shared-outbox.ts';
import { StreamGroup } from './stream-group.ts';
import { StreamSource } from './stream-source.ts';
import { UnleasedRepository } from './unleased-repository.ts';
import { Webhooks } from './webhooks/webhooks.ts';
import { Worker } from './worker.ts';
import { Workers } from './workers.ts';

export interface WorkerDeps {
  config: Pick<Config, 'worker' | 'webhooks'>;
  database: Database;
  feed: EventFeed;
  redis?: Redis;
  /** Of several nodes one relays; undefined where there are never several. */
  relayLock?: AdvisoryLock;
  version: string;
  log: Logger;
  /** A try of a consumer's ended. */
  observe(consumer: string, outcome: 'done' | 'failed' | 'parked'): void;
  /** Beside those that the settings ask for. */
  consumers?: Consumer[];
}

/** The workers of this process, one for each consumer, or undefined where there is none. */
export function createWorker(deps: WorkerDeps): Workers | undefined {
  const { config, database, feed, redis, relayLock, log } = deps;
  const consumers = [...consumersOf(deps), ...(deps.consumers ?? [])];
  if (consumers.length === 0) return undefined;
  const { tries, retry_base, retry_cap, concurrency } = config.worker;
  const retry = new RetryPolicy({ tries, baseMs: retry_base, capMs: retry_cap });
  const outbox = new SharedOutbox(database, log);
  const behind = new BehindCursorsRepository(database, log);
  const readOutbox = (cursors: Cursors[]) =>
    new OutboxSource({ outbox, findBehind: () => conversationsBehind(feed, cursors) });
  const sourceOf = (repository: JobRepository): JobSource => {
    const withoutRedis = readOutbox([repository]);
    if (!redis || !relayLock) return withoutRedis;
    const stream = new StreamGroup(redis, repository.consumer);
    return new StreamSource({ stream, withoutRedis, findBehind: () => conversationsBehind(feed, [repository]), log });
  };

  const repositories = consumers.map((consumer) => repositoryOf(consumer, database, behind));
  const workers = consumers.map((consumer, index) => {
    const repository = repositories[index]!;
    const observe = (outcome: 'done' | 'failed' | 'parked') => deps.observe(consumer.name, outcome);
    const source = sourceOf(repository);
    return new Worker({ consumer, source, repository, feed, retry, concurrency, isAlone: !relayLock, log, observe });
  });
  const groups = consumers.map(({ name }) => name);
  const relay =
    redis && relayLock
      ? new Relay({ source: readOutbox(repositories), stream: new JobStream(redis), groups, lock: relayLock, log })
      : undefined;
  return new Workers(workers, behind, relay);
}

/** The consumers that the settings ask for. */
function consumersOf({ config, version }: WorkerDeps): Consumer[] {
  const { url, secret, secret_previous, timeout, allow_private, events } = config.webhooks;
  if (url === '') return [];
  const secrets = [secret, secret_previous].filter((one) => one !== '');
  return [new Webhooks({ url, secrets, events, allowPrivate: allow_private, timeoutMs: timeout, version })];
}

function repositoryOf({ name, cursor = 'each' }: Consumer, database: Database, behind: BehindCursorsRepository) {
  if (cursor === 'each') return new JobRepository(database, name);
  return new UnleasedRepository(database, name, behind, cursor === 'behind' ? undefined : cursor);
}
