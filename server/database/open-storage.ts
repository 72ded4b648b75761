import { type Config, ConfigError } from '../config/config.ts';
import { ParleyError, StartRefused } from '../shared/errors.ts';
import { PostgresDatabase } from './postgres/postgres-database.ts';
import { RequirementError } from './postgres/requirements.ts';
import { SqliteDatabase } from './sqlite/sqlite-database.ts';

/** The database of the configuration. Who needs what only one engine has asks which it is. */
export type Storage = PostgresDatabase | SqliteDatabase;

/**
 * The files that SQLite's threads begin with. They are named where the program begins: in an executable of one file every
 * address is relative to that.
 */
export interface ThreadEntries {
  writerEntry: URL;
  readerEntry: URL;
}

export interface OpenStorageOptions {
  threads: ThreadEntries;
  /** A server does; it fails with `StartRefused` where another one runs on the same DATA_DIR. */
  locksFolder?: boolean;
  /** Told when one of SQLite's threads breaks. */
  onDeath(error: Error): void;
}

/** Opens the database of the configuration. Fails with what is wrong with it in one line. */
export function openStorage(config: Pick<Config, 'data'>, options: OpenStorageOptions): Promise<Storage> {
  return config.data.url === '' ? openSqlite(config.data, options) : openPostgres(config.data);
}

async function openSqlite(
  { dir, sqlite_readers: readers }: Config['data'],
  { threads, locksFolder = false, onDeath }: OpenStorageOptions,
): Promise<SqliteDatabase> {
  try {
    return await SqliteDatabase.open({
      dir,
      readers,
      ...threads,
      locksFolder,
      onDeath,
    });
  } catch (error) {
    if (error instanceof StartRefused) throw error;
    throw new ConfigError(`DATA_DIR must be a folder to write to; it is "${dir}": ${(error as Error).message}`);
  }
}

/** Connects to a PostgreSQL. Fails with what is wrong in one line, without the password. */
export async function openPostgres({
  url,
  pool_size: poolSize,
}: Pick<Config['data'], 'url' | 'pool_size'>): Promise<PostgresDatabase> {
  try {
    return await PostgresDatabase.open({ url, poolSize });
  } catch (error) {
    if (error instanceof RequirementError) throw new ConfigError(error.message);
    // What the client says names hosts and users, never the password.
    const cause = error instanceof ParleyError ? (error.details.cause as Error) : (error as Error);
    throw new ConfigError(`DATABASE_URL names a database that does not answer: ${cause.message}`);
  }
}
