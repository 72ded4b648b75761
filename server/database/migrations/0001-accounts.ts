import type { Kysely } from 'kysely';
import type { ColumnTypes } from './column-types.ts';

/** Users and their sessions. */
export const accounts = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('users')
      .addColumn('id', types.id, (column) => column.primaryKey().notNull())
      .addColumn('email', types.key, (column) => column.unique())
      .addColumn('username', 'text')
      .addColumn('username_key', types.key, (column) => column.unique())
      .addColumn('display_name', 'text', (column) => column.notNull())
      .addColumn('display_name_key', types.key, (column) => column.notNull())
      .addColumn('phone_number', types.key, (column) => column.unique())
      .addColumn('password_hash', 'text')
      .addColumn('avatar_url', 'text')
      .addColumn('status', 'text')
      .addColumn('role', 'text', (column) => column.notNull())
      .addColumn('is_active', types.flag, (column) => column.notNull())
      .addColumn('created_at', types.time, (column) => column.notNull())
      .addColumn('deleted_at', types.time)
      .execute();
    await db.schema.createIndex('users_display_name').on('users').column('display_name_key').execute();

    await db.schema
      .createTable('sessions')
      .addColumn('id', types.id, (column) => column.primaryKey().notNull())
      .addColumn('user_id', types.id, (column) => column.notNull().references('users.id'))
      .addColumn('created_at', types.time, (column) => column.notNull())
      .addColumn('expires_at', types.time, (column) => column.notNull())
      .addColumn('ended_at', types.time)
      .addColumn('generation', types.counter, (column) => column.notNull())
      .addColumn('rotated_at', types.time, (column) => column.notNull())
      .execute();
    await db.schema.createIndex('sessions_user').on('sessions').column('user_id').execute();
    // For the sweeper, which deletes what is long over.
    await db.schema.createIndex('sessions_expiry').on('sessions').column('expires_at').execute();
  },

  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('sessions').execute();
    await db.schema.dropTable('users').execute();
  },
});
