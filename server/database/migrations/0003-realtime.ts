import type { Kysely } from 'kysely';
import type { ColumnTypes } from './column-types.ts';
import { clustered } from './column-types.ts';

/** Reactions, the numbering of marks, and when somebody was last seen. */
export const realtime = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await clustered(
      types,
      db.schema
        .createTable('reactions')
        .addColumn('conversation_id', types.id, (column) => column.notNull())
        .addColumn('message_id', types.id, (column) => column.notNull())
        .addColumn('emoji', types.key, (column) => column.notNull())
        .addColumn('user_id', types.id, (column) => column.notNull())
        .addColumn('created_at', types.time, (column) => column.notNull())
        .addPrimaryKeyConstraint('reactions_pkey', ['conversation_id', 'message_id', 'emoji', 'user_id']),
    ).execute();
    await db.schema
      .alterTable('participants')
      .addColumn('marks_rev', types.counter, (column) => column.notNull().defaultTo(0))
      .execute();
    await clustered(
      types,
      db.schema
        .createTable('last_seen')
        .addColumn('user_id', types.id, (column) => column.primaryKey().notNull())
        .addColumn('at', types.time, (column) => column.notNull()),
    ).execute();
  },

  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('last_seen').execute();
    await db.schema.alterTable('participants').dropColumn('marks_rev').execute();
    await db.schema.dropTable('reactions').execute();
  },
});
