import { type Migration, type MigrationResultSet, Migrator } from 'kysely/migration';
import type { Database } from './database.ts';
import { accounts } from './migrations/0001-accounts.ts';
import { conversations } from './migrations/0002-conversations.ts';
import { realtime } from './migrations/0003-realtime.ts';
import { jobs } from './migrations/0004-jobs.ts';
import { type ColumnTypes, POSTGRES_TYPES, SQLITE_TYPES } from './migrations/column-types.ts';

/** The steps of the schema, in order. A step that was released is never changed: the next one mends it. */
function migrations(types: ColumnTypes): Record<string, Migration> {
  return {
    '0001-accounts': accounts(types),
    '0002-conversations': conversations(types),
    '0003-realtime': realtime(types),
    '0004-jobs': jobs(types),
  };
}

export interface MigrationState {
  name: string;
  /** When it was applied, or undefined. */
  executedAt?: Date;
}

/** Brings the schema up or down. Every call says what it did, by the names of the steps. */
export class SchemaMigrator {
  private readonly migrator: Migrator;

  constructor(database: Database) {
    const types = database.engine === 'sqlite' ? SQLITE_TYPES : POSTGRES_TYPES;
    this.migrator = new Migrator({ db: database.write, provider: { getMigrations: async () => migrations(types) } });
  }

  /** Applies all steps that are missing. */
  async up(): Promise<string[]> {
    return done(await this.migrator.migrateToLatest());
  }

  /** Takes the last step back, with the data it holds. */
  async down(): Promise<string[]> {
    return done(await this.migrator.migrateDown());
  }

  async status(): Promise<MigrationState[]> {
    const steps = await this.migrator.getMigrations();
    return steps.map(({ name, executedAt }) => ({ name, executedAt }));
  }
}

function done({ error, results = [] }: MigrationResultSet): string[] {
  const failed = results.find((result) => result.status === 'Error');
  if (error) {
    throw new Error(`migration ${failed?.migrationName ?? ''} failed: ${(error as Error).message}`, { cause: error });
  }
  return results.filter((result) => result.status === 'Success').map((result) => result.migrationName);
}
