import { Database, type Statement } from 'bun:sqlite';
import type { ColumnKinds } from '../columns.ts';
import { EMPTY_LOG_PROCEDURE, erases } from './erasure.ts';
import { encodeRows } from './sent-rows.ts';
import { ReceivedQueries, type SqlQuery } from './sql-texts.ts';
import { uuidPlaces } from './uuid-marks.ts';
import { compact, fromSql, type ResultColumns, resultColumns, toSql } from './values.ts';

/**
 * The thread's side of a SQLite connection: opens the file, then answers one request after the other. What a thread can
 * do beyond plain SQL, its procedures, is given by its entry file.
 */

export interface OpenOptions {
  /** A file, or `:memory:`. */
  path: string;
  mode: 'writer' | 'reader';
  kinds: ColumnKinds;
}

/** Queries are JSON (`SentQueries`), as are their rows where they are many: text crosses threads at a fraction of what objects cost. */
export type Request = { id: number } & (
  | { do: 'open'; options: OpenOptions }
  | { do: 'query' | 'readTogether'; queries: string }
  | { do: 'call'; procedure: string; argument: unknown }
  | { do: 'close' }
);

export interface QueryAnswer {
  rows: Record<string, unknown>[];
  changes: number;
}

export type Answer = { id: number } & ({ result: unknown } | { failed: { message: string; code: string } });

/** Work that is done in the thread as a whole, such as a batch of the log. */
export type Procedures = (database: Database) => Record<string, (argument: never) => unknown>;

interface Prepared {
  statement: Statement;
  /** The parameters that are for columns that keep UUIDs as bytes. */
  uuids: readonly number[];
  /** Of what it answers; null where it answers no rows. */
  columns: ResultColumns | null;
  /** Whether it deletes or replaces what people said. */
  erases: boolean;
}

/** How long emptying the log waits for readers, at first and at most, in milliseconds: commits wait behind it. */
const EMPTYING_MS = { first: 25, most: 2000 } as const;
/** How long a statement waits for another process. */
const BUSY_MS = 5000;

/** Prepared statements kept; Kysely's texts differ only with the length of their lists. */
const MAX_STATEMENTS = 500;

class Connection {
  private readonly database: Database;
  private readonly statements = new Map<string, Prepared>();
  private readonly received = new ReceivedQueries();
  private readonly procedures: Record<string, (argument: never) => unknown>;
  /** Whether the log may hold what was deleted: a crash may have left it, or another version. */
  private hasErased = true;
  private emptyingMs: number = EMPTYING_MS.first;

  constructor(
    private readonly options: OpenOptions,
    procedures: Procedures,
  ) {
    const readonly = options.mode === 'reader';
    this.database = new Database(options.path, readonly ? { readonly } : { create: true, readwrite: true });
    this.database.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    this.database.run('PRAGMA temp_store = MEMORY');
    this.database.run('PRAGMA foreign_keys = ON');
    if (!readonly) {
      this.database.run('PRAGMA journal_mode = WAL');
      // FULL: a commit returns only when its pages are on stable storage. An acknowledgement rests on this line.
      this.database.run('PRAGMA synchronous = FULL');
      this.database.run('PRAGMA wal_autocheckpoint = 4000');
      this.database.run('PRAGMA cache_size = -32768');
      // What is deleted is overwritten, in pages that are freed too.
      this.database.run('PRAGMA secure_delete = ON');
    }
    this.procedures = { ...procedures(this.database), [EMPTY_LOG_PROCEDURE]: () => this.emptyLog() };
  }

  decode(queries: string): SqlQuery[] {
    return this.received.decode(queries);
  }

  query({ sql, parameters }: SqlQuery): QueryAnswer {
    const { statement, uuids, columns, erases } = this.prepare(sql);
    const values = parameters.map(toSql);
    for (const place of uuids) values[place] = compact(values[place]!);
    if (columns) {
      const rows = statement.all(...values) as Record<string, unknown>[];
      if (erases && rows.length > 0) this.hasErased = true;
      return { rows: fromSql(rows, columns), changes: rows.length };
    }
    const { changes } = statement.run(...values);
    if (erases && changes > 0) this.hasErased = true;
    return { rows: [], changes };
  }

