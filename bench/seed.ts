import { Database } from 'bun:sqlite';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SchemaMigrator } from '../server/database/migrator.ts';
import type {
  ConversationsTable,
  MessagesTable,
  ParticipantsTable,
  SessionsTable,
  UsersTable,
} from '../server/database/schema.ts';
import { SqliteDatabase } from '../server/database/sqlite/sqlite-database.ts';
import { idBytes, idText, mix, WORLD_BEGINS_AT } from './ids.ts';
import { type BenchConversation, pairsWorld, type World } from './world.ts';

/**
 * Writes a world straight into a Parley database of SQLite: the schema by its own migrations, the rows in bulk, in the
 * order of their keys. Ten million messages take some minutes and about five gigabytes.
 *
 *     bun bench/seed.ts --dir /tmp/large --messages 10000000
 */
export async function seed(world: World, dir: string): Promise<void> {
  await migrate(dir);
  const database = new Database(join(dir, 'parley.db'));
  try {
    // Nothing here needs to survive a crash; the last checkpoint puts all of it on the disk.
    database.run('PRAGMA synchronous = OFF');
    database.run('PRAGMA cache_size = -262144');
    database.transaction(() => writeUsers(database, world))();
    database.transaction(() => writeConversations(database, world))();
    writeMessages(database, world);
    database.run('PRAGMA synchronous = FULL');
    database.run('PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    database.close();
  }
}

async function migrate(dir: string): Promise<void> {
  const entry = new URL('../server/database/sqlite/reader-thread.ts', import.meta.url);
  const fail = (error: Error) => {
    throw error;
  };
  const database = await SqliteDatabase.open({
    dir,
    readers: 0,
    writerEntry: entry,
    readerEntry: entry,
    onDeath: fail,
  });
  await new SchemaMigrator(database).up();
  await database.close();
}

/** A statement that inserts a row of `columns`, which the schema's type must have. */
function inserter<Row>(database: Database, table: string, columns: (keyof Row & string)[]) {
  const marks = columns.map(() => '?').join(', ');
  return database.query(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${marks})`);
}

const A_YEAR_MS = 365 * 86_400_000;

function writeUsers(database: Database, { users }: World): void {
  const user = inserter<UsersTable>(database, 'users', [
    'id',
    'email',
    'username',
    'username_key',
    'display_name',
    'display_name_key',
    'role',
    'is_active',
    'created_at',
  ]);
  const session = inserter<SessionsTable>(database, 'sessions', [
    'id',
    'user_id',
    'created_at',
    'expires_at',
    'generation',
    'rotated_at',
  ]);
  const now = Date.now();
  for (const [index, { username }] of users.entries()) {
    const userId = idBytes('user', index);
    const email = `${username}@example.com`;
    user.run(userId, email, username, username, username, username, 'user', 1, WORLD_BEGINS_AT);
    session.run(idBytes('session', index), userId, now, now + A_YEAR_MS, 1, now);
  }
}

function writeConversations(database: Database, { conversations }: World): void {
  const conversation = inserter<ConversationsTable>(database, 'conversations', [
    'id',
    'type',
    'name',
    'created_by',
    'low_user_id',
    'high_user_id',
    'created_at',
    'updated_at',
    'seq',
    'rev',
    'meta_rev',
  ]);
  const participant = inserter<ParticipantsTable>(database, 'participants', [
    'conversation_id',
    'user_id',
    'role',
    'joined_at',
    'rev',
    'read_seq',
    'delivered_seq',
  ]);
  for (const [index, { type, members, seq }] of conversations.entries()) {
    const isGroup = type === 'group';
    const [low, high] = isGroup ? [null, null] : members.map((member) => idBytes('user', member));
    const conversationId = idBytes('conversation', index);
    const creator = idBytes('user', members[0]!);
    const name = isGroup ? `Group ${index}` : null;
    const rev = firstRev(type) + seq;
    const times = [WORLD_BEGINS_AT, WORLD_BEGINS_AT + seq];
    conversation.run(conversationId, type, name, creator, low!, high!, ...times, seq, rev, 1);
    for (const [seat, member] of members.entries()) {
      const role = isGroup && seat === 0 ? 'admin' : 'member';
      participant.run(conversationId, idBytes('user', member), role, WORLD_BEGINS_AT, 1, seq, seq);
    }
  }
}

/** The `rev` before the first message: a direct conversation's opening takes one, a group's is its first message. */
const firstRev = (type: 'direct' | 'group') => (type === 'direct' ? 1 : 0);

const MESSAGES_A_TRANSACTION = 200_000;

function writeMessages(database: Database, { conversations }: World): void {
  const insert = inserter<MessagesTable>(database, 'messages', [
    'conversation_id',
    'seq',
    'rev',
    'created_rev',
    'id',
    'sender_id',
    'client_id',
    'type',
    'content',
    'system',
    'sent_at',
  ]);
  let written = 0;
  database.run('BEGIN');
  for (const [index, conversation] of conversations.entries()) {
    for (let seq = 1; seq <= conversation.seq; seq++) {
      insert.run(...messageRow(conversation, index, seq, written));
      if (++written % MESSAGES_A_TRANSACTION === 0) {
        database.run('COMMIT');
        database.run('PRAGMA wal_checkpoint(TRUNCATE)');
        database.run('BEGIN');
      }
    }
  }
  database.run('COMMIT');
}

function messageRow({ type, members }: BenchConversation, conversation: number, seq: number, index: number) {
  const conversationId = idBytes('conversation', conversation);
  const at = WORLD_BEGINS_AT + index;
  const id = idBytes('message', index, at);
  const client = idBytes('client', index, at);
  const rev = firstRev(type) + seq;
  if (type === 'group' && seq === 1) {
    const creator = idBytes('user', members[0]!);
    const system = JSON.stringify({ kind: 'group_created', by: idText(creator) });
    return [conversationId, seq, rev, rev, id, creator, client, 'system', 'The group was created', system, at] as const;
  }
  const sender = idBytes('user', members[mix(seq) % members.length]!);
  const content = TEXT.slice(0, 40 + (mix(index) % 240));
  return [conversationId, seq, rev, rev, id, sender, client, 'text', content, null, at] as const;
}

/** About as long as messages are: 40 to 280 characters, 160 on average. */
const TEXT = 'Words of a message that somebody wrote to somebody else, about nothing in particular. '.repeat(4);

if (import.meta.main) {
  const { values } = parseArgs({
    options: { dir: { type: 'string' }, messages: { type: 'string', default: '10000' }, pairs: { type: 'string' } },
  });
  const messages = Number(values.messages);
  await seed(pairsWorld(Number(values.pairs ?? Math.max(100, Math.ceil(messages / 1000))), messages), values.dir!);
}
