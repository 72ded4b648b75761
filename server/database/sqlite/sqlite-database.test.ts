import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { readTogetherContract } from '../database.contract.ts';
import { SchemaMigrator } from '../migrator.ts';
import { SqliteDatabase } from './sqlite-database.ts';

function open(dir: string): Promise<SqliteDatabase> {
  return SqliteDatabase.open({
    dir,
    readers: 2,
    writerEntry: new URL('../../writer-thread.ts', import.meta.url),
    readerEntry: new URL('./reader-thread.ts', import.meta.url),
    onDeath: (error) => {
      throw error;
    },
  });
}

describe('reads together in a file', () => {
  readTogetherContract(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'parley-database-'));
    const database = await open(dir);
    await new SchemaMigrator(database).up();
    return {
      database,
      async close() {
        await database.close();
        rmSync(dir, { recursive: true });
      },
    };
  });
});

describe('reads together in memory', () => {
  readTogetherContract(async () => {
    const database = await open(':memory:');
    await new SchemaMigrator(database).up();
    return { database, close: () => database.close() };
  });

  test('go on while a transaction is open on the only connection', async () => {
    const database = await open(':memory:');
    await new SchemaMigrator(database).up();
    const rows = await database.write.transaction().execute(async (tx) => {
      await tx.insertInto('meta').values({ key: 'one', value: '1' }).execute();
      return database.readTogether([
        database.read.selectFrom('meta').select('value').where('key', '=', 'one').compile(),
      ]);
    });
    expect(rows).toEqual([[{ value: '1' }]]);
    await database.close();
  });
});

describe('SQLite in its threads', () => {
  let database: SqliteDatabase;

  beforeAll(async () => {
    database = await open(':memory:');
    await sql`create table words (word text unique on conflict rollback)`.execute(database.write);
  });
  afterAll(() => database.close());

  const put = (...words: string[]) =>
    database.write.transaction().execute(async (tx) => {
      for (const word of words) await sql`insert into words values (${word})`.execute(tx);
    });
  const words = async () => (await sql<{ word: string }>`select word from words`.execute(database.read)).rows;

  test('tells a failure after which it rolled back by itself as what it was, and goes on', async () => {
    await put('one');
    expect(await put('two', 'one').catch(({ code }) => code)).toBe('SQLITE_CONSTRAINT_UNIQUE');
    await put('three');
    expect(await words()).toEqual([{ word: 'one' }, { word: 'three' }]);
  });
});
