import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ColumnKinds } from '../../server/database/columns.ts';
import type { Database } from '../../server/database/database.ts';
import { SchemaMigrator } from '../../server/database/migrator.ts';
import { PostgresDatabase } from '../../server/database/postgres/postgres-database.ts';
import { SqliteDatabase } from '../../server/database/sqlite/sqlite-database.ts';
import { sharedPostgres } from './postgres.ts';

/** A database with its schema, for what stands on it without a server. */
export interface TestDatabase<D extends Database = Database> {
  database: D;
  close(): Promise<void>;
}

/** When all that is put into a test's database was made, in milliseconds since the Unix epoch. */
export const SETTLED_AT = 1_700_000_000_000;

/** An SQLite database in a file of its own, or in memory. */
export async function sqliteDatabase(
  options: { readers?: number; inMemory?: boolean; kinds?: ColumnKinds } = {},
): Promise<TestDatabase<SqliteDatabase>> {
  const dir = options.inMemory ? ':memory:' : mkdtempSync(join(tmpdir(), 'parley-database-'));
  const database = await SqliteDatabase.open({
    dir,
    readers: options.readers ?? 1,
    kinds: options.kinds,
    writerEntry: new URL('../../server/writer-thread.ts', import.meta.url),
    readerEntry: new URL('../../server/database/sqlite/reader-thread.ts', import.meta.url),
    onDeath: (error) => {
      throw error;
    },
  });
  await new SchemaMigrator(database).up();
  return {
    database,
    async close() {
      await database.close();
      // SQLite may be taking its own files away still: what is gone already is gone.
      if (!options.inMemory) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A database in the run's PostgreSQL, or the one at `url`, which others may use too. */
export async function postgresDatabase(url?: string): Promise<TestDatabase<PostgresDatabase>> {
  const database = await PostgresDatabase.open({
    url: url ?? (await (await sharedPostgres()).createDatabase()),
    poolSize: 6,
  });
  await new SchemaMigrator(database).up();
  return { database, close: () => database.close() };
}

/** Puts an account into the tables; returns its id. */
export async function addUser(database: Database): Promise<string> {
  const [id] = await addUsers(database, 1);
  return id!;
}

/** Puts accounts into the tables; returns their ids, in id order. */
export async function addUsers(database: Database, count: number): Promise<string[]> {
  const rows = Array.from({ length: count }, () => {
    const id = Bun.randomUUIDv7();
    const names = {
      email: `${id}@example.com`,
      username: id,
      username_key: id,
      display_name: id,
      display_name_key: id,
    };
    return { id, ...names, role: 'user', is_active: 1, created_at: SETTLED_AT } as const;
  });
  await database.write.insertInto('users').values(rows).execute();
  return rows.map(({ id }) => id).sort();
}

/** Puts a group into the tables, at `rev` 1, with everybody's marks at 0; returns its id. */
export async function addGroup(database: Database, members: string[], seq = 0): Promise<string> {
  const id = Bun.randomUUIDv7();
  const at = { created_at: SETTLED_AT, updated_at: SETTLED_AT };
  await database.write
    .insertInto('conversations')
    .values({ id, type: 'group', name: 'a group', created_by: members[0]!, ...at, seq, rev: 1, meta_rev: 1 })
    .execute();
  const seat = { role: 'member', joined_at: SETTLED_AT, rev: 1, read_seq: 0, delivered_seq: 0 } as const;
  const seats = members.map((user_id) => ({ conversation_id: id, user_id, ...seat }));
  await database.write.insertInto('participants').values(seats).execute();
  return id;
}
