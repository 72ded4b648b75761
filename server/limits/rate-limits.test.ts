import { describe, expect, test } from 'bun:test';
import { addressKey, createRateLimits, RateLimit } from './rate-limits.ts';

describe('the key of an address', () => {
  test('is the whole of IPv4, also where it is written as IPv6', () => {
    expect(addressKey('203.0.113.7')).toBe('203.0.113.7');
    expect(addressKey('::ffff:203.0.113.7')).toBe('203.0.113.7');
  });

  test('is the first 64 bits of IPv6', () => {
    expect(addressKey('2001:db8:1:2:3:4:5:6')).toBe(addressKey('2001:db8:1:2::ffff'));
    expect(addressKey('2001:db8:1:2::1')).not.toBe(addressKey('2001:db8:1:3::1'));
    expect(addressKey('2001:db8::1')).toBe('2001:db8:0:0');
    expect(addressKey('::1')).toBe('0:0:0:0');
  });

  test('is the text itself where it is no address', () => {
    expect(addressKey('unknown')).toBe('unknown');
  });
});

describe('a limit', () => {
  test('counts each key by itself, refuses what is too much and says for how long', async () => {
    const limit = new RateLimit('tries', { points: 2, seconds: 60 });
    await limit.take('a');
    await limit.take('a');
    await limit.take('b');
    const refusal = await limit.take('a').catch((error) => error);
    expect(refusal).toMatchObject({ code: 'rate_limited', details: { limit: { points: 2, remaining: 0 } } });
    expect(refusal.details.retryAfterMs).toBeWithin(1, 60_001);
  });

  test('forgets a key that is reset', async () => {
    const limit = new RateLimit('tries', { points: 1, seconds: 60 });
    await limit.take('a');
    await limit.reset('a');
    await limit.take('a');
  });

  test('is not there where limits are off', () => {
    const limits = { login: { points: 1, seconds: 1 } } as Parameters<typeof createRateLimits>[0]['limits'];
    expect(createRateLimits({ rate_limits: false, limits })).toEqual({});
    expect(createRateLimits({ rate_limits: true, limits }).login).toBeInstanceOf(RateLimit);
  });
});
