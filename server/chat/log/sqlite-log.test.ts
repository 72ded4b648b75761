import { describe, expect, test } from 'bun:test';
import { sqliteDatabase } from '../../../tests/support/databases.ts';
import { type LogWorld, logDriverContract } from './log-driver.contract.ts';
import { BatchError } from './log-driver.ts';
import { SqliteLog } from './sqlite-log.ts';

async function make(): Promise<LogWorld> {
  const world = await sqliteDatabase();
  return { ...world, driver: new SqliteLog(world.database) };
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
