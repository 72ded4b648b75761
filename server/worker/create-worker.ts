import type { EventFeed } from '../chat/events/feed.ts';
import type { Config } from '../config/config.ts';
import type { Core } from '../core.ts';
import type { Storage } from '../database/open-storage.ts';
import { AdvisoryLock } from '../database/postgres/advisory-lock.ts';
import type { Redis } from '../redis/redis.ts';
import type { Logger } from '../shared/logger.ts';
import { RetryPolicy } from '../shared/retry-policy.ts';
import { BehindCursorsRepository } from './behind-cursors-repository.ts';
import { type Cursors, conversationsBehind } from './catch-up.ts';
import { JobStream } from './job-stream.ts';
import type { Consumer, JobSource } from './jobs.ts';
import { OutboxSource } from './outbox-source.ts';
import { Relay } from './relay.ts';
import { JobRepository } from './repository.ts';
import { SharedOutbox } from './shared-outbox.ts';
import { StreamGroup } from './stream-group.ts';
import { StreamSource } from './stream-source.ts';
import { UnleasedRepository } from './unleased-repository.ts';
import { Worker } from './worker.ts';
import { countTries, gaugeWork, type Observe } from './worker-metrics.ts';
import { Workers } from './workers.ts';

/** Names the relay's lock among all of PostgreSQL's advisory locks: any number that nobody else takes. */
const RELAY_LOCK = 0x7061726c;

export interface WorkersDeps {
  config: Config['worker'];
  database: Storage;
  redis?: Redis;
  feed: EventFeed;
  consumers: Consumer[];
  observe: Observe;
  log: Logger;
}

/** A worker for each consumer, so that none waits for another; with Redis, and the relay that fills its stream. */
export function buildWorkers({ config, database, redis, feed, consumers, observe, log }: WorkersDeps): Workers {
  const { tries, retry_base, retry_cap, concurrency } = config;
  const retry = new RetryPolicy({ tries, baseMs: retry_base, capMs: retry_cap });
  const isAlone = database.engine === 'sqlite';
  const nodes = redis && database.engine === 'postgres' ? { redis, database } : undefined;
  const outbox = new SharedOutbox(database, log);
  const behind = new BehindCursorsRepository(database, log);

  const readOutbox = (cursors: Cursors[]) =>
    new OutboxSource({ outbox, findBehind: () => conversationsBehind(feed, cursors) });
  const sourceOf = (repository: JobRepository): JobSource => {
    const withoutRedis = readOutbox([repository]);
    if (!nodes) return withoutRedis;
    const stream = new StreamGroup(nodes.redis, repository.consumer);
    return new StreamSource({ stream, withoutRedis, findBehind: () => conversationsBehind(feed, [repository]), log });
  };
  const repositoryOf = ({ name, cursor = 'each' }: Consumer) =>
    cursor === 'each'
      ? new JobRepository(database, name)
      : new UnleasedRepository(database, name, behind, cursor === 'behind' ? undefined : cursor);

  const repositories = consumers.map(repositoryOf);
  const workers = consumers.map((consumer, index) => {
    const repository = repositories[index]!;
    const source = sourceOf(repository);
    const ended = (outcome: 'done' | 'failed' | 'parked') => observe(consumer.name, outcome);
    return new Worker({ consumer, source, repository, feed, retry, concurrency, isAlone, log, observe: ended });
  });
  const relay =
    nodes &&
    new Relay({
      source: readOutbox(repositories),
      stream: new JobStream(nodes.redis),
      groups: consumers.map(({ name }) => name),
      lock: new AdvisoryLock(nodes.database, RELAY_LOCK),
      log,
    });
  return new Workers(workers, behind, relay);
}

/** What hands consumers the events of conversations; nothing where this node does other things, or there is no consumer. */
export function createWorker(core: Core, { feed, consumers }: Pick<WorkersDeps, 'feed' | 'consumers'>): void {
  const { config, logger, lifecycle, metrics, database, redis } = core;
  if (consumers.length === 0 || !config.roles.includes('worker')) return;
  const observe = countTries(metrics);
  const workers = buildWorkers({ config: config.worker, database, redis, feed, consumers, observe, log: logger });
  gaugeWork(metrics, () => workers.states());
  lifecycle.onStart('workers', () => workers.start());
  lifecycle.onStop('finish', 'workers', (graceMs) => workers.stop(graceMs));
  lifecycle.onNewEpoch('workers', () => workers.lookAgain());
}
