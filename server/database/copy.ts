import { Database as SqliteFile } from 'bun:sqlite';
import { createHash, type Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { COLUMN_KINDS } from './columns.ts';
import { SchemaMigrator } from './migrator.ts';
import type { GuardedClient } from './postgres/pool.ts';
import type { PostgresDatabase } from './postgres/postgres-database.ts';
import type { Schema } from './schema.ts';
import { fromSql, resultColumns } from './sqlite/values.ts';

/** Why nothing was copied; `message` says what to do. */
export class CopyRefused extends Error {}

/** What is copied, in an order in which no row names one that is not there yet, and the keys that order its rows. */
const TABLES: Partial<Record<keyof Schema, string[]>> = {
  users: ['id'],
  username_claims: ['name_hash'],
  sessions: ['id'],
  account_links: ['id'],
  mfa_tickets: ['id'],
  totp: ['user_id'],
  recovery_codes: ['user_id', 'hint'],
  audit: ['id'],
  conversations: ['id'],
  participants: ['conversation_id', 'user_id'],
  messages: ['conversation_id', 'seq'],
  reactions: ['conversation_id', 'message_id', 'emoji', 'user_id'],
  reaction_kinds: ['conversation_id', 'message_id', 'emoji'],
  conversation_totals: ['conversation_id'],
  account_totals: ['user_id'],
  last_seen: ['user_id'],
  conversation_events: ['conversation_id', 'rev'],
  meta: ['key'],
  job_cursors: ['conversation_id', 'consumer'],
  parked_jobs: ['id'],
  jobs: ['id'],
};
/**
 * The outbox is not: it tells running servers what they missed, and none runs. Nor which of them did a duty last, nor what
 * the migrator keeps of itself.
 */
const LEFT_OUT = ['outbox', 'duties', 'kysely_migration', 'kysely_migration_lock'];

/** Tables with triggers that count: what they counted is copied too. */
const COUNTED = ['participants', 'reactions'];

/** Rows of one statement. */
const CHUNK = 2000;

interface Column {
  name: string;
  /** Of PostgreSQL, such as `uuid` or `int8`. */
  type: string;
}

type Row = Record<string, unknown>;

/**
 * Copies an embedded installation into an empty PostgreSQL, in one transaction: all of it or nothing. Each table is read
 * back and compared by its count and by a digest of all its rows. The folder stays as it is. The history is the same one,
 * and so is its epoch: clients go on where they were.
 *
 * Fails with CopyRefused where a server runs on the folder, where either side is not ready, or where anything differs.
 */
export async function copyInstallation(
  dir: string,
  target: PostgresDatabase,
  print: (line: string) => void,
): Promise<void> {
  const path = join(dir, 'parley.db');
  if (!existsSync(path)) throw new CopyRefused(`there is no installation in ${dir}: DATA_DIR names the folder`);
  const source = openAlone(path);
  try {
    const migrator = new SchemaMigrator(target);
    await migrator.up();
    const steps = (await migrator.status()).map(({ name }) => name);
    if (appliedSteps(source).join() !== steps.join()) {
      throw new CopyRefused('the installation is of another version: bring it up to date with "parley migrate up"');
    }
    await target.runInTransaction(async (client) => {
      await client.query(`set local statement_timeout = 0`, []);
      const tables = await describeTables(client);
      for (const table of COUNTED) await client.query(`alter table ${table} disable trigger user`, []);
      for (const [table, columns] of tables) await copyTable(source, client, table, columns, print);
      for (const table of COUNTED) await client.query(`alter table ${table} enable trigger user`, []);
    });
  } finally {
    source.close();
  }
}

/** Opens the file for this process alone, and for as long as that lasts: no server is on it, and none can start. */
function openAlone(path: string): SqliteFile {
  const file = new SqliteFile(path, { readwrite: true });
  try {
    file.run('PRAGMA locking_mode = EXCLUSIVE');
    file.run('BEGIN EXCLUSIVE');
    return file;
  } catch (error) {
    file.close();
    if (!String((error as { code?: string }).code).startsWith('SQLITE_BUSY')) throw error;
    throw new CopyRefused('a server or another command runs on the installation: stop it first');
  }
}

function appliedSteps(source: SqliteFile): string[] {
  const rows = source.query<{ name: string }, []>('select name from kysely_migration order by name').all();
  return rows.map(({ name }) => name);
}

/** The tables to fill with their columns, once all are empty. */
async function describeTables(client: GuardedClient): Promise<[keyof Schema, Column[]][]> {
  const { rows } = await client.query<Column & { table: keyof Schema }>(
    `select table_name as table, column_name as name, udt_name as type from information_schema.columns
     where table_schema = current_schema() order by table_name, ordinal_position`,
    [],
  );
  const columnsOf = Map.groupBy(rows, ({ table }) => table);
  for (const table of columnsOf.keys()) {
    if (LEFT_OUT.includes(table)) continue;
    if (!(table in TABLES)) throw new CopyRefused(`the database holds a table that is not Parley’s: ${table}`);
    // The new database's own few values give way to those of the installation.
    if (table === 'meta') await client.query('delete from meta', []);
    const { rows: some } = await client.query(`select 1 from ${table} limit 1`, []);
    if (some.length > 0) throw new CopyRefused(`the database is not empty: there are rows in ${table}`);
  }
  return (Object.keys(TABLES) as (keyof Schema)[]).map((table) => [table, columnsOf.get(table)!]);
}

async function copyTable(
  source: SqliteFile,
  client: GuardedClient,
  table: keyof Schema,
  columns: Column[],
  print: (line: string) => void,
): Promise<void> {
  const names = columns.map(({ name }) => name);
  const sorted = `select ${names.join(', ')} from ${table} order by`;
  const given = new Digest(names);
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${type}[]`);
  const insert = `insert into ${table} (${names.join(', ')}) select * from unnest(${arrays.join(', ')})`;
  const stored = resultColumns(names, COLUMN_KINDS);
  const put = async (read: Row[]) => {
    const rows = fromSql(read, stored);
    for (const row of rows) given.add(row);
    await client.query(
      insert,
      names.map((name) => rows.map((row) => row[name])),
    );
  };

  let chunk: Row[] = [];
  for (const row of source.query<Row, []>(`${sorted} ${TABLES[table]!.join(', ')}`).iterate()) {
    chunk.push({ ...row });
    if (chunk.length < CHUNK) continue;
    await put(chunk);
    chunk = [];
    if (given.rows % (CHUNK * 50) === 0) print(`${table.padEnd(14)} ${given.rows} rows …`);
  }
  if (chunk.length > 0) await put(chunk);

  const taken = new Digest(names);
  const order = TABLES[table]!.map((key) => (isText(columns, key) ? `${key} collate "C"` : key)).join(', ');
  await client.query(`declare copied no scroll cursor for ${sorted} ${order}`, []);
  for (;;) {
    const { rows } = await client.query<Row>(`fetch ${CHUNK} from copied`, []);
    for (const row of rows) taken.add(row);
    if (rows.length < CHUNK) break;
  }
  await client.query('close copied', []);

  const [before, after] = [given.value(), taken.value()];
  if (before !== after) {
    throw new CopyRefused(`${table} differs after the copy: ${given.rows} rows before, ${taken.rows} after`);
  }
  print(
    `${table.padEnd(14)} ${String(given.rows).padStart(10)} rows, the same on both sides (sha256 ${before.slice(0, 16)})`,
  );
}

const isText = (columns: Column[], name: string) => columns.find((column) => column.name === name)?.type === 'text';

/** The drivers answer bytes as objects of different classes. */
const comparable = (value: unknown) => (value instanceof Uint8Array ? value.toBase64() : value);

/** Count and SHA-256 of rows in their order. */
class Digest {
  rows = 0;
  private readonly hash: Hash = createHash('sha256');

  constructor(private readonly names: string[]) {}

  add(row: Row): void {
    this.rows++;
    this.hash.update(JSON.stringify(this.names.map((name) => comparable(row[name]))));
  }

  value(): string {
    return this.hash.digest('hex');
  }
}
