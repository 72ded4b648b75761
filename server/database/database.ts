import type { Kysely, Transaction } from 'kysely';
import type { Schema } from './schema.ts';

/**
 * What repositories stand on; sqlite/ is the driver of one machine, its sibling for PostgreSQL that of many.
 *
 * `read` sees every commit that was answered before the read began, from whichever side it came.
 * `write` runs one statement, or one transaction, at a time on SQLite: keep transactions short, and await nothing in
 * them but the database.
 */
export interface Database {
  readonly engine: 'sqlite';
  readonly read: Kysely<Schema>;
  readonly write: Kysely<Schema>;
  /** Fails where the database does not answer. */
  check(): Promise<void>;
  /** Ends the connections, once what was asked before is answered. */
  close(): Promise<void>;
}

/** Where a repository's query runs: `database.read`, `database.write`, or a transaction. */
export type Executor = Kysely<Schema> | Transaction<Schema>;

/** The constraint that a write ran into, by the columns it names, or undefined for another failure. */
export function violatedColumns(error: unknown): string | undefined {
  const { code, message } = error as { code?: string; message?: string };
  if (code !== 'SQLITE_CONSTRAINT_UNIQUE' && code !== 'SQLITE_CONSTRAINT_PRIMARYKEY') return undefined;
  return message?.replace(/^UNIQUE constraint failed: /, '');
}
