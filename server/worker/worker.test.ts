import { describe, setDefaultTimeout } from 'bun:test';
import { postgresChat, sqliteChat } from '../../tests/support/chat-world.ts';
import { canTestPostgres } from '../../tests/support/postgres.ts';
import { workerContract } from './worker.contract.ts';

setDefaultTimeout(60_000);

describe('workers on SQLite', () => {
  workerContract(sqliteChat);
});

describe.skipIf(!canTestPostgres('workers on PostgreSQL'))('workers on PostgreSQL', () => {
  workerContract(postgresChat);
});
