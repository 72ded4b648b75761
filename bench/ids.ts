/**
 * Deterministic ids: the same world has the same bytes at every run, and a seeded file can be compared with another.
 * They have the shape of a UUIDv7 and grow with `index`, as real ones grow with time; that is what keeps the indexes of
 * a seeded log as compact as those of a log that grew by itself.
 */

export type IdKind = 'user' | 'session' | 'conversation' | 'message' | 'client';

const SALT: Record<IdKind, number> = { user: 1, session: 2, conversation: 3, message: 4, client: 5 };

/** Milliseconds since the epoch at which every seeded world begins. */
export const WORLD_BEGINS_AT = 1_760_000_000_000;

/** The 16 bytes of the id of the `index`-th thing of a kind, as if made at `at` (milliseconds since the epoch). */
export function idBytes(kind: IdKind, index: number, at = WORLD_BEGINS_AT + index): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUIntBE(at, 0, 6);
  const noise = mix(index, SALT[kind]);
  bytes.writeUInt16BE(0x7000 | (SALT[kind] << 4), 6);
  bytes.writeUInt32BE((0x80000000 | (noise >>> 2)) >>> 0, 8);
  bytes.writeUInt32BE(index >>> 0, 12);
  return bytes;
}

/** The same id as text. */
export function id(kind: IdKind, index: number): string {
  return idText(idBytes(kind, index));
}

export function idText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Spreads a number over 32 bits (the finalizer of MurmurHash3). */
export function mix(value: number, salt = 0): number {
  let hash = (value ^ Math.imul(salt, 0x9e3779b1)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
