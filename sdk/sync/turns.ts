/** Lets so many work at once; the others wait for their turn. */
export class Turns {
  private readonly waiting: (() => void)[] = [];
  private busy = 0;

  constructor(private readonly limit: number) {}

  async take(work: () => Promise<void>): Promise<void> {
    if (this.busy >= this.limit) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.busy++;
    try {
      await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.busy--;
    }
  }
}

/** The work that is under way under this key, or new work. */
export function single(running: Map<string, Promise<void>>, key: string, work: () => Promise<void>): Promise<void> {
  const known = running.get(key);
  if (known) return known;
  const started = work().finally(() => {
    if (running.get(key) === started) running.delete(key);
  });
  running.set(key, started);
  return started;
}
