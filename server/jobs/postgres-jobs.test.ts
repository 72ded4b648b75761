import { describe } from 'bun:test';
import { postgresDatabase } from '../../tests/support/databases.ts';
import { canTestPostgres } from '../../tests/support/postgres.ts';
import { dutiesContract } from './duties.contract.ts';
import { jobsContract } from './jobs.contract.ts';

const canTest = canTestPostgres('jobs in PostgreSQL');

describe.skipIf(!canTest)('jobs in PostgreSQL', () => jobsContract(() => postgresDatabase()));
describe.skipIf(!canTest)('duties in PostgreSQL', () => dutiesContract(() => postgresDatabase()));
