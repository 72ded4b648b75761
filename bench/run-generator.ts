import { fileURLToPath } from 'node:url';
import { BenchFailure } from './failure.ts';
import type { Plan, ResultOf } from './load/plan.ts';
import { GENERATOR_CORE, pinned } from './measure/pinning.ts';
import { track } from './targets/child.ts';

const GENERATOR = fileURLToPath(new URL('./generator.ts', import.meta.url));

/**
 * Runs a plan in a generator process of its own, pinned to its core unless `onAnyCore`; fails with what the generator says
 * is wrong.
 */
export async function runGenerator<P extends Plan>(plan: P, onAnyCore = false): Promise<ResultOf<P>> {
  const command = [process.execPath, GENERATOR];
  const child = track(
    Bun.spawn(onAnyCore ? command : pinned(GENERATOR_CORE, command), {
      stdin: new TextEncoder().encode(JSON.stringify(plan)),
      stdout: 'pipe',
      stderr: 'pipe',
    }),
  );
  const [answer, complaint, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0) throw new BenchFailure(`the load generator failed (${status}):\n${complaint}`);
  return JSON.parse(answer);
}
