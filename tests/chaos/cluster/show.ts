import { expect } from 'bun:test';
import { audit, DatabaseTables, type Findings } from '../../support/audit.ts';
import { gather } from '../../support/crowd.ts';
import { Load } from '../../support/load.ts';
import { report } from '../../support/report.ts';
import type { Stage } from './stage.ts';

/** The longest that a loss may take to be made good once nothing is broken any more (PROTOCOL.md §7.5). */
const REPAIRED_MS = 5000;

const CROWD = { people: 12, groups: [12, 6] };
const PACE = { window: 4, thinkMs: 15 };

/** Talking goes on while something breaks; when it is over, everything that anyone was promised has to be there. */
export interface Show {
  load: Load;
  /** Lets the crowd talk for a while, undisturbed. */
  talk(ms: number): Promise<void>;
  /** A time for the report; it must be below what a loss may take to be made good. */
  inTime(figure: string, ms: number): void;
}

export async function play(stage: Stage, title: string, act: (show: Show) => Promise<void>): Promise<void> {
  const conversations = await gather(stage.cluster, CROWD);
  const load = new Load({ conversations, where: () => stage.cluster.socketUrl, ...PACE });
  const notes: Record<string, number | string> = {};
  const inTime = (figure: string, ms: number) => {
    notes[figure] = `${Math.round(ms)} ms`;
    expect([figure, ms < REPAIRED_MS]).toEqual([figure, true]);
  };
  try {
    await load.start();
    const talk = (ms: number) => Bun.sleep(ms);
    await talk(500);
    const from = performance.now();
    await act({ load, talk, inTime });
    // The live stream is back for everybody, before the crowd falls silent.
    inTime('live again after', await load.resumed('message'));
    const silence = load.longestSilence(from);
    await load.pause();
    inTime('all heard by everybody, after the last ack', await load.caughtUp());
    const findings = await audit(load, new DatabaseTables(stage.databaseUrl));
    report(title, {
      acknowledged: load.acks.length,
      'heard live': load.deliveries,
      'stored, but their acks were lost': load.givenAgain,
      'refused as retryable': [...load.refusals.values()].reduce((sum, count) => sum + count, 0),
      lost: findings.lost,
      doubled: findings.doubled,
      'out of order': findings.disordered + load.outOfOrder + load.skipped,
      'longest time that anybody heard nothing': `${Math.round(silence)} ms`,
      ...notes,
    });
    expectClean(load, findings);
  } finally {
    load.close();
  }
}

function expectClean(load: Load, findings: Findings): void {
  expect(load.faults).toEqual([]);
  expect(findings).toMatchObject({ lost: 0, doubled: 0, disordered: 0, examples: [] });
  expect({ outOfOrder: load.outOfOrder, skipped: load.skipped }).toEqual({ outOfOrder: 0, skipped: 0 });
  // Each acknowledged message once, beside those that open a group.
  const notes = load.options.conversations.filter(({ members }) => members.length > 2).length;
  expect(findings.messages).toBe(load.acks.length + notes);
}
