import { Database } from 'bun:sqlite';
import { join } from 'node:path';
import pg from 'pg';
import { COLUMN_KINDS } from '../../server/database/columns.ts';
import { compact, fromSql, toSql } from '../../server/database/sqlite/values.ts';

/** What a server keeps, read and changed behind its back, on whichever engine it is. */
export interface Stored {
  /** Runs a statement with `?` for its parameters. What looks like a UUID, or has the bytes of one, is taken for an id. */
  run<Row extends object>(sql: string, ...parameters: (string | number | null)[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** Opens what a server keeps, running or not. */
export async function openStored(server: { dataDir: string; databaseUrl: string | undefined }): Promise<Stored> {
  return server.databaseUrl === undefined ? openFile(server.dataDir) : openPostgres(server.databaseUrl);
}

/** Runs one statement on what a server keeps. */
export async function runStored<Row extends object>(
  server: { dataDir: string; databaseUrl: string | undefined },
  sql: string,
  ...parameters: (string | number | null)[]
): Promise<Row[]> {
  const stored = await openStored(server);
  try {
    return await stored.run<Row>(sql, ...parameters);
  } finally {
    await stored.close();
  }
}

function openFile(dataDir: string): Stored {
  const database = new Database(join(dataDir, 'parley.db'), { readwrite: true });
  database.run('PRAGMA busy_timeout = 5000');
  return {
    async run<Row extends object>(sql: string, ...parameters: (string | number | null)[]) {
      const statement = database.query(sql);
      const rows = statement.all(...parameters.map((value) => compact(toSql(value)))) as Record<string, unknown>[];
      // A test may name columns of its own: but for those that hold bytes, 16 of them are an id.
      const uuids = statement.columnNames.filter((name) => COLUMN_KINDS[name] !== 'blob');
      return fromSql(rows, { uuids, blobs: [] }) as Row[];
    },
    async close() {
      database.close();
    },
  };
}

async function openPostgres(url: string): Promise<Stored> {
  const types = { getTypeParser: (oid: number) => (oid === 20 ? Number : pg.types.getTypeParser(oid, 'text')) };
  const client = new pg.Client({ connectionString: url, types: types as pg.CustomTypesConfig });
  await client.connect();
  return {
    async run<Row extends object>(sql: string, ...parameters: (string | number | null)[]) {
      let place = 0;
      const { rows } = await client.query(
        sql.replaceAll('?', () => `$${++place}`),
        parameters,
      );
      return rows as Row[];
    },
    close: () => client.end(),
  };
}
