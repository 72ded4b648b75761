import { describe, setDefaultTimeout } from 'bun:test';
import { postgresChat, sqliteChat } from '../../../tests/support/chat-world.ts';
import { canTestPostgres } from '../../../tests/support/postgres.ts';
import { feedContract } from './feed.contract.ts';

setDefaultTimeout(60_000);

describe('events in SQLite', () => {
  feedContract(sqliteChat);
});

describe.skipIf(!canTestPostgres('events in PostgreSQL'))('events in PostgreSQL', () => {
  feedContract(postgresChat);
});
