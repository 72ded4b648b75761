/** Runs `work` for each of `things`, `width` at a time. */
export async function inTurns<T>(things: T[], width: number, work: (thing: T) => Promise<void>): Promise<void> {
  const waiting = things.values();
  const worker = async () => {
    for (const thing of waiting) await work(thing);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
