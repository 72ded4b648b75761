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

/** A UUID's text, to be filled in: the digits of its bytes go to these places. */
const text = Buffer.alloc(36, '-');
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const DIGITS = Buffer.from('0123456789abcdef');

/** A page of history holds hundreds: by hand it costs a third of what `toString('hex')` and slices do. */
export function bytesToUuid(bytes: Uint8Array): string {
  for (let index = 0; index < 16; index++) {
    const byte = bytes[index]!;
    const place = PLACES[index]!;
    text[place] = DIGITS[byte >> 4]!;
    text[place + 1] = DIGITS[byte & 15]!;
  }
  return text.toString('latin1');
}

export function toSql(value: unknown): SqlValue {
  if (typeof value === 'string') return value.length === 36 && UUID.test(value) ? uuidToBytes(value) : value;
  if (typeof value === 'number' || value === null) return value;
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new TypeError(`SQLite cannot keep a ${typeof value}`);
}

/** Text that is kept in a text column: a 16-byte blob is text that has the shape of a UUID. */
export function textFromSql(value: string | Uint8Array): string {
  return typeof value === 'string' ? value : bytesToUuid(value);
}

/** Translates rows in place. */
export function fromSql(rows: Record<string, unknown>[], columns: readonly string[]): Record<string, unknown>[] {
  for (const row of rows) {
    for (const column of columns) {
      const value = row[column];
      if (value instanceof Uint8Array && value.byteLength === 16) row[column] = bytesToUuid(value);
    }
  }
  return rows;
}
