import type { CompiledQuery, Kysely, Transaction } from 'kysely';
import type { Schema } from './schema.ts';

/**
 * What repositories stand on; sqlite/ is the driver of one machine, postgres/ that of many.
 *
 * `read` sees every commit that was answered before the read began, from whichever side it came.
 * `write` runs one statement, or one transaction, at a time on SQLite: keep transactions short, and await nothing in
 * them but the database.
 */
export interface Database {
  readonly engine: 'sqlite' | 'postgres';
  readonly read: Kysely<Schema>;
  readonly write: Kysely<Schema>;
  /**
   * Runs queries of `read` that do not need each other's answers, and answers the rows of each, in their order. All of them
   * see one moment, which is no earlier than the call: no commit lies between two of them. It costs one round trip, where
   * as many `execute()` cost one each and see as many moments. An empty list asks nothing; if one query fails, all do.
   *
   * On SQLite they run in one read transaction of one thread. On an engine that is reached over a network: one transaction
   * `REPEATABLE READ READ ONLY` on one connection.
   */
  readTogether<const Queries extends readonly CompiledQuery[]>(queries: Queries): Promise<RowsOf<Queries>>;
  /**
   * Runs `work` as one transaction, again from its beginning where another transaction was in the way: what it does
   * outside of the database must bear that.
   */
  transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>): Promise<T>;
  /** Runs `work` where a statement may take as long as it takes: changes of the schema. */
  patiently<T>(work: (db: Kysely<Schema>) => Promise<T>): Promise<T>;
  /** Fails where the database does not answer. */
  check(): Promise<void>;
  /** Ends the connections, once what was asked before is answered. */
  close(): Promise<void>;
}

/** What a query may carry for `readTogether`. */
export interface Condition {
  readonly onlyIf?: string;
}

/**
 * A query of `readTogether` that finds nothing unless the last one before it that has no condition found a row whose
 * `column` is neither null, zero nor false. An engine may spare itself the rest: the answer must be the same either way.
 */
export function onlyIf<Row>(column: string, query: CompiledQuery<Row>): CompiledQuery<Row> & Condition {
  return { ...query, onlyIf: column };
}

/** The rows of each of some queries, as `query.compile()` types them. */
export type RowsOf<Queries extends readonly CompiledQuery[]> = {
  -readonly [Index in keyof Queries]: Queries[Index] extends CompiledQuery<infer Row> ? Row[] : never;
};

/** Where a repository's query runs: `database.read`, `database.write`, or a transaction. */
export type Executor = Kysely<Schema> | Transaction<Schema>;

/** The unique constraint that a write ran into, as `table.column`, or undefined for another failure. */
export function violatedColumns(error: unknown): string | undefined {
  const { code, message, table, constraint } = error as Partial<
    Record<'code' | 'message' | 'table' | 'constraint', string>
  >;
  // PostgreSQL names the constraint of a unique column users_email_key; its message is in the server's language.
  if (code === '23505') return constraint?.replace(new RegExp(`^${table}_(.*)_key$`), `${table}.$1`);
  if (code !== 'SQLITE_CONSTRAINT_UNIQUE' && code !== 'SQLITE_CONSTRAINT_PRIMARYKEY') return undefined;
  return message?.replace(/^UNIQUE constraint failed: /, '');
}
