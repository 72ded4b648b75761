import type { ColumnKind, ColumnKinds } from '../columns.ts';

/**
 * Ids travel through the program as UUID text and are kept by SQLite as 16-byte blobs. Which values are ids is said by the
 * kinds of their columns (`columns.ts`): a text that looks like a UUID stays text, and a blob of 16 bytes stays a blob.
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

/** Binds a value of a column that keeps UUIDs as bytes. What is no UUID stays what it is. */
export function compact(value: SqlValue): SqlValue {
  return typeof value === 'string' && value.length === 36 && UUID.test(value) ? uuidToBytes(value) : value;
}

/** Binds a value as it is, whatever it looks like. */
export function toSql(value: unknown): SqlValue {
  if (typeof value === 'string' || typeof value === 'number' || value === null) return value;
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`SQLite cannot keep a ${typeof value}`);
}

/** Text of a text column. Text of the shape of a UUID was once kept as 16 bytes in any column: so it may still stand there. */
export function textFromSql(value: string | Uint8Array): string {
  return typeof value === 'string' ? value : bytesToUuid(value);
}

/** Which columns of a result may hold bytes. Any other is as SQLite answers it: a count, or a column of a newer version. */
export interface ResultColumns {
  /** Bytes in these are a UUID. */
  readonly uuids: readonly string[];
  /** Bytes in these are bytes. */
  readonly blobs: readonly string[];
}

export function resultColumns(names: readonly string[], kinds: ColumnKinds): ResultColumns {
  const of = (...wanted: ColumnKind[]) => names.filter((name) => wanted.includes(kinds[name]!));
  return { uuids: of('id', 'compact', 'text'), blobs: of('blob') };
}

/** Translates rows in place. */
export function fromSql(rows: Record<string, unknown>[], { uuids }: ResultColumns): Record<string, unknown>[] {
  for (const row of rows) {
    for (const column of uuids) {
      const value = row[column];
      if (value instanceof Uint8Array && value.byteLength === 16) row[column] = bytesToUuid(value);
    }
  }
  return rows;
}
