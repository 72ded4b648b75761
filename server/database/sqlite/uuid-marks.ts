/** What a text of SQL says of its parameters, so that it says it wherever it is kept and whichever thread binds them. */

const MARKS = /^\/\*uuid ([\d,]+)\*\/ /;

/** Notes at the beginning of a text which of its parameters, from 0, are for columns that keep UUIDs as bytes. */
export function markUuids(sql: string, places: readonly number[]): string {
  return places.length === 0 ? sql : `/*uuid ${places.join()}*/ ${sql}`;
}

/** The parameters that `markUuids` noted. */
export function uuidPlaces(sql: string): number[] {
  const [, places] = MARKS.exec(sql) ?? [];
  return places === undefined ? [] : places.split(',').map(Number);
}
