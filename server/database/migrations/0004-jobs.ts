import { type Kysely, sql } from 'kysely';
import { type ColumnTypes, clustered } from './column-types.ts';

/** How far each consumer of messages has come in each conversation, and what it gave up on. */
export const jobs = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await clustered(
      types,
      db.schema
        .createTable('job_cursors')
        .addColumn('conversation_id', types.id, (column) => column.notNull())
        .addColumn('consumer', types.key, (column) => column.notNull())
        .addColumn('seq', types.counter, (column) => column.notNull())
        .addColumn('attempts', types.counter, (column) => column.notNull().defaultTo(0))
        .addColumn('owner', 'text')
        .addColumn('next_at', types.time)
        .addColumn('again', types.flag, (column) => column.notNull().defaultTo(0))
        .addColumn('waiting_since', types.time)
        .addPrimaryKeyConstraint('job_cursors_pkey', ['conversation_id', 'consumer']),
    ).execute();
    // What is due, or held by a worker; few rows at any time.
    await db.schema
      .createIndex('job_cursors_due')
      .on('job_cursors')
      .columns(['consumer', 'next_at'])
      .where(sql.ref('next_at'), 'is not', null)
      .execute();

    await db.schema
      .createTable('parked_jobs')
      .addColumn('id', types.id, (column) => column.primaryKey().notNull())
      .addColumn('consumer', types.key, (column) => column.notNull())
      .addColumn('conversation_id', types.id, (column) => column.notNull())
      .addColumn('seq', types.counter, (column) => column.notNull())
      .addColumn('attempts', types.counter, (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('parked_at', types.time, (column) => column.notNull())
      .addColumn('next_at', types.time)
      // However often a job is parked, it stands here once.
      .addUniqueConstraint('parked_jobs_message', ['conversation_id', 'consumer', 'seq'])
      .execute();
    await db.schema
      .createIndex('parked_jobs_due')
      .on('parked_jobs')
      .columns(['consumer', 'next_at'])
      .where(sql.ref('next_at'), 'is not', null)
      .execute();
  },

  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('parked_jobs').execute();
    await db.schema.dropTable('job_cursors').execute();
    await sql`delete from meta where key like 'jobs:%'`.execute(db);
  },
});
