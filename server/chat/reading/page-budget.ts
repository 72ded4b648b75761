import { MAX_ANSWER_BYTES } from '../../../protocol/limits.ts';

/** Bytes that a page's items may take: what an answer has around them fits into the rest. */
export const PAGE_BYTES = MAX_ANSWER_BYTES - 32 * 1024;

/** The first of some items whose JSON fits into `bytes`, in their order. The first one always does: no single item is longer. */
export function firstWithin<T>(items: T[], bytes: number): T[] {
  if (surelyFits(items, bytes)) return items;
  let used = 0;
  const beyond = items.findIndex((item, index) => {
    used += jsonBytes(item) + 1; // its comma
    return used > bytes && index > 0;
  });
  return beyond < 0 ? items : items.slice(0, beyond);
}

/** Those around `items[middle]` whose JSON fits into `bytes`, without a hole: one more before it, one more behind it, in turn. */
export function aroundWithin<T>(items: T[], middle: number, bytes: number): T[] {
  if (surelyFits(items, bytes)) return items;
  let [from, to] = [middle, middle + 1];
  let used = jsonBytes(items[middle]);
  const fits = (item: T | undefined) => item !== undefined && used + jsonBytes(item) + 1 <= bytes;
  for (let grown = true; grown; ) {
    grown = false;
    for (const [index, grow] of [
      [from - 1, () => from--],
      [to, () => to++],
    ] as const) {
      if (!fits(items[index])) continue;
      used += jsonBytes(items[index]) + 1;
      grow();
      grown = true;
    }
  }
  return items.slice(from, to);
}

/** How long a value is as JSON in UTF-8. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** A quick look, which most pages need no more than: a unit of UTF-16 is three bytes of UTF-8 at most. */
export function surelyFits(items: unknown[], bytes: number): boolean {
  return JSON.stringify(items).length * 3 <= bytes;
}
