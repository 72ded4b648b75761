import { describe } from 'bun:test';
import { canTestPostgres, sharedPostgres } from '../../../tests/support/postgres.ts';
import { SchemaMigrator } from '../../database/migrator.ts';
import { PostgresDatabase } from '../../database/postgres/postgres-database.ts';
import { type LogWorld, logDriverContract } from './log-driver.contract.ts';
import { PostgresLog } from './postgres-log.ts';

async function make(): Promise<LogWorld> {
  const postgres = await sharedPostgres();
  const database = await PostgresDatabase.open({ url: await postgres.createDatabase(), poolSize: 6 });
  await new SchemaMigrator(database).up();
  return { driver: new PostgresLog(database), database, close: () => database.close() };
}

describe.skipIf(!canTestPostgres('the log in PostgreSQL'))('the log in PostgreSQL', () => {
  logDriverContract(make);
});
