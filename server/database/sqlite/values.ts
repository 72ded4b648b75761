/**
 * Ids travel through the program as UUID text and are kept by SQLite as 16-byte blobs. The translation is by the value's
 * shape and needs no list of columns: every canonical UUID is bound as its 16 bytes, every 16-byte blob is read as a UUID.
 * No column holds other blobs, and SQLite stores either kind in a text column, so a person who calls themselves
 * by a UUID gets it back unchanged.
 */

export type SqlValue = string | number | null | Uint8Array;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function uuidToBytes(text: string): Uint8Array {
  return Buffer.from(text.replaceAll('-', ''), 'hex');
}

export function bytesToUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function toSql(value: unknown): SqlValue {
  if (typeof value === 'string') return value.length === 36 && UUID.test(value) ? uuidToBytes(value) : value;
  if (typeof value === 'number' || value === null) return value;
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new TypeError(`SQLite cannot keep a ${typeof value}`);
}

/** Translates a row in place. */
export function fromSql(row: Record<string, unknown>): Record<string, unknown> {
  for (const key in row) {
    const value = row[key];
    if (value instanceof Uint8Array && value.byteLength === 16) row[key] = bytesToUuid(value);
  }
  return row;
}
