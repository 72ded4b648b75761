import { describe } from 'bun:test';
import { postgresDatabase, sqliteDatabase } from '../../../tests/support/databases.ts';
import { canTestPostgres } from '../../../tests/support/postgres.ts';
import { patchesContract } from './patches.contract.ts';

describe('a change stores, in SQLite', () => patchesContract(() => sqliteDatabase({ inMemory: true })));

describe.skipIf(!canTestPostgres('changes in PostgreSQL'))('a change stores, in PostgreSQL', () =>
  patchesContract(() => postgresDatabase()),
);
