import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type CompiledQuery, Kysely, sql, type Transaction } from 'kysely';
import { ParleyError } from '../../shared/errors.ts';
import { COLUMN_KINDS, type ColumnKinds } from '../columns.ts';
import type { Database, RowsOf } from '../database.ts';
import type { Schema } from '../schema.ts';
import { SqliteThreadDialect } from './dialect.ts';
import { EMPTY_LOG_PROCEDURE } from './erasure.ts';
import { FolderLock } from './folder-lock.ts';
import { MAX_WAITING, Mutex } from './mutex.ts';
import { SqliteThread, toldFailure } from './thread.ts';

export interface SqliteOptions {
  /** The folder of the file, made where there is none, or `:memory:`. */
  dir: string;
  readers: number;
  /** Entry file of the thread through which every write goes. */
  writerEntry: URL;
  readerEntry: URL;
  /** Whether this process keeps other servers off the folder, for as long as the database is open. */
  locksFolder?: boolean;
  /** Those of the schema, unless there are other tables. */
  kinds?: ColumnKinds;
  onDeath(error: Error): void;
}

/** SQLite in its own threads: one that writes, some that read. */
export class SqliteDatabase implements Database {
  readonly engine = 'sqlite';
  readonly read: Kysely<Schema>;
  readonly write: Kysely<Schema>;
  private readonly turn = new Mutex();
  /** Threads that a read may go to. */
  private readonly readable: SqliteThread[];

  private constructor(
    private readonly writer: SqliteThread,
    private readonly readers: SqliteThread[],
    private readonly lock: FolderLock | undefined,
    kinds: ColumnKinds,
  ) {
    const acquireWriter = async () => ({ thread: writer, release: await this.turn.acquire() });
    // In memory there is one connection. Who reads does not wait for a turn at it, or a transaction that reads on the
    // side would wait for itself; the price is that a read may see what another transaction is about to commit.
    this.readable = readers.length === 0 ? [writer] : readers;
    const acquireReader = async () => ({ thread: readerOf(this.readable), release: () => {} });
    this.write = new Kysely<Schema>({ dialect: new SqliteThreadDialect({ acquire: acquireWriter }, kinds) });
    this.read = new Kysely<Schema>({ dialect: new SqliteThreadDialect({ acquire: acquireReader }, kinds) });
  }

  /** Fails with `StartRefused` where another server has locked the folder. */
  static async open(options: SqliteOptions): Promise<SqliteDatabase> {
    const inMemory = options.dir === ':memory:';
    if (!inMemory) mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    const lock = options.locksFolder && !inMemory ? FolderLock.take(options.dir) : undefined;
    const path = inMemory ? ':memory:' : join(options.dir, 'parley.db');
    const { kinds = COLUMN_KINDS, onDeath } = options;
    // The writer goes first: it makes the file that the readers open.
    const writer = await SqliteThread.open(options.writerEntry, { path, mode: 'writer', kinds }, onDeath);
    const openReader = () => SqliteThread.open(options.readerEntry, { path, mode: 'reader', kinds }, onDeath);
    const readers = await Promise.all(Array.from({ length: inMemory ? 0 : options.readers }, openReader));
    return new SqliteDatabase(writer, readers, lock, kinds);
  }

  async readTogether<const Queries extends readonly CompiledQuery[]>(queries: Queries): Promise<RowsOf<Queries>> {
    if (queries.length === 0) return [] as RowsOf<Queries>;
    try {
      return (await readerOf(this.readable).readTogether(queries)) as RowsOf<Queries>;
    } catch (error) {
      throw toldFailure(error);
    }
  }

  transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
    return this.write.transaction().execute(work);
  }

  patiently<T>(work: (db: Kysely<Schema>) => Promise<T>): Promise<T> {
    return work(this.write);
  }

  /** Runs a procedure of the writer thread, in turn with all other writes; `argument` is made when the turn has come. */
  callWriter<Result>(procedure: string, argument: () => unknown): Promise<Result> {
    return this.turn.run(() => this.writer.call<Result>(procedure, argument()));
  }

  /** Leaves nothing in the log beside the file of what was deleted or replaced; where readers are in the way, a later call does. */
  async emptyLog(): Promise<void> {
    await this.callWriter<boolean>(EMPTY_LOG_PROCEDURE, () => undefined);
  }

  async check(): Promise<void> {
    await sql`select 1 from meta`.execute(this.read);
  }

  async close(): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.close()));
    await this.turn.run(() => this.writer.close());
    this.lock?.release();
  }
}

/** The thread with the least to do; fails with `unavailable` where even that one has too much. */
function readerOf(threads: SqliteThread[]): SqliteThread {
  const leastBusy = threads.reduce((best, thread) => (thread.pending < best.pending ? thread : best));
  if (leastBusy.pending >= MAX_WAITING) throw new ParleyError('unavailable');
  return leastBusy;
}
