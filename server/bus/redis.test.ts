import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import pino from 'pino';
import { eventually } from '../../tests/support/eventually.ts';
import { canTestRedis, TestRedis } from '../../tests/support/redis.ts';
import { Redis } from '../redis/redis.ts';
import { busContract } from './bus.contract.ts';
import type { UserNews } from './bus.ts';
import { RedisBus } from './redis.ts';

const log = pino({ level: 'silent' });
const trust = { secrets: { current: 'the secret of these tests', previous: '' }, clock: { now: Date.now } };
const joining = (rev: number): UserNews => ({ kind: 'joining', conversation_id: 'c', rev });

describe.skipIf(!canTestRedis('the bus of many nodes'))('the bus of many nodes', () => {
  let server: TestRedis;
  const open: Redis[] = [];

  beforeAll(async () => {
    server = await TestRedis.start({ password: 'a password of Redis' });
  });
  afterAll(async () => {
    for (const redis of open) redis.close();
    await server?.stop();
  });

  async function node(): Promise<{ bus: RedisBus; redis: Redis }> {
    const config = { addr: server.addr, url: '', username: '', password: 'a password of Redis', db: 1, prefix: 'bus:' };
    const redis = await Redis.connect(config, trust, log);
    open.push(redis);
    return { bus: new RedisBus(redis, log), redis };
  }

  /** A bus, and another that hears when all that was published before came through. */
  async function settling(bus: RedisBus) {
    const { bus: other } = await node();
    return async () => {
      const heard = Promise.withResolvers<void>();
      const id = Bun.randomUUIDv7();
      const stop = other.subscribe(`user:${id}`, () => heard.resolve());
      await other.settled();
      await bus.settled();
      bus.publish(`user:${id}`, joining(1));
      await heard.promise;
      stop();
    };
  }

  describe('to the node itself', () => {
    busContract(async () => {
      const { bus } = await node();
      return { bus, settle: async () => {} };
    });
  });

  describe('between two nodes', () => {
    let here: RedisBus;
    let there: RedisBus;
    let settle: () => Promise<void>;

    beforeAll(async () => {
      ({ bus: here } = await node());
      ({ bus: there } = await node());
      settle = await settling(here);
    });

    function listen(channel: 'user:alice' | 'user:bob') {
      const heard: number[] = [];
      const stop = there.subscribe(channel, ({ rev }) => heard.push(rev));
      return { heard, stop };
    }

    test('what one publishes is heard by the other, once and in order, and by nobody who did not ask', async () => {
      const [alice, bob] = [listen('user:alice'), listen('user:bob')];
      await there.settled();
      for (let rev = 1; rev <= 500; rev++) here.publish('user:alice', joining(rev));
      await eventually('all is heard', async () => alice.heard.length >= 500);
      await settle();
      expect(alice.heard).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
      expect(bob.heard).toEqual([]);
      alice.stop();
      bob.stop();
    });

    test('a node hears what it publishes itself once, not again through Redis', async () => {
      const heard: number[] = [];
      const stop = here.subscribe('user:alice', ({ rev }) => heard.push(rev));
      await here.settled();
      here.publish('user:alice', joining(1));
      await settle();
      expect(heard).toEqual([1]);
      stop();
    });

    test('what is told here stays here', async () => {
      const { heard, stop } = listen('user:alice');
      await there.settled();
      here.tellHere('user:alice', joining(7));
      await settle();
      expect(heard).toEqual([]);
      stop();
    });

    test('a node that nobody listens on any more leaves the channel', async () => {
      const { redis } = await node();
      const subscribers = async () => (await redis.commands.pubSubNumSub(['bus:user:bob']))['bus:user:bob'];
      const { stop } = listen('user:bob');
      await eventually('joined', async () => Number(await subscribers()) === 1);
      stop();
      await eventually('left', async () => Number(await subscribers()) === 0);
    });

    test('garbage on a channel harms nobody', async () => {
      const { heard, stop } = listen('user:alice');
      await there.settled();
      const { redis } = await node();
      for (const text of ['', '{', 'somebody{"kind":', 'somebodynull', 'somebody[1]', '\u0000'.repeat(100)]) {
        await redis.commands.publish('bus:user:alice', text);
      }
      here.publish('user:alice', joining(9));
      await eventually('what came after is heard', async () => heard.includes(9));
      stop();
    });

    test('while Redis is away the node itself hears; after that both hear, whatever was joined or left meanwhile', async () => {
      const [alice, gone] = [listen('user:alice'), listen('user:bob')];
      await there.settled();
      await server.kill();
      gone.stop();
      const own: number[] = [];
      const stopOwn = here.subscribe('user:alice', ({ rev }) => own.push(rev));
      await eventually('the loss is noticed', async () => {
        here.publish('user:alice', joining(1));
        return here.dropped > 0;
      });
      expect(own.length).toBeGreaterThan(0);
      const late: number[] = [];
      const stopLate = there.subscribe('user:bob', ({ rev }) => late.push(rev));
      await server.restart();
      await eventually('both are heard again', async () => {
        here.publish('user:alice', joining(2));
        here.publish('user:bob', joining(3));
        return alice.heard.includes(2) && late.includes(3);
      });
      expect(gone.heard).toEqual([]);
      for (const stop of [alice.stop, stopOwn, stopLate]) stop();
    });
  });
});
