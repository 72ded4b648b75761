const PERIOD_MS = 50;

/**
 * Measures how late the event loop is: twenty times a second, by how much a timer overshoots. `observe` is told seconds.
 * Returns what stops it. It does not keep the program alive.
 */
export function watchEventLoop(observe: (seconds: number) => void): () => void {
  let timer: Timer;
  // Each timeout is set anew: an interval may catch up on what it missed, and so hide it.
  const wait = () => {
    const due = performance.now() + PERIOD_MS;
    timer = setTimeout(() => {
      observe(Math.max(0, performance.now() - due) / 1000);
      wait();
    }, PERIOD_MS).unref();
  };
  wait();
  return () => clearTimeout(timer);
}
