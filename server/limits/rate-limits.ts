import ipaddr from 'ipaddr.js';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config, Limit } from '../config/config.ts';
import type { Redis } from '../redis/redis.ts';
import { ParleyError } from '../shared/errors.ts';

/**
 * Counts, and answers the count and for how many milliseconds it stands. Whatever else somebody put there does not count, nor
 * longer than a count of ours.
 */
const COUNT = `
redis.call('SET', KEYS[1], 0, 'EX', ARGV[2], 'NX')
local consumed = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(consumed) ~= 'number' then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
  consumed = tonumber(ARGV[1])
end
local left = redis.call('PTTL', KEYS[1])
if left < 0 or left > 1000 * ARGV[2] then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  left = 1000 * ARGV[2]
end
return {consumed, left}
`;

/**
 * One limit, counted for each key: an address, or an account. With Redis all nodes count together; while it is away each
 * counts by itself.
 */
export class RateLimit {
  private readonly limiter: RateLimiterAbstract;

  constructor(
    private readonly name: string,
    private readonly limit: Limit,
    redis?: Redis,
  ) {
    const options = { keyPrefix: `limit:${name}`, points: limit.points, duration: limit.seconds };
    const memory = new RateLimiterMemory(options);
    this.limiter = redis
      ? new RateLimiterRedis({
          ...options,
          storeClient: redis.commands,
          useRedisPackage: true,
          rejectIfRedisNotReady: true,
          customIncrTtlLuaScript: COUNT,
          insuranceLimiter: memory,
        })
      : memory;
  }

  /** Counts `points` uses of `key`. Fails with `rate_limited` when there were too many. */
  async take(key: string, points = 1): Promise<void> {
    try {
      await this.limiter.consume(key, points);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      throw new ParleyError('rate_limited', `Too many requests (${this.name}): wait a little`, {
        retryAfterMs: refusal.msBeforeNext,
        limit: { points: this.limit.points, remaining: refusal.remainingPoints },
      });
    }
  }

  /** Takes back uses that were counted, as where what was counted did not come about. */
  async giveBack(key: string, points = 1): Promise<void> {
    await this.limiter.reward(key, points);
  }

  /** Forgets what was counted for `key`, as after a log-in that succeeded. */
  async reset(key: string): Promise<void> {
    await this.limiter.delete(key);
  }
}

/** What is limited (PROTOCOL.md §9; ASVS 2.4.1, 6.3.1). Where limits are off, each is undefined. */
export type RateLimits = { [K in keyof Config['limits']]?: RateLimit };

/** What keeps this node's memory and time, so that each counts by itself: none of it is to wait for Redis. */
const COUNTED_HERE = new Set<string>([
  'reads',
  'handshakes',
  'handshakes_account',
  'lookups',
  'typing',
] satisfies (keyof RateLimits)[]);

export function createRateLimits(config: Pick<Config, 'rate_limits' | 'limits'>, redis?: Redis): RateLimits {
  if (!config.rate_limits) return {};
  const entries = Object.entries(config.limits).map(([name, limit]) => {
    return [name, new RateLimit(name, limit, COUNTED_HERE.has(name) ? undefined : redis)];
  });
  return Object.fromEntries(entries);
}

/** The part of an address that one person can hardly change: all of IPv4, the first 64 bits of IPv6 (RFC 6177). */
export function addressKey(address: string): string {
  if (!address.includes(':') || !ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv4' ? parsed.toString() : parsed.toNormalizedString().split(':').slice(0, 4).join(':');
}
