/**
 * Rows of several queries on their way between two threads, as JSON, which crosses at a fraction of what objects cost. It
 * has no bytes: those of columns of bytes go as base64, and which columns these are goes with them.
 */

type Row = Record<string, unknown>;

interface Sent {
  rows: Row[][];
  /** Of queries whose rows have columns of bytes: which. */
  bytes: [query: number, columns: readonly string[]][];
}

/** Translates the rows in place. */
export function encodeRows(rows: Row[][], blobsOf: (query: number) => readonly string[]): string {
  const bytes: Sent['bytes'] = [];
  rows.forEach((found, query) => {
    const columns = found.length > 0 ? blobsOf(query) : [];
    if (columns.length === 0) return;
    bytes.push([query, columns]);
    translate(found, columns, (value) => (value as Uint8Array).toBase64());
  });
  return JSON.stringify({ rows, bytes } satisfies Sent);
}

export function decodeRows(json: string): Row[][] {
  const { rows, bytes } = JSON.parse(json) as Sent;
  for (const [query, columns] of bytes) {
    translate(rows[query]!, columns, (value) => Uint8Array.fromBase64(value as string));
  }
  return rows;
}

function translate(rows: Row[], columns: readonly string[], to: (value: unknown) => unknown): void {
  for (const row of rows) {
    for (const column of columns) if (row[column] !== null) row[column] = to(row[column]);
  }
}
