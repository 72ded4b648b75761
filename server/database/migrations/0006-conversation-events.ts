import { type Kysely, sql } from 'kysely';
import { type ColumnTypes, clustered } from './column-types.ts';

/** What of a parked job is not about a message's creation: a copy of its event's row, for that one is swept. */
const COPIED = ['rev', 'kind', 'message_seq', 'actor_id', 'user_ids', 'emoji', 'event_at'] as const;

/**
 * What changed at each `rev` that brought no message, for consumers of events. Cursors count by `rev` from here on; a null
 * one is that of a version before, and follows from its `seq`.
 */
export const conversationEvents = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await clustered(
      types,
      db.schema
        .createTable('conversation_events')
        .addColumn('conversation_id', types.id, (column) => column.notNull())
        .addColumn('rev', types.counter, (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('actor_id', types.id, (column) => column.notNull())
        .addColumn('message_seq', types.counter)
        .addColumn('user_ids', 'text')
        .addColumn('emoji', types.key)
        .addColumn('created_at', types.time, (column) => column.notNull())
        .addPrimaryKeyConstraint('conversation_events_pkey', ['conversation_id', 'rev']),
    ).execute();
    // For the sweep.
    await db.schema.createIndex('conversation_events_created').on('conversation_events').column('created_at').execute();
    await db.schema.alterTable('job_cursors').addColumn('rev', types.counter).execute();

    if (types.engine === 'sqlite') {
      // There a column cannot become nullable in place.
      await rebuild(db, types, true);
    } else {
      await db.schema
        .alterTable('parked_jobs')
        .alterColumn('seq', (column) => column.dropNotNull())
        .execute();
      let table = db.schema.alterTable('parked_jobs').addColumn('rev', types.counter);
      for (const name of COPIED.slice(1)) table = table.addColumn(name, typeOf(types, name));
      await table.execute();
    }
    await db.schema
      .createIndex('parked_jobs_event')
      .unique()
      .on('parked_jobs')
      .columns(['conversation_id', 'consumer', 'rev'])
      .execute();
  },

  async down(db: Kysely<unknown>): Promise<void> {
    // The version before knows jobs of messages only.
    await sql`delete from parked_jobs where seq is null`.execute(db);
    await db.schema.dropIndex('parked_jobs_event').execute();
    if (types.engine === 'sqlite') {
      await rebuild(db, types, false);
    } else {
      await db.schema
        .alterTable('parked_jobs')
        .alterColumn('seq', (column) => column.setNotNull())
        .execute();
      let table = db.schema.alterTable('parked_jobs').dropColumn('rev');
      for (const name of COPIED.slice(1)) table = table.dropColumn(name);
      await table.execute();
    }
    await db.schema.alterTable('job_cursors').dropColumn('rev').execute();
    await db.schema.dropTable('conversation_events').execute();
  },
});

function typeOf(types: ColumnTypes, name: (typeof COPIED)[number]) {
  if (name === 'rev' || name === 'message_seq') return types.counter;
  if (name === 'actor_id') return types.id;
  if (name === 'emoji') return types.key;
  return name === 'event_at' ? types.time : 'text';
}

/** Makes `parked_jobs` anew around its rows: with what this step adds, or as it was before. */
async function rebuild(db: Kysely<unknown>, types: ColumnTypes, withEvents: boolean): Promise<void> {
  let table = db.schema
    .createTable('parked_jobs_anew')
    .addColumn('id', types.id, (column) => column.primaryKey().notNull())
    .addColumn('consumer', types.key, (column) => column.notNull())
    .addColumn('conversation_id', types.id, (column) => column.notNull())
    .addColumn('seq', types.counter, (column) => (withEvents ? column : column.notNull()))
    .addColumn('attempts', types.counter, (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('parked_at', types.time, (column) => column.notNull())
    .addColumn('next_at', types.time)
    // Of a message's creation alone: what has no `seq` may stand here as often as it likes.
    .addUniqueConstraint('parked_jobs_message', ['conversation_id', 'consumer', 'seq']);
  if (withEvents) for (const name of COPIED) table = table.addColumn(name, typeOf(types, name)) as typeof table;
  await table.execute();
  const kept = sql.raw('id, consumer, conversation_id, seq, attempts, reason, parked_at, next_at');
  await sql`insert into parked_jobs_anew (${kept}) select ${kept} from parked_jobs`.execute(db);
  await db.schema.dropTable('parked_jobs').execute();
  await db.schema.alterTable('parked_jobs_anew').renameTo('parked_jobs').execute();
  await db.schema
    .createIndex('parked_jobs_due')
    .on('parked_jobs')
    .columns(['consumer', 'next_at'])
    .where(sql.ref('next_at'), 'is not', null)
    .execute();
}
