import { afterAll, expect, test } from 'bun:test';
import { report } from '../support/report.ts';
import { endServers } from '../support/server.ts';
import { playSeeds, type Run } from './model/run.ts';
import { SdkClient } from './model/sdk-client.ts';
import { OPERATIONS } from './model/seed.ts';

/**
 * People do everything at once while the bus loses, delays and reorders, connections break and the server is killed.
 * Afterwards every client's store equals what its user reads anew, nobody has heard what they may not, and on no socket
 * did a change come out of order. SEED plays one seed again; SEEDS so many, from FROM on, LANES so many at once.
 */

const { SEED, SEEDS = '100', FROM = '1', LANES = '6' } = process.env;
const seeds = SEED ? [Number(SEED)] : range(Number(FROM), Number(FROM) + Number(SEEDS) - 1);
const lanes = Number(LANES);
/** A seed of 20 must show it. */
const SHOWS_WITHIN = 20;
const SEED_MS = 30_000;

/** In as many seeds as are played by default everything that is counted must have happened. */
const ENOUGH_TO_SEE_ALL = 100;
/** Each of these, done to publications on each kind of channel. */
const BUS_FAULTS = ['lost', 'delayed', 'reordered'].flatMap((fault) =>
  ['conversation', 'user', 'presence', 'accounts'].map((kind) => `${fault} ${kind}`),
);

afterAll(endServers);

test(
  'every store ends where the log is, whatever was lost, and nobody hears what is not for them',
  async () => {
    const run = await playSeeds({ seeds, lanes, createClient: (person) => new SdkClient(person) });
    tell(run);
    expect(failures(run)).toEqual([]);
    if (seeds.length < ENOUGH_TO_SEE_ALL) return;
    const never = [
      ...OPERATIONS.filter((name) => run.operations.get(name) === 0),
      ...BUS_FAULTS.filter((fault) => run.faults.get(fault) === 0),
    ];
    expect(never).toEqual([]);
  },
  60_000 + seeds.length * SEED_MS,
);

test(
  'the same check sees that nothing is made good where repair is switched off',
  async () => {
    const { outcomes } = await playSeeds({
      seeds: range(1, SHOWS_WITHIN),
      lanes,
      createClient: (person) => new SdkClient(person, { repair: false }),
      repair: false,
      enough: 1,
    });
    const different = outcomes.flatMap(({ findings }) => findings);
    expect(different.length).toBeGreaterThan(0);
  },
  60_000 + SHOWS_WITHIN * SEED_MS,
);

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function failures({ outcomes }: Run): string[] {
  return outcomes
    .filter(({ findings }) => findings.length > 0)
    .map(({ seed, findings }) =>
      [`seed ${seed}, again with: SEED=${seed} node_modules/.bin/bun test tests/chaos/model.test.ts`, ...findings].join(
        '\n    ',
      ),
    );
}

function tell({ outcomes, operations, faults }: Run): void {
  const sorted = (counts: Map<string, number>) => Object.fromEntries([...counts].sort());
  const times = outcomes.map(({ settledAfterMs }) => settledAfterMs).sort((a, b) => a - b);
  report(`${outcomes.length} seeds: operations and broken connections`, sorted(operations.counts));
  report('what the bus did to publications', sorted(faults.counts));
  report('until every store was equal, after the last fault', {
    median: `${times[times.length >> 1]} ms`,
    'at most': `${times.at(-1)} ms`,
  });
}
