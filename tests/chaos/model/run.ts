import type { CreateClient } from './client.ts';
import { Counters } from './counters.ts';
import { Lane } from './lane.ts';
import { type Outcome, playSeed } from './seed.ts';

export interface Run {
  outcomes: Outcome[];
  operations: Counters;
  faults: Counters;
}

export interface RunOptions {
  seeds: number[];
  /** Servers, each with its own people, that play at once. */
  lanes: number;
  createClient: CreateClient;
  /** Whether servers make good what was lost. */
  repair?: boolean;
  /** No other seed is begun once this many went wrong. */
  enough?: number;
}

/** Plays seeds, some at once, and adds up what was done in them. */
export async function playSeeds({ seeds, lanes, createClient, repair = true, enough = 5 }: RunOptions): Promise<Run> {
  const run: Run = { outcomes: [], operations: new Counters(), faults: new Counters() };
  const rest = seeds.values();
  const failed = () => run.outcomes.filter(({ findings }) => findings.length > 0).length;
  const play = async () => {
    const lane = await Lane.start({ repair });
    for (const seed of rest) {
      const outcome = await playSeed(lane, seed, createClient);
      run.outcomes.push(outcome);
      run.operations.addAll(outcome.counts);
      if (failed() >= enough) break;
    }
    run.faults.addAll(lane.host.faults.counts);
    await lane.close();
  };
  await Promise.all(Array.from({ length: Math.min(lanes, seeds.length) }, play));
  return run;
}
