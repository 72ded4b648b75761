import { type Kysely, sql } from 'kysely';
import { DEFAULT_MIGRATION_TABLE, type Migration, type MigrationResultSet, Migrator } from 'kysely/migration';
import type { Database } from './database.ts';
import { accounts } from './migrations/0001-accounts.ts';
import { conversations } from './migrations/0002-conversations.ts';
import { realtime } from './migrations/0003-realtime.ts';
import { jobs } from './migrations/0004-jobs.ts';
import { participantsByRev } from './migrations/0005-participants-by-rev.ts';
import { conversationEvents } from './migrations/0006-conversation-events.ts';
import { queue } from './migrations/0007-queue.ts';
import { names } from './migrations/0008-names.ts';
import { bounds } from './migrations/0010-bounds.ts';
import { audit } from './migrations/0011-audit.ts';
import { signIn } from './migrations/0012-sign-in.ts';
import { auditOrder } from './migrations/0013-audit-order.ts';
import { type ColumnTypes, POSTGRES_TYPES, SQLITE_TYPES } from './migrations/column-types.ts';
import type { Schema } from './schema.ts';

/** The steps of the schema, in order. A step that was released is never changed: the next one mends it. */
function migrations(types: ColumnTypes): Record<string, Migration> {
  return {
    '0001-accounts': accounts(types),
    '0002-conversations': conversations(types),
    '0003-realtime': realtime(types),
    '0004-jobs': jobs(types),
    '0005-participants-by-rev': participantsByRev(),
    '0006-conversation-events': conversationEvents(types),
    '0007-queue': queue(types),
    '0008-names': names(types),
    '0010-bounds': bounds(types),
    '0011-audit': audit(types),
    '0012-sign-in': signIn(types),
    '0013-audit-order': auditOrder(),
  };
}

export interface MigrationState {
  name: string;
  /** When it was applied, or undefined. */
  executedAt?: Date;
}

/** The schema was changed by a program that knows more than this one. */
export class NewerSchemaError extends Error {}

/**
 * Brings the schema up or down. Every call says what it did, by the names of the steps. Several processes that call at once
 * take turns, by a lock in the database.
 *
 * The schema may be ahead of the program: during a rolling upgrade nodes of the version before run on, and start again, on
 * what the new one has migrated. A step therefore adds what the version before can do without, and what that one still
 * uses is taken away a version later.
 */
export class SchemaMigrator {
  private readonly steps: Record<string, Migration>;

  constructor(private readonly database: Database) {
    this.steps = migrations(database.engine === 'sqlite' ? SQLITE_TYPES : POSTGRES_TYPES);
  }

  /** Applies all steps that are missing; none where the schema is ahead. */
  async up(): Promise<string[]> {
    if ((await this.newerSteps()).length > 0) return [];
    return this.database.patiently(async (db) => done(await this.migrator(db).migrateToLatest()));
  }

  /** Takes the last step back, with the data it holds. Fails with NewerSchemaError where this program does not know it. */
  async down(): Promise<string[]> {
    const [newer] = await this.newerSteps();
    if (newer) throw new NewerSchemaError(`${newer} is of a newer version of Parley: go down with that one`);
    return this.database.patiently(async (db) => done(await this.migrator(db).migrateDown()));
  }

  async status(): Promise<MigrationState[]> {
    const steps = await this.migrator(this.database.write).getMigrations();
    return steps.map(({ name, executedAt }) => ({ name, executedAt }));
  }

  /** The steps that are applied and that this program does not know. */
  async newerSteps(): Promise<string[]> {
    const tables = await this.database.write.introspection.getTables({ withInternalKyselyTables: true });
    if (!tables.some(({ name }) => name === DEFAULT_MIGRATION_TABLE)) return [];
    const { rows } = await sql<{ name: string }>`
      select name from ${sql.table(DEFAULT_MIGRATION_TABLE)} order by name`.execute(this.database.write);
    return rows.map(({ name }) => name).filter((name) => !(name in this.steps));
  }

  private migrator(db: Kysely<Schema>): Migrator {
    return new Migrator({ db, provider: { getMigrations: async () => this.steps } });
  }
}

function done({ error, results = [] }: MigrationResultSet): string[] {
  const failed = results.find((result) => result.status === 'Error');
  if (error) {
    throw new Error(`migration ${failed?.migrationName ?? ''} failed: ${(error as Error).message}`, { cause: error });
  }
  return results.filter((result) => result.status === 'Success').map((result) => result.migrationName);
}
