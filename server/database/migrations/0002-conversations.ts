import { type Kysely, sql } from 'kysely';
import { type ColumnTypes, clustered, countedUp } from './column-types.ts';

/** Conversations, who is in them, what was said, and the outbox. Keys begin with the conversation, so that it can be split by it. */
export const conversations = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await clustered(
      types,
      db.schema
        .createTable('conversations')
        .addColumn('id', types.id, (column) => column.primaryKey().notNull())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('name', 'text')
        .addColumn('created_by', types.id)
        .addColumn('low_user_id', types.id)
        .addColumn('high_user_id', types.id)
        .addColumn('created_at', types.time, (column) => column.notNull())
        .addColumn('updated_at', types.time, (column) => column.notNull())
        .addColumn('seq', types.counter, (column) => column.notNull())
        .addColumn('rev', types.counter, (column) => column.notNull())
        .addColumn('meta_rev', types.counter, (column) => column.notNull())
        .addColumn('marks_rev', types.counter, (column) => column.notNull().defaultTo(0))
        // One direct conversation a pair, also when both open it at the same instant.
        .addUniqueConstraint('conversations_pair', ['low_user_id', 'high_user_id']),
    ).execute();

    await clustered(
      types,
      db.schema
        .createTable('participants')
        .addColumn('conversation_id', types.id, (column) => column.notNull().references('conversations.id'))
        .addColumn('user_id', types.id, (column) => column.notNull().references('users.id'))
        .addColumn('role', 'text', (column) => column.notNull())
        .addColumn('joined_at', types.time, (column) => column.notNull())
        .addColumn('rev', types.counter, (column) => column.notNull())
        .addColumn('left_rev', types.counter)
        .addColumn('read_seq', types.counter, (column) => column.notNull())
        .addColumn('delivered_seq', types.counter, (column) => column.notNull())
        .addPrimaryKeyConstraint('participants_pkey', ['conversation_id', 'user_id']),
    ).execute();
    await db.schema
      .createIndex('participants_user')
      .on('participants')
      .columns(['user_id', 'conversation_id'])
      .where(sql.ref('left_rev'), 'is', null)
      .execute();

    await clustered(
      types,
      db.schema
        .createTable('messages')
        .addColumn('conversation_id', types.id, (column) => column.notNull())
        .addColumn('seq', types.counter, (column) => column.notNull())
        .addColumn('rev', types.counter, (column) => column.notNull())
        .addColumn('created_rev', types.counter, (column) => column.notNull())
        .addColumn('id', types.id, (column) => column.notNull())
        .addColumn('sender_id', types.id, (column) => column.notNull())
        .addColumn('client_id', types.key, (column) => column.notNull())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('content', 'text', (column) => column.notNull())
        .addColumn('system', 'text')
        .addColumn('reply_to_id', types.id)
        .addColumn('sent_at', types.time, (column) => column.notNull())
        .addColumn('edited_at', types.time)
        .addColumn('deleted_at', types.time)
        .addPrimaryKeyConstraint('messages_pkey', ['conversation_id', 'seq']),
    ).execute();
    await db.schema.createIndex('messages_id').unique().on('messages').columns(['conversation_id', 'id']).execute();
    // Idempotency for ever: a key names one message of its sender here.
    await db.schema
      .createIndex('messages_client_id')
      .unique()
      .on('messages')
      .columns(['conversation_id', 'sender_id', 'client_id'])
      .execute();
    // For changes since a rev.
    await db.schema.createIndex('messages_rev').on('messages').columns(['conversation_id', 'rev']).execute();

    await db.schema
      .createTable('outbox')
      .addColumn('id', types.counter, countedUp(types))
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('conversation_id', types.id)
      .addColumn('user_id', types.id)
      .addColumn('session_id', types.id)
      .addColumn('rev', types.counter)
      .addColumn('created_at', types.time, (column) => column.notNull())
      .execute();

    if (types.engine === 'postgres') {
      // There a lower id may be committed after a higher one: readers go by the transaction that wrote a row.
      await sql`alter table outbox add column txid xid8 not null default pg_current_xact_id()`.execute(db);
      await db.schema.createIndex('outbox_txid').on('outbox').column('txid').execute();
      // Rows that are updated with every message: room beside them, so that their indexes stay as they are.
      await sql`alter table conversations set (fillfactor = 70)`.execute(db);
      await sql`alter table participants set (fillfactor = 70)`.execute(db);
    }

    await db.schema
      .createTable('meta')
      .addColumn('key', types.key, (column) => column.primaryKey().notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .execute();
    await sql`insert into meta (key, value) values ('epoch', ${Bun.randomUUIDv7().replaceAll('-', '')})`.execute(db);
  },

  async down(db: Kysely<unknown>): Promise<void> {
    for (const table of ['meta', 'outbox', 'messages', 'participants', 'conversations']) {
      await db.schema.dropTable(table).execute();
    }
  },
});
