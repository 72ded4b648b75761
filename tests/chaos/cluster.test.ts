import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import type { Load } from '../support/load.ts';
import { canTestPostgres } from '../support/postgres.ts';
import { canTestRedis } from '../support/redis.ts';
import { endServers } from '../support/server.ts';
import { canTest } from '../support/untested.ts';
import { play } from './cluster/show.ts';
import { findFaketime, Stage } from './cluster/stage.ts';

/** Short by default; `make chaos` asks for more of each. */
const NODE_KILLS = Number(process.env.NODE_KILLS ?? 4);
const POSTGRES_KILLS = Number(process.env.POSTGRES_KILLS ?? 3);
const REDIS_RESTARTS = Number(process.env.REDIS_RESTARTS ?? 3);
const REDIS_DOWN_MS = Number(process.env.REDIS_DOWN_S ?? 6) * 1000;
const SILENCES = Number(process.env.SILENCES ?? 3);

/** How long a node may take to stop, whatever it stands on does. */
const STOPPED_MS = 10_000;
const CUT_MS = 6000;
/** Longer than a node tries by itself to find out whether a batch was committed. */
const BEYOND_PATIENCE_MS = 7000;
/** For how long nodes with different clocks talk: beyond a minute each has swept the outbox once. */
const SKEWED_MS = Number(process.env.SKEWED_S ?? 3) * 1000;

/** Resolves in a moment in which messages wait for their acks: there are others, in which all were answered. */
async function underWay(load: Load): Promise<void> {
  await eventually('messages are under way', async () => load.inFlight > 0);
}

const isPossible = [canTestPostgres('three nodes that break'), canTestRedis('three nodes that break')].every(Boolean);

setDefaultTimeout(120_000 + 20_000 * (NODE_KILLS + POSTGRES_KILLS + REDIS_RESTARTS + SILENCES) + REDIS_DOWN_MS);

describe.if(isPossible)('three nodes under load lose nothing, repeat nothing and keep the order', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.set();
  });
  afterAll(async () => {
    await stage?.strike();
    await endServers();
  });

  test(`while nodes are killed, ${NODE_KILLS} times`, async () => {
    await play(stage, `${NODE_KILLS} kills of a node`, async ({ load, talk, inTime }) => {
      let longest = 0;
      for (let kill = 0; kill < NODE_KILLS; kill++) {
        const node = stage.cluster.nodes[kill % stage.cluster.nodes.length]!;
        await underWay(load);
        await node.kill();
        longest = Math.max(longest, await load.resumed('message'));
        await node.start();
        await talk(300);
      }
      inTime('the others deliver after a kill, at most', longest);
    });
  });

  test(`while PostgreSQL is killed during commits, ${POSTGRES_KILLS} times`, async () => {
    await play(stage, `${POSTGRES_KILLS} kills of PostgreSQL`, async ({ load, talk, inTime }) => {
      const sockets = load.socketsOpened;
      let longest = 0;
      for (let kill = 0; kill < POSTGRES_KILLS; kill++) {
        await load.resumed('ack');
        await underWay(load);
        await stage.postgres.crash();
        // What waits for an ack is tried again by the node itself for a while; the last time that is not enough.
        const isLast = kill === POSTGRES_KILLS - 1;
        await talk(isLast ? BEYOND_PATIENCE_MS : 300);
        await stage.postgres.restart();
        longest = Math.max(longest, await load.resumed('ack'));
        await talk(300);
      }
      inTime('accepting again after it is back, at most', longest);
      expect([...load.refusals.keys()]).toEqual(['unavailable']);
      // Sockets stay.
      expect(load.socketsOpened).toBe(sockets);
    });
  });

  test(`while Redis is killed and comes back empty, ${REDIS_RESTARTS} times`, async () => {
    await play(stage, `${REDIS_RESTARTS} kills of Redis`, async ({ load, talk, inTime }) => {
      load.forgetLag();
      for (let kill = 0; kill < REDIS_RESTARTS; kill++) {
        await stage.redis.restart();
        await talk(1000);
      }
      inTime('from a message to all nodes, at most', load.longestLagMs);
    });
  });

  test(`while Redis is away for ${REDIS_DOWN_MS / 1000} s`, async () => {
    await play(stage, `Redis away for ${REDIS_DOWN_MS / 1000} s`, async ({ load, talk, inTime }) => {
      load.forgetLag();
      await stage.redis.kill();
      await talk(REDIS_DOWN_MS);
      inTime('meanwhile, from a message to all nodes, at most', load.longestLagMs);
      await stage.redis.restart();
    });
  });

  test(`where publications are lost, and the last one before each silence, ${SILENCES} times`, async () => {
    await play(stage, '1 % of publications lost, and all before a silence', async ({ load, talk, inTime }) => {
      const some = { lose: 0.01, delay: 0, reorder: 0 };
      let longest = 0;
      await stage.setFaults(some);
      await talk(3000);
      for (let silence = 0; silence < SILENCES; silence++) {
        await stage.setFaults({ ...some, lose: 1 });
        await load.pause();
        longest = Math.max(longest, await load.caughtUp());
        await stage.setFaults(some);
        load.resume();
        await talk(300);
      }
      await stage.setFaults();
      inTime('the last before a silence is heard by all after, at most', longest);
    });
  });

  test('while one of them is cut off from Redis, but not from PostgreSQL', async () => {
    await play(stage, `a node cut off from Redis for ${CUT_MS / 1000} s`, async ({ load, talk, inTime }) => {
      load.forgetLag();
      stage.cables[1]!.redis.pullOut();
      await talk(CUT_MS);
      stage.cables[1]!.redis.plugIn();
      inTime('meanwhile, from a message to all nodes, at most', load.longestLagMs);
    });
  });

  test('while one of them is cut off from PostgreSQL, but not from Redis', async () => {
    await play(stage, `a node cut off from PostgreSQL for ${CUT_MS / 1000} s`, async ({ load, talk, inTime }) => {
      stage.cables[1]!.postgres.pullOut();
      inTime('the others deliver after', await load.resumed('message'));
      await talk(CUT_MS);
      stage.cables[1]!.postgres.plugIn();
    });
  });

  test('and each stops in time, though everything it stands on is silent', async () => {
    const node = stage.cluster.nodes[2]!;
    stage.cables[2]!.postgres.pullOut();
    stage.cables[2]!.redis.pullOut();
    const from = performance.now();
    await node.stop();
    expect(performance.now() - from).toBeLessThan(STOPPED_MS);
    stage.cables[2]!.postgres.plugIn();
    stage.cables[2]!.redis.plugIn();
    await node.start();
  });
});

const canShift = canTest(
  'nodes with clocks an hour apart',
  findFaketime() ? undefined : 'faketime is not installed (Debian: apt-get install faketime)',
);

describe.if(isPossible && canShift)('two of three nodes with clocks an hour apart', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.set({ clocks: ['+1h'] });
  });
  afterAll(() => stage?.strike());

  test('lose nothing, repeat nothing and keep the order, also where the bus loses', async () => {
    await play(stage, 'clocks an hour apart', async ({ load, talk, inTime }) => {
      await stage.setFaults({ lose: 0.1, delay: 0, reorder: 0 });
      await talk(SKEWED_MS);
      await stage.setFaults({ lose: 1, delay: 0, reorder: 0 });
      await load.pause();
      inTime('the last before a silence is heard by all after', await load.caughtUp());
      await stage.setFaults();
      load.resume();
    });
  });
});