  /** The rows of each query, all as of one moment, as JSON. */
  readTogether(queries: SqlQuery[]): string {
    // In memory a transaction of the writer may be open on this one connection. Nothing comes between the queries then either.
    const isOpen = this.database.inTransaction || queries.length === 1; // a query alone sees one moment anyway
    if (!isOpen) this.database.run('begin');
    try {
      let decisive: Record<string, unknown>[] = [];
      const found = queries.map((query) => {
        const { onlyIf } = query;
        if (onlyIf !== undefined && !decisive.some((row) => row[onlyIf])) return [];
        const { rows } = this.query(query);
        if (onlyIf === undefined) decisive = rows;
        return rows;
      });
      return encodeRows(found, (index) => this.prepare(queries[index]!.sql).columns?.blobs ?? []);
    } finally {
      if (!isOpen) this.database.run('commit');
    }
  }

  call(procedure: string, argument: unknown): unknown {
    const run = this.procedures[procedure];
    if (!run) throw new Error(`the thread has no procedure ${procedure}`);
    return run(argument as never);
  }

  /** Moves the log into the file and leaves nothing of it, where something was erased; answers whether that is so now. */
  emptyLog(): boolean {
    if (!this.hasErased) return true;
    this.database.run(`PRAGMA busy_timeout = ${this.emptyingMs}`);
    try {
      const done = this.database.query<{ busy: number }, []>('PRAGMA wal_checkpoint(TRUNCATE)').get();
      this.hasErased = done?.busy === 1;
    } finally {
      this.database.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    }
    // Where people read all the time, there may be no moment without a reader: the next try is more patient.
    this.emptyingMs = this.hasErased ? Math.min(2 * this.emptyingMs, EMPTYING_MS.most) : EMPTYING_MS.first;
    return !this.hasErased;
  }

  close(): void {
    if (this.options.mode === 'writer') this.emptyAtLast();
    for (const { statement } of this.statements.values()) statement.finalize();
    this.database.close();
  }

  /** Whoever closes last leaves no log; a command beside a server is not the last. */
  private emptyAtLast(): void {
    try {
      this.emptyLog();
    } catch {
      // Nothing is lost: what is in the log is in it, and the next start empties it.
    }
  }

  /** The statement for a text, kept for the next time; the one unused longest goes first. */
  private prepare(sql: string): Prepared {
    const kept = this.statements.get(sql);
    if (kept) {
      this.statements.delete(sql);
      this.statements.set(sql, kept);
      return kept;
    }
    if (this.statements.size >= MAX_STATEMENTS) {
      const [oldest, prepared] = this.statements.entries().next().value!;
      prepared.statement.finalize();
      this.statements.delete(oldest);
    }
    const statement = this.database.prepare(sql);
    const names = statement.columnNames;
    const columns = names.length > 0 ? resultColumns(names, this.options.kinds) : null;
    const prepared = { statement, uuids: uuidPlaces(sql), columns, erases: erases(sql) };
    this.statements.set(sql, prepared);
    return prepared;
  }
}

/** Serves the requests of the main thread for as long as this worker lives. */
export function serveConnection(worker: Worker, procedures: Procedures = () => ({})): void {
  let connection: Connection | undefined;

  const handle = (request: Request): unknown => {
    if (request.do === 'open') {
      connection = new Connection(request.options, procedures);
      return undefined;
    }
    if (!connection) throw new Error('the connection is not open');
    if (request.do === 'query') return connection.query(connection.decode(request.queries)[0]!);
    if (request.do === 'readTogether') return connection.readTogether(connection.decode(request.queries));
    if (request.do === 'call') return connection.call(request.procedure, request.argument);
    connection.close();
    connection = undefined;
    return undefined;
  };

  const answer = (request: Request): Answer => {
    try {
      return { id: request.id, result: handle(request) };
    } catch (error) {
      const { message, code } = error as { message: string; code?: string };
      return { id: request.id, failed: { message, code: code ?? 'ERROR' } };
    }
  };

  worker.onmessage = ({ data: requests }: MessageEvent<Request[]>) => worker.postMessage(requests.map(answer));
}
