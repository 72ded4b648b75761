import type { Metrics } from '../monitoring/metrics.ts';
import type { Redis } from '../redis/redis.ts';
import type { Logger } from '../shared/logger.ts';
import type { Bus } from './bus.ts';
import { MemoryBus } from './memory.ts';
import { RedisBus } from './redis.ts';

export type CreateBus = (needs: { logger: Logger; metrics: Metrics; redis?: Redis }) => Bus;

/** The bus of one node, or that of several where Redis joins them. */
export const createBus: CreateBus = ({ logger, metrics, redis }) => {
  if (!redis) return new MemoryBus(logger);
  const bus = new RedisBus(redis, logger);
  metrics.gauge('parley_redis_up', 'Whether Redis is there: 1 or 0', () => Number(redis.isUp));
  metrics.reading(
    'parley_bus_published_total',
    'Publications that were given to Redis for other nodes',
    () => bus.published,
  );
  metrics.reading(
    'parley_bus_dropped_total',
    'Publications that other nodes were not sent, and learn of through the outbox',
    () => bus.dropped,
  );
  const refused = metrics.counter({
    name: 'parley_redis_refused_total',
    help: 'What was found in Redis and not believed: none of ours, not of now, or nothing that is read there',
    labelNames: ['found', 'reason'],
  });
  redis.onRefusal((found, reason) => refused.inc({ found, reason }));
  return bus;
};
