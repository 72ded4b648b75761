import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { sql } from 'kysely';
import { addUser, sqliteDatabase, type TestDatabase } from '../../../tests/support/databases.ts';
import { ParleyError } from '../../shared/errors.ts';
import { columnsContract } from '../columns.contract.ts';
import { countsContract } from '../counts.contract.ts';
import { readTogetherContract } from '../database.contract.ts';
import { onlyIf } from '../database.ts';
import { MAX_WAITING } from './mutex.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

describe('SQLite counts', () => countsContract(() => sqliteDatabase()));

describe('columns in a file', () => {
  columnsContract((kinds) => sqliteDatabase({ kinds }));

  test('are kept as their kind says: ids and keys of that form as 16 bytes, text as text', async () => {
    const { database, close } = await sqliteDatabase();
    const id = await addUser(database);
    await database.write.updateTable('users').set({ status: id }).where('id', '=', id).execute();
    const kept = sql`select typeof(id) as id, typeof(username_key) as key, typeof(status) as status from users`;
    expect((await kept.execute(database.read)).rows).toEqual([{ id: 'blob', key: 'blob', status: 'text' }]);
    await close();
  });

  test('of text are read where it was kept as bytes, as it was in any column once', async () => {
    const { database, close } = await sqliteDatabase();
    const id = await addUser(database);
    await sql`update users set status = id`.execute(database.write);
    const query = database.read.selectFrom('users').select('status');
    expect(await query.execute()).toEqual([{ status: id }]);
    expect(await database.readTogether([query.compile()])).toEqual([[{ status: id }]]);
    await close();
  });
});

describe('reads together in a file', () => {
  readTogetherContract(() => sqliteDatabase({ readers: 2 }));
});

describe('reads together in memory', () => {
  readTogetherContract(() => sqliteDatabase({ inMemory: true }));

  test('spare themselves what depends on a row that was not found', async () => {
    const { database, close } = await sqliteDatabase({ inMemory: true });
    const flagged = (flag: number) => sql`select ${sql.lit(flag)} as flag`.compile(database.read);
    const wrong = onlyIf('flag', sql`select * from a_table_that_is_not_there`.compile(database.read));
    expect(await database.readTogether([flagged(0), wrong])).toEqual([[{ flag: 0 }], []]);
    expect(await database.readTogether([flagged(1), wrong]).catch((error) => error)).toBeInstanceOf(Error);
    await close();
  });

  test('go on while a transaction is open on the only connection', async () => {
    const { database, close } = await sqliteDatabase({ inMemory: true });
    const rows = await database.write.transaction().execute(async (tx) => {
      await tx.insertInto('meta').values({ key: 'one', value: '1' }).execute();
      return database.readTogether([
        database.read.selectFrom('meta').select('value').where('key', '=', 'one').compile(),
      ]);
    });
    expect(rows).toEqual([[{ value: '1' }]]);
    await close();
  });
});

describe('SQLite in its threads', () => {
  let world: TestDatabase<SqliteDatabase>;

  beforeAll(async () => {
    world = await sqliteDatabase({ inMemory: true });
    await sql`create table words (word text unique on conflict rollback)`.execute(world.database.write);
  });
  afterAll(() => world.close());

  const put = (...words: string[]) =>
    world.database.write.transaction().execute(async (tx) => {
      for (const word of words) await sql`insert into words values (${word})`.execute(tx);
    });
  const words = async () => (await sql<{ word: string }>`select word from words`.execute(world.database.read)).rows;

  test('tells a failure after which it rolled back by itself as what it was, and goes on', async () => {
    await put('one');
    expect(await put('two', 'one').catch(({ code }) => code)).toBe('SQLITE_CONSTRAINT_UNIQUE');
    await put('three');
    expect(await words()).toEqual([{ word: 'one' }, { word: 'three' }]);
  });

  test('refuses to read where too many wait already, and reads again after them', async () => {
    const { read } = world.database;
    const one = sql<{ one: number }>`select 1 as one`.compile(read);
    const waiting = Array.from({ length: MAX_WAITING }, () => world.database.readTogether([one]));
    const refused = [world.database.readTogether([one]), sql`select 1`.execute(read)];
    for (const failure of await Promise.all(refused.map((answer) => answer.catch((error) => error)))) {
      expect(failure).toBeInstanceOf(ParleyError);
      expect(failure.code).toBe('unavailable');
    }
    expect((await Promise.all(waiting)).length).toBe(MAX_WAITING);
    expect(await world.database.readTogether([one])).toEqual([[{ one: 1 }]]);
  });
});
