/**
 * Deletes what is old in small steps, so that no message waits long for its turn to write: `deleteSome` deletes at most
 * `limit` rows and answers how many. Ends with the first step that finds fewer, or once `signal` is aborted. Answers how many
 * rows went.
 */
export async function sweep(
  limit: number,
  deleteSome: (limit: number) => Promise<number>,
  signal?: AbortSignal,
): Promise<number> {
  let swept = 0;
  while (!signal?.aborted) {
    const deleted = await deleteSome(limit);
    swept += deleted;
    if (deleted < limit) break;
  }
  return swept;
}
