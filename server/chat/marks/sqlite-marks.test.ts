import { describe } from 'bun:test';
import { sqliteDatabase } from '../../../tests/support/databases.ts';
import { marksDriverContract } from './marks-driver.contract.ts';
import { SqliteMarks } from './sqlite-marks.ts';

describe('marks in SQLite', () => {
  marksDriverContract(async () => {
    const world = await sqliteDatabase();
    return { ...world, driver: new SqliteMarks(world.database) };
  });
});
