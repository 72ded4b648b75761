import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import pino from 'pino';
import { eventually } from '../../tests/support/eventually.ts';
import { canTestRedis, TestRedis } from '../../tests/support/redis.ts';
import { type Config, ConfigError } from '../config/config.ts';
import { Redis } from './redis.ts';

const PASSWORD = 'open sesame';
const trust = { secrets: { current: 'the secret of these tests', previous: '' }, clock: { now: Date.now } };

describe.skipIf(!canTestRedis('the connections to Redis'))('the connections to Redis', () => {
  let server: TestRedis;
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const open: Redis[] = [];

  beforeAll(async () => {
    server = await TestRedis.start({ password: PASSWORD });
  });
  afterAll(async () => {
    for (const redis of open) redis.close();
    await server?.stop();
  });

  async function connect(settings: Partial<Config['redis']> = {}): Promise<Redis> {
    const config = {
      addr: server.addr,
      url: '',
      username: '',
      password: PASSWORD,
      db: 0,
      prefix: 'test:',
      ...settings,
    };
    const redis = await Redis.connect(config, trust, log);
    open.push(redis);
    return redis;
  }

  test.each([
    ['wrong', { password: 'open barley' }],
    ['missing', { password: '' }],
    ['wrong in the address', () => ({ url: `redis://:open%20barley@${server.addr}`, password: '' })],
  ])('are refused with one line that names the setting where the password is %s', async (_, settings) => {
    const failure = await connect(typeof settings === 'function' ? settings() : settings).catch((error) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.message).toContain('REDIS_PASSWORD');
    expect(failure.message).not.toContain('barley');
    expect(lines.join()).not.toContain('barley');
  });

  test('are of a user with some rights, and are refused with one line that names the setting where they are too few', async () => {
    const own = await TestRedis.start();
    try {
      const { username, password } = new URL(own.url);
      const user = { addr: own.addr, username, password, prefix: 'parley:' };
      expect((await connect(user)).isUp).toBe(true);
      expect((await connect({ addr: '', url: own.url, username: '', password: '', prefix: 'parley:' })).isUp).toBe(
        true,
      );
      const refusal = async (settings: Partial<Config['redis']>) => {
        const failure = await connect({ ...user, ...settings }).catch((error) => error);
        expect(failure).toBeInstanceOf(ConfigError);
        expect(failure.message).not.toContain(password);
        return failure.message;
      };
      expect(await refusal({ username: 'nobody' })).toMatch(/^REDIS_PASSWORD .*REDIS_USERNAME$/);
      expect(await refusal({ username: '' })).toMatch(/^REDIS_PASSWORD /);
      expect(await refusal({ prefix: 'another:' })).toMatch(/^REDIS_USERNAME must .*REDIS_PREFIX/);
      const operator = await connect({ addr: '', url: own.operatorUrl, username: '', password: '' });
      await operator.commands.sendCommand(['ACL', 'SETUSER', 'parley', 'resetchannels']);
      expect(await refusal({})).toMatch(/^REDIS_USERNAME must .*REDIS_PREFIX/);
      await operator.commands.sendCommand(['ACL', 'SETUSER', 'parley', '-info']);
      expect(await refusal({})).toMatch(/^REDIS_USERNAME must .*'info'/);
      for (const redis of open.splice(0)) redis.close();
    } finally {
      await own.stop();
    }
  });

  test('take their password and their database from an address, too', async () => {
    const redis = await connect({ addr: '', url: `redis://:open%20sesame@${server.addr}/3`, password: '' });
    await redis.commands.set('key', 'three');
    expect(await redis.commands.get('key')).toBe('three');
    expect(await (await connect({ db: 3, prefix: '' })).commands.get('test:key')).toBe('three');
    expect(await (await connect()).commands.get('key')).toBe(null);
  });

  test('come by themselves where Redis was not there at the start, and fail at once until then', async () => {
    await server.kill();
    const redis = await connect();
    expect(redis.isUp).toBe(false);
    await expect(redis.check()).rejects.toThrow();
    await server.restart();
    await eventually('it is there', async () => redis.isUp);
    await redis.check();
  });

  test('come back by themselves, and say once that they were lost and once that they are back', async () => {
    const redis = await connect();
    await eventually('all are there', async () => open.every(({ isUp }) => isUp));
    lines.length = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    redis.onReturn(resolve);
    await server.kill();
    await eventually('the loss is noticed', async () => !redis.isUp);
    await expect(redis.check()).rejects.toThrow();
    await Bun.sleep(1000); // several attempts
    await server.restart();
    await promise;
    await redis.check();
    const about = (text: string) => lines.filter((line) => line.includes(text)).length;
    await eventually('all are back', async () => about('is back') >= open.length);
    expect([about('is lost'), about('is back')]).toEqual([open.length, open.length]);
    expect(lines.join()).not.toContain(PASSWORD);
  });
});
