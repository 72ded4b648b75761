import { type Kysely, sql } from 'kysely';
import type { ColumnTypes } from './column-types.ts';

/** Jobs that belong to no conversation, and the duties that one node at a time does by the clock. */
export const queue = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('jobs')
      .addColumn('id', types.id, (column) => column.primaryKey().notNull())
      .addColumn('kind', types.key, (column) => column.notNull())
      .addColumn('payload', 'text', (column) => column.notNull())
      .addColumn('priority', 'smallint', (column) => column.notNull())
      .addColumn('dedupe_key', types.key)
      .addColumn('attempts', types.counter, (column) => column.notNull().defaultTo(0))
      .addColumn('due_at', types.time, (column) => column.notNull())
      .addColumn('owner', 'text')
      .addColumn('lease_until', types.time)
      .addColumn('again_at', types.time)
      .addColumn('parked_at', types.time)
      .addColumn('reason', 'text')
      .addColumn('created_at', types.time, (column) => column.notNull())
      .execute();
    // What is due, by priority and then by time.
    await db.schema
      .createIndex('jobs_due')
      .on('jobs')
      .columns(['priority', 'due_at'])
      .where(sql.ref('parked_at'), 'is', null)
      .execute();
    await db.schema
      .createIndex('jobs_dedupe')
      .unique()
      .on('jobs')
      .columns(['kind', 'dedupe_key'])
      .where(sql.ref('dedupe_key'), 'is not', null)
      .where(sql.ref('parked_at'), 'is', null)
      .execute();
    await db.schema
      .createIndex('jobs_parked')
      .on('jobs')
      .columns(['parked_at'])
      .where(sql.ref('parked_at'), 'is not', null)
      .execute();

    await db.schema
      .createTable('duties')
      .addColumn('name', types.key, (column) => column.primaryKey().notNull())
      .addColumn('owner', 'text')
      .addColumn('lease_until', types.time)
      .addColumn('last_run_at', types.time)
      .addColumn('next_at', types.time, (column) => column.notNull())
      .execute();
  },

  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('duties').execute();
    await db.schema.dropTable('jobs').execute();
  },
});
