/** How long something that must come about may take, in milliseconds. */
const PATIENCE_MS = 30_000;
const STEP_MS = 20;

/** Looks again and again until `look` finds something, for what sends no event of its own. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`in ${PATIENCE_MS} ms not: ${what}`);
    await Bun.sleep(STEP_MS);
  }
}
