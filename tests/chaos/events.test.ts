import { afterAll, expect, test } from 'bun:test';
import { endServers } from '../support/server.ts';
import { playEvents } from './model/events.ts';

/**
 * What consumers are told of random changes by several people, replayed, equals what stands. SEED plays one seed again; SEEDS
 * so many, from FROM on, and 100 at most: a server of its own for each takes seconds.
 */

const { SEED, SEEDS = '2', FROM = '1' } = process.env;
const count = Math.min(Number(SEEDS), 100);
const seeds = SEED ? [Number(SEED)] : Array.from({ length: count }, (_, n) => Number(FROM) + n);
const SEED_MS = 240_000;

afterAll(endServers);

test.each(seeds)(
  'what consumers were told equals a fresh read and a replay of the changes (seed %i)',
  async (seed) => {
    expect((await playEvents(seed)).findings).toEqual([]);
  },
  SEED_MS,
);
