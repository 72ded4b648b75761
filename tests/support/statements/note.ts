import { appendFileSync } from 'node:fs';

const known = new Set<string>();

/** Adds a statement to the file that TEST_STATEMENTS names, each once, as a line of JSON. */
export function note(statement: string | undefined): void {
  if (statement === undefined || known.has(statement)) return;
  known.add(statement);
  appendFileSync(process.env.TEST_STATEMENTS!, `${JSON.stringify(statement)}\n`);
}
