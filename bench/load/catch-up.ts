import type { Changes, Sync } from '../../protocol/resources.ts';
import { BenchFailure } from '../failure.ts';
import { spread } from '../measure/percentiles.ts';
import { Meter } from './meter.ts';
import type { CatchUp, CatchUpResult } from './plan.ts';
import { inTurns } from './turns.ts';

/** Requests under way at once: what a browser does to one host. */
const AT_ONCE = 6;

/** Brings the same copy up to date again and again, one time after the other, and checks that nothing is missing. */
export async function runCatchUp(plan: CatchUp): Promise<CatchUpResult> {
  const durations: number[] = [];
  let meter = new Meter(plan.server_pid);
  for (let turn = 0; turn < plan.warm_turns + plan.turns; turn++) {
    if (turn === plan.warm_turns) meter = new Meter(plan.server_pid);
    const begunAt = performance.now();
    await catchUp(plan);
    if (turn >= plan.warm_turns) durations.push(performance.now() - begunAt);
  }
  return { ...meter.read(), duration: spread(new Float64Array(durations)) };
}

async function catchUp(plan: CatchUp): Promise<void> {
  const { conversations } = await get<Sync>(plan, '/api/v1/sync');
  if (conversations.length !== plan.conversations) throw new BenchFailure(`sync lists ${conversations.length} of them`);
  await inTurns(conversations, AT_ONCE, async ({ id, seq, rev }) => {
    const since = rev - plan.missed_each;
    const changes = await get<Changes>(plan, `/api/v1/conversations/${id}/changes?since=${since}`);
    const seqs = changes.messages.map((message) => message.seq);
    const isWhole =
      seqs.length === plan.missed_each && seqs.every((one, index) => one === seq - seqs.length + 1 + index);
    if (!isWhole || changes.rev !== rev)
      throw new BenchFailure(`changes since ${since} are ${JSON.stringify(changes)}`);
  });
}

async function get<T>({ url, headers }: CatchUp, path: string): Promise<T> {
  const response = await fetch(url + path, { headers, signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new BenchFailure(`GET ${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
