import type { ClaimedMark } from './marks-driver.ts';

/**
 * Splits claims, which come by conversation, into transactions of at most `size`: messages wait while one lasts. A
 * conversation is split only where it has more than that by itself.
 */
export function inChunks(claims: ClaimedMark[], size: number): ClaimedMark[][] {
  const chunks: ClaimedMark[][] = [];
  for (const group of Map.groupBy(claims, (claim) => claim.conversation_id).values()) {
    const last = chunks.at(-1);
    if (last && last.length + group.length <= size) {
      last.push(...group);
      continue;
    }
    for (let from = 0; from < group.length; from += size) chunks.push(group.slice(from, from + size));
  }
  return chunks;
}
