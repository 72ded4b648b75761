import { type Kysely, sql } from 'kysely';
import { type ColumnTypes, clustered } from './column-types.ts';

/** What a row of `messages` takes beside its content, in bytes: as it is counted from here on (`chat/usage/stored-bytes.ts`). */
const MESSAGE_ROW_BYTES = 300;

/**
 * What keeps each query to the rows that it answers: indexes for the walks that had none, and counts for what was counted row by
 * row. Triggers keep the counts, so that a node of the version before, which knows none of them, moves them too.
 */
export const bounds = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await addIndexes(db);
    await addTables(db, types);
    for (const statement of types.engine === 'sqlite' ? SQLITE_TRIGGERS : POSTGRES_TRIGGERS) {
      await sql.raw(statement).execute(db);
    }
    await countWhatIsThere(db, types);
  },

  async down(db: Kysely<unknown>): Promise<void> {
    for (const [table, names] of Object.entries(TRIGGERS)) {
      for (const name of names) {
        const on = types.engine === 'postgres' ? sql` on ${sql.table(table)}` : sql``;
        await sql`drop trigger ${sql.ref(name)}${on}`.execute(db);
      }
    }
    if (types.engine === 'postgres') {
      for (const name of FUNCTIONS) await sql`drop function ${sql.ref(name)}()`.execute(db);
    }
    await db.schema.dropTable('reaction_kinds').execute();
    await db.schema.dropTable('account_totals').execute();
    await db.schema.dropTable('conversation_totals').execute();
    for (const name of INDEXES) await db.schema.dropIndex(name).execute();
    await db.schema.createIndex('users_display_name').on('users').column('display_name_key').execute();
  },
});

const INDEXES = [
  'users_display_name_id',
  'users_deleted',
  'sessions_open',
  'sessions_ended',
  'participants_joined',
  'participants_admins',
  'participants_marks',
  'reactions_first',
];

async function addIndexes(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  // With the id, so that a page of people of one name begins where the one before ended.
  await schema.createIndex('users_display_name_id').on('users').columns(['display_name_key', 'id']).execute();
  await schema.dropIndex('users_display_name').execute();
  await schema
    .createIndex('users_deleted')
    .on('users')
    .column('id')
    .where(sql.ref('deleted_at'), 'is not', null)
    .execute();

  await schema
    .createIndex('sessions_open')
    .on('sessions')
    .columns(['user_id', 'rotated_at', 'id'])
    .where(sql.ref('ended_at'), 'is', null)
    .execute();
  await schema
    .createIndex('sessions_ended')
    .on('sessions')
    .column('ended_at')
    .where(sql.ref('ended_at'), 'is not', null)
    .execute();

  // Those who left stay as rows, however many they are: nobody walks through them.
  const present = (name: string, column: string) =>
    schema
      .createIndex(name)
      .on('participants')
      .columns(['conversation_id', column, 'user_id'])
      .where(sql.ref('left_rev'), 'is', null);
  await present('participants_joined', 'joined_at').execute();
  await present('participants_admins', 'joined_at').where(sql.ref('role'), '=', sql.lit('admin')).execute();
  await present('participants_marks', 'marks_rev').execute();

  await schema
    .createIndex('reactions_first')
    .on('reactions')
    .columns(['conversation_id', 'message_id', 'emoji', 'created_at', 'user_id'])
    .execute();
}

/**
 * Counts are tables of their own: to a column that a table gets, statements that nodes of the version before have prepared at
 * PostgreSQL would not fit any more.
 */
async function addTables(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await clustered(
    types,
    db.schema
      .createTable('conversation_totals')
      .addColumn('conversation_id', types.id, (column) => column.primaryKey().notNull())
      .addColumn('participants', types.counter, (column) => column.notNull()),
  ).execute();
  await clustered(
    types,
    db.schema
      .createTable('account_totals')
      .addColumn('user_id', types.id, (column) => column.primaryKey().notNull())
      .addColumn('conversations', types.counter, (column) => column.notNull().defaultTo(0))
      .addColumn('stored_bytes', types.counter, (column) => column.notNull().defaultTo(0)),
  ).execute();
  await clustered(
    types,
    db.schema
      .createTable('reaction_kinds')
      .addColumn('conversation_id', types.id, (column) => column.notNull())
      .addColumn('message_id', types.id, (column) => column.notNull())
      .addColumn('emoji', types.key, (column) => column.notNull())
      .addColumn('total', types.counter, (column) => column.notNull())
      .addPrimaryKeyConstraint('reaction_kinds_pkey', ['conversation_id', 'message_id', 'emoji']),
  ).execute();
  // Rows that are updated often: room beside them, so that their indexes stay as they are.
  if (types.engine === 'postgres') {
    await sql`alter table account_totals set (fillfactor = 70)`.execute(db);
    await sql`alter table conversation_totals set (fillfactor = 70)`.execute(db);
  }
}

