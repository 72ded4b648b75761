import { describe } from 'bun:test';
import { postgresDatabase } from '../../../tests/support/databases.ts';
import { canTestPostgres } from '../../../tests/support/postgres.ts';
import { marksDriverContract } from './marks-driver.contract.ts';
import { PostgresMarks } from './postgres-marks.ts';

describe.skipIf(!canTestPostgres('marks in PostgreSQL'))('marks in PostgreSQL', () => {
  marksDriverContract(async () => {
    const world = await postgresDatabase();
    return { ...world, driver: new PostgresMarks(world.database) };
  });
});
