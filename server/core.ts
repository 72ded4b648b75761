import { version } from '../package.json' with { type: 'json' };
import type { Bus } from './bus/bus.ts';
import { type CreateBus, createBus } from './bus/create-bus.ts';
import { MemoryBus } from './bus/memory.ts';
import type { Config } from './config/config.ts';
import { loadSecrets, type Secrets } from './config/secret.ts';
import { Epoch } from './database/epoch.ts';
import { SchemaMigrator } from './database/migrator.ts';
import { openStorage, type Storage } from './database/open-storage.ts';
import { SharedClock } from './database/shared-clock.ts';
import { Erasure } from './database/sqlite/erasure.ts';
import { OriginPolicy } from './http/origin.ts';
import type { AnyKinds } from './jobs/handlers.ts';
import { JobQueue } from './jobs/job-queue.ts';
import { Lifecycle } from './lifecycle.ts';
import { createRateLimits, type RateLimits } from './limits/rate-limits.ts';
import { Metrics } from './monitoring/metrics.ts';
import { Redis } from './redis/redis.ts';
import type { Logger } from './shared/logger.ts';
import { THREADS } from './threads.ts';

export { version };

/** What every service stands on. A service takes of it what it needs. */
export interface Core {
  config: Config;
  version: string;
  /** Of which the keys are that sign tokens, and what nodes share. */
  secrets: Secrets;
  logger: Logger;
  lifecycle: Lifecycle;
  metrics: Metrics;
  database: Storage;
  /** Which history the log tells (PROTOCOL.md §7.4). */
  epoch: Epoch;
  bus: Bus;
  /** Where nodes are joined by one. */
  redis?: Redis;
  limits: RateLimits;
  /** Where work is put that may wait, in the transaction of its cause. */
  queue: JobQueue<AnyKinds>;
  /** Which web pages may act with a visitor's cookies. */
  origins: OriginPolicy;
}

export interface CoreOptions {
  config: Config;
  logger: Logger;
  /** It is given what stands at any moment, so that a start that fails halfway can be undone. */
  lifecycle: Lifecycle;
  /** Told of what the program cannot go on after. */
  onFatal(error: Error): void;
  createBus?: CreateBus;
}

/** Opens what a server stands on, and says how each part of it ends. */
export async function openCore(options: CoreOptions): Promise<Core> {
  const { config, logger, lifecycle, onFatal } = options;
  const metrics = new Metrics(config.monitoring.interval);
  lifecycle.onStop('close', 'metrics', () => metrics.stop());
  const database = await openStorage(config, { threads: THREADS, locksFolder: true, onDeath: onFatal });
  lifecycle.onStop('close', 'database', () => database.close());
  await migrate(database, logger);
  if (database.engine === 'sqlite') {
    const erasure = new Erasure(database, logger);
    lifecycle.onStart('erasure', () => erasure.start());
    lifecycle.onStop('close', 'erasure', () => erasure.stop());
  }
  const secrets = loadSecrets(config.auth, config.data.dir);
  const redis = await openRedis(options, secrets, database);
  if (database.engine === 'postgres' && !redis) {
    logger.info('without Redis, nodes on one PostgreSQL hear of each other from its outbox, within seconds');
  }
  const bus = (options.createBus ?? createBus)({ logger, redis, metrics });
  lifecycle.onStop('close', 'bus', () => bus.close());
  const epoch = new Epoch(database, logger, () => lifecycle.newEpoch());
  lifecycle.onStart('epoch', () => epoch.start());
  lifecycle.onStop('close', 'epoch', () => epoch.stop());
  const limits = createRateLimits(config, redis);
  const origins = originsOf(config);
  const queue = new JobQueue<AnyKinds>(database.engine);
  return { config, version, secrets, logger, lifecycle, metrics, database, epoch, bus, redis, limits, queue, origins };
}

/** Redis, where the settings name one, and the clock by which nodes believe what is in it. */
async function openRedis(options: CoreOptions, secrets: Secrets, database: Storage): Promise<Redis | undefined> {
  const { config, logger, lifecycle } = options;
  if (!Redis.isConfigured(config.redis)) return undefined;
  const clock = new SharedClock(database, logger);
  await clock.start();
  lifecycle.onStop('close', 'clock', () => clock.stop());
  const redis = await Redis.connect(config.redis, { secrets, clock }, logger);
  lifecycle.onStop('close', 'redis', () => redis.close());
  return redis;
}

/** Opens the database for a command. One of its threads that breaks ends the program. */
export function openForCommand(config: Config): Promise<Storage> {
  const onDeath = (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  };
  return openStorage(config, { threads: THREADS, onDeath });
}

/** What a command stands on that changes an installation beside its server: nothing limits it, and nobody listens to it. */
export function commandCore(config: Config, logger: Logger, database: Storage): Core {
  const lifecycle = new Lifecycle(logger);
  const metrics = new Metrics(config.monitoring.interval);
  const epoch = new Epoch(database, logger, () => lifecycle.newEpoch());
  const origins = originsOf(config);
  const bus = new MemoryBus(logger);
  const queue = new JobQueue<AnyKinds>(database.engine);
  const secrets = loadSecrets(config.auth, config.data.dir);
  return { config, version, secrets, logger, lifecycle, metrics, database, epoch, bus, limits: {}, queue, origins };
}

function originsOf({ server }: Config): OriginPolicy {
  return new OriginPolicy({ publicUrl: server.public_url, corsOrigins: server.cors_origins });
}

async function migrate(database: Storage, logger: Logger): Promise<void> {
  const migrator = new SchemaMigrator(database);
  const migrated = await migrator.up();
  const newer = await migrator.newerSteps();
  if (newer.length > 0)
    logger.warn({ migrations: newer }, 'the schema is of a newer version, which this one can run on');
  if (migrated.length > 0) logger.info({ migrations: migrated }, 'the schema was brought up to date');
}