async function countWhatIsThere(db: Kysely<unknown>, { engine }: ColumnTypes): Promise<void> {
  await sql`
    insert into conversation_totals (conversation_id, participants)
    select conversation_id, count(*) from participants where left_rev is null group by conversation_id`.execute(db);
  const bytes = engine === 'sqlite' ? sql`length(cast(content as blob))` : sql`octet_length(content)`;
  await sql`
    insert into account_totals (user_id, conversations, stored_bytes)
    select user_id, sum(conversations), sum(stored_bytes) from (
      select user_id, count(*) as conversations, 0 as stored_bytes
      from participants where left_rev is null group by user_id
      union all
      select sender_id, 0, sum(${bytes} + ${sql.lit(MESSAGE_ROW_BYTES)}) from messages group by sender_id
    ) as counted group by user_id`.execute(db);
  await sql`
    insert into reaction_kinds (conversation_id, message_id, emoji, total)
    select conversation_id, message_id, emoji, count(*) from reactions
    group by conversation_id, message_id, emoji`.execute(db);
}

/** By the table that they are on; the same names on both engines. */
const TRIGGERS = {
  participants: ['participants_counted_in', 'participants_counted_again'],
  reactions: ['reactions_counted_in', 'reactions_counted_out'],
};
const FUNCTIONS = ['count_participants_in', 'count_participant_again', 'count_reactions_in', 'count_reactions_out'];

const SQLITE_TRIGGERS = [
  `create trigger participants_counted_in after insert on participants when new.left_rev is null begin
    insert into conversation_totals (conversation_id, participants) values (new.conversation_id, 1)
      on conflict (conversation_id) do update set participants = participants + 1;
    insert into account_totals (user_id, conversations) values (new.user_id, 1)
      on conflict (user_id) do update set conversations = conversations + 1;
  end`,
  // Of this column only: a message moves marks in these rows, and is not to wait for anything here.
  `create trigger participants_counted_again after update of left_rev on participants
  when (new.left_rev is null) <> (old.left_rev is null) begin
    insert into conversation_totals (conversation_id, participants)
      values (new.conversation_id, iif(new.left_rev is null, 1, -1))
      on conflict (conversation_id) do update set participants = participants + excluded.participants;
    insert into account_totals (user_id, conversations) values (new.user_id, iif(new.left_rev is null, 1, -1))
      on conflict (user_id) do update set conversations = conversations + excluded.conversations;
  end`,
  `create trigger reactions_counted_in after insert on reactions begin
    insert into reaction_kinds (conversation_id, message_id, emoji, total)
      values (new.conversation_id, new.message_id, new.emoji, 1)
      on conflict (conversation_id, message_id, emoji) do update set total = total + 1;
  end`,
  `create trigger reactions_counted_out after delete on reactions begin
    update reaction_kinds set total = total - 1
      where conversation_id = old.conversation_id and message_id = old.message_id and emoji = old.emoji;
    delete from reaction_kinds
      where conversation_id = old.conversation_id and message_id = old.message_id and emoji = old.emoji and total <= 0;
  end`,
];

/** Where many rows come in one statement they are counted together, people in id order: no two of these wait for each other. */
const POSTGRES_TRIGGERS = [
  `create function count_participants_in() returns trigger language plpgsql as $count$
  begin
    insert into conversation_totals as t (conversation_id, participants)
    select conversation_id, count(*) from joined where left_rev is null group by 1 order by 1
    on conflict (conversation_id) do update set participants = t.participants + excluded.participants;
    insert into account_totals as t (user_id, conversations)
    select user_id, count(*) from joined where left_rev is null group by 1 order by 1
    on conflict (user_id) do update set conversations = t.conversations + excluded.conversations;
    return null;
  end $count$`,
  `create trigger participants_counted_in after insert on participants
  referencing new table as joined for each statement execute function count_participants_in()`,
  `create function count_participant_again() returns trigger language plpgsql as $count$
  declare change bigint := case when new.left_rev is null then 1 else -1 end;
  begin
    insert into conversation_totals as t (conversation_id, participants) values (new.conversation_id, change)
    on conflict (conversation_id) do update set participants = t.participants + excluded.participants;
    insert into account_totals as t (user_id, conversations) values (new.user_id, change)
    on conflict (user_id) do update set conversations = t.conversations + excluded.conversations;
    return null;
  end $count$`,
  // Of this column only: a message moves marks in these rows, and is not to wait for anything here.
  `create trigger participants_counted_again after update of left_rev on participants
  for each row when ((new.left_rev is null) <> (old.left_rev is null)) execute function count_participant_again()`,
  `create function count_reactions_in() returns trigger language plpgsql as $count$
  begin
    insert into reaction_kinds as k (conversation_id, message_id, emoji, total)
    select conversation_id, message_id, emoji, count(*) from added group by 1, 2, 3 order by 1, 2, 3
    on conflict (conversation_id, message_id, emoji) do update set total = k.total + excluded.total;
    return null;
  end $count$`,
  `create trigger reactions_counted_in after insert on reactions
  referencing new table as added for each statement execute function count_reactions_in()`,
  `create function count_reactions_out() returns trigger language plpgsql as $count$
  begin
    update reaction_kinds k set total = k.total - g.total
    from (select conversation_id, message_id, emoji, count(*) as total from gone group by 1, 2, 3) g
    where k.conversation_id = g.conversation_id and k.message_id = g.message_id and k.emoji = g.emoji;
    delete from reaction_kinds k
    using (select distinct conversation_id, message_id, emoji from gone) g
    where k.conversation_id = g.conversation_id and k.message_id = g.message_id and k.emoji = g.emoji and k.total <= 0;
    return null;
  end $count$`,
  `create trigger reactions_counted_out after delete on reactions
  referencing old table as gone for each statement execute function count_reactions_out()`,
];
