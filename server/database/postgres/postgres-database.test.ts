import { describe } from 'bun:test';
import { canTestPostgres, sharedPostgres } from '../../../tests/support/postgres.ts';
import { readTogetherContract } from '../database.contract.ts';
import { SchemaMigrator } from '../migrator.ts';
import { PostgresDatabase } from './postgres-database.ts';

describe.skipIf(!canTestPostgres('PostgreSQL as the database'))('PostgreSQL', () => {
  async function make() {
    const postgres = await sharedPostgres();
    const database = await PostgresDatabase.open({ url: await postgres.createDatabase(), poolSize: 6 });
    await new SchemaMigrator(database).up();
    return { database, close: () => database.close() };
  }

  describe('answers reads that belong together', () => readTogetherContract(make));
});
