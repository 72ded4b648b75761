/** How long what was told to end may take for it, in milliseconds. */
const ENDING_MS = 1000;

/** What was told to end went on. */
export class WentOn extends Error {}

/**
 * Waits for work that was given a signal. Work that goes on for a second after that is aborted is waited for no longer: it
 * fails with `WentOn`, so that nothing hangs on work that does not listen.
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const wentOn = Promise.withResolvers<never>();
  let timer: Timer | undefined;
  const giveUp = () => {
    timer = setTimeout(() => wentOn.reject(new WentOn('it goes on after it was told to end')), ENDING_MS);
  };
  if (signal.aborted) giveUp();
  else signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work, wentOn.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
    clearTimeout(timer);
  }
}
