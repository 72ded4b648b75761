import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { sql } from 'kysely';
import { SqliteDatabase } from './sqlite-database.ts';

describe('SQLite in its threads', () => {
  let database: SqliteDatabase;

  beforeAll(async () => {
    database = await SqliteDatabase.open({
      dir: ':memory:',
      readers: 0,
      writerEntry: new URL('../../writer-thread.ts', import.meta.url),
      readerEntry: new URL('./reader-thread.ts', import.meta.url),
      onDeath: (error) => {
        throw error;
      },
    });
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
