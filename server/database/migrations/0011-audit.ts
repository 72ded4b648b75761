import type { Kysely } from 'kysely';
import type { ColumnTypes } from './column-types.ts';

/** What happened to accounts and sessions. */
export const audit = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('audit')
      .addColumn('id', types.id, (column) => column.primaryKey().notNull())
      .addColumn('at', types.time, (column) => column.notNull())
      .addColumn('kind', types.key, (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('actor_id', types.id)
      .addColumn('subject_id', types.id)
      .addColumn('session_id', types.id)
      .addColumn('address', 'text')
      .addColumn('request_id', 'text')
      .addColumn('detail', 'text')
      .execute();
    // The newest of all, of a kind, of an account: what an operator asks for. The first is the sweeper's too.
    await db.schema.createIndex('audit_at').on('audit').column('at').execute();
    await db.schema.createIndex('audit_subject').on('audit').columns(['subject_id', 'at']).execute();
    await db.schema.createIndex('audit_actor').on('audit').columns(['actor_id', 'at']).execute();
  },

  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('audit').execute();
  },
});
