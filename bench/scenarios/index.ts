import { abuse } from './abuse.ts';
import { away } from './away.ts';
import { big } from './big.ts';
import { fanout } from './fanout.ts';
import { history } from './history.ts';
import { hop } from './hop.ts';
import { idle } from './idle.ts';
import { latency } from './latency.ts';
import { pairs } from './pairs.ts';
import { reading } from './reading.ts';
import type { Scenario } from './scenario.ts';
import { storm } from './storm.ts';

export const SCENARIOS = {
  pairs,
  fanout,
  latency,
  hop,
  idle,
  history,
  away,
  storm,
  reading,
  big,
  abuse,
} as const satisfies Record<string, Scenario>;
export type ScenarioName = keyof typeof SCENARIOS;
