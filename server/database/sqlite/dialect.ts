import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
} from 'kysely';
import type { ColumnKinds } from '../columns.ts';
import { UuidMarkingCompiler } from './query-compiler.ts';
import { type SqliteThread, toldFailure } from './thread.ts';

/** How Kysely gets hold of a connection: alone, for the writer; any that is free, for readers. */
export interface Connections {
  acquire(): Promise<{ thread: SqliteThread; release: () => void }>;
}

/** Kysely over SQLite connections that live in threads of their own. */
export class SqliteThreadDialect implements Dialect {
  constructor(
    private readonly connections: Connections,
    private readonly kinds: ColumnKinds,
  ) {}

  createDriver = (): Driver => new ThreadDriver(this.connections);
  createQueryCompiler = () => new UuidMarkingCompiler(this.kinds);
  createAdapter = () => new SqliteAdapter();
  createIntrospector = (db: ConstructorParameters<typeof SqliteIntrospector>[0]) => new SqliteIntrospector(db);
}

class ThreadConnection implements DatabaseConnection {
  constructor(
    private readonly thread: SqliteThread,
    readonly release: () => void,
  ) {}

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    try {
      const { rows, changes } = await this.thread.query(query);
      return { rows: rows as Row[], numAffectedRows: BigInt(changes) };
    } catch (error) {
      throw toldFailure(error);
    }
  }

  // biome-ignore lint/correctness/useYield: the interface asks for a generator; nothing here streams
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('rows are read in pages, not streamed');
  }
}

class ThreadDriver implements Driver {
  constructor(private readonly connections: Connections) {}

  async init() {}

  async acquireConnection(): Promise<ThreadConnection> {
    const { thread, release } = await this.connections.acquire();
    return new ThreadConnection(thread, release);
  }

  async releaseConnection(connection: ThreadConnection) {
    connection.release();
  }

  // IMMEDIATE: the lock is taken at the start, so that a second process waits here and never fails half-way.
  async beginTransaction(connection: ThreadConnection) {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: ThreadConnection) {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: ThreadConnection) {
    await connection.executeQuery(CompiledQuery.raw('rollback')).catch((error: Error) => {
      // After a full disk or a failed write SQLite has rolled back by itself; that failure is the one to be told.
      if (!error.message.includes('no transaction is active')) throw error;
    });
  }

  // The threads are closed by who opened them.
  async destroy() {}
}
