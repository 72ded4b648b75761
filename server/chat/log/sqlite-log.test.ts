import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SchemaMigrator } from '../../database/migrator.ts';
import { SqliteDatabase } from '../../database/sqlite/sqlite-database.ts';
import { type LogWorld, logDriverContract } from './log-driver.contract.ts';
import { BatchError } from './log-driver.ts';
import { SqliteLog } from './sqlite-log.ts';

async function make(): Promise<LogWorld> {
  const dir = mkdtempSync(join(tmpdir(), 'parley-log-'));
  const database = await SqliteDatabase.open({
    dir,
    readers: 1,
    writerEntry: new URL('../../writer-thread.ts', import.meta.url),
    readerEntry: new URL('../../database/sqlite/reader-thread.ts', import.meta.url),
    onDeath: (error) => {
      throw error;
    },
  });
  await new SchemaMigrator(database).up();
  return {
    driver: new SqliteLog(database),
    database,
    async close() {
      await database.close();
      rmSync(dir, { recursive: true });
    },
  };
}

describe('the log in SQLite', () => {
  logDriverContract(make);

  test('blames no row for what the machine could not do', async () => {
    const { driver, close } = await make();
    const error = await driver
      .append(() => {
        throw new Error('out of memory');
      })
      .catch((error) => error);
    expect(error).toBeInstanceOf(BatchError);
    expect(error.rowAtFault).toBe(false);
    expect(await driver.append(() => [])).toEqual([]);
    await close();
  });
});
