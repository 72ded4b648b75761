import { describe } from 'bun:test';
import { postgresDatabase } from '../../../tests/support/databases.ts';
import { canTestPostgres } from '../../../tests/support/postgres.ts';
import { columnsContract } from '../columns.contract.ts';
import { countsContract } from '../counts.contract.ts';
import { readTogetherContract } from '../database.contract.ts';

describe.skipIf(!canTestPostgres('PostgreSQL as the database'))('PostgreSQL', () => {
  describe('answers reads that belong together', () => readTogetherContract(() => postgresDatabase()));
  describe('has columns', () => columnsContract(() => postgresDatabase()));
  describe('counts', () => countsContract(() => postgresDatabase()));
});
