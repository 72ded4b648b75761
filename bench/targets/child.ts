import type { Subprocess } from 'bun';

/** Processes that this run has started and that have not ended: ended by their id, whatever happens. */
const running = new Set<Subprocess>();

/** How long a process may take to end by itself before it is cut. */
const GRACE_MS = 10_000;

export function track<P extends Subprocess>(child: P): P {
  running.add(child);
  child.exited.finally(() => running.delete(child));
  return child;
}

/** Asks a process to end, and cuts it where it does not. */
export async function end(child: Subprocess): Promise<void> {
  child.kill('SIGTERM');
  const cut = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  await child.exited;
  clearTimeout(cut);
}

/** For the end of the bench itself, when nobody can wait any more. */
export function endAllNow(): void {
  for (const child of running) child.kill('SIGKILL');
}
