import { Database } from 'bun:sqlite';
import { join } from 'node:path';

/** The floor's writer: one transaction a batch, on stable storage (WAL, `synchronous=FULL`) before anybody is answered. */

export interface Incoming {
  id: string;
  conversation_id: string;
  sender_id: string;
  client_id: string;
  content: string;
  sent_at: number;
}

export type Answer = 'not_found' | { id: string; seq: number; rev: number; sent_at: number; isNew: boolean };

export interface Setup {
  conversations: { id: string; members: string[] }[];
}

interface Head {
  seq: number;
  rev: number;
}

declare const self: Worker;

const database = new Database(join(process.env.DATA_DIR!, 'floor.db'));
database.run('PRAGMA journal_mode = WAL');
database.run('PRAGMA synchronous = FULL');
database.run('PRAGMA wal_autocheckpoint = 4000');
database.run('PRAGMA cache_size = -65536');
database.run(
  `CREATE TABLE conversations (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, rev INTEGER NOT NULL) WITHOUT ROWID`,
);
database.run(`CREATE TABLE participants (conversation_id TEXT, user_id TEXT, read_seq INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, user_id)) WITHOUT ROWID`);
database.run(`CREATE TABLE messages (conversation_id TEXT, seq INTEGER, rev INTEGER NOT NULL, id TEXT NOT NULL,
  sender_id TEXT NOT NULL, client_id TEXT NOT NULL, content TEXT NOT NULL, sent_at INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, seq)) WITHOUT ROWID`);
database.run('CREATE UNIQUE INDEX by_client ON messages (conversation_id, sender_id, client_id)');
database.run('CREATE UNIQUE INDEX by_id ON messages (conversation_id, id)');
database.run('CREATE INDEX by_rev ON messages (conversation_id, rev)');
database.run('CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, conversation_id TEXT, rev INTEGER)');

const addConversation = database.query('INSERT INTO conversations VALUES (?, 0, 0)');
const addParticipant = database.query('INSERT INTO participants VALUES (?, ?, 0)');
const known = database.query<{ id: string; seq: number; rev: number; sent_at: number }, string[]>(
  'SELECT id, seq, rev, sent_at FROM messages WHERE conversation_id = ? AND sender_id = ? AND client_id = ?',
);
const membership = database.query('SELECT 1 FROM participants WHERE conversation_id = ? AND user_id = ?');
const headOf = database.query<Head, string>('SELECT seq, rev FROM conversations WHERE id = ?');
const insert = database.query('INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
const mark = database.query('UPDATE participants SET read_seq = ? WHERE conversation_id = ? AND user_id = ?');
const advance = database.query('UPDATE conversations SET seq = ?, rev = ? WHERE id = ?');
const note = database.query('INSERT INTO outbox (conversation_id, rev) VALUES (?, ?)');

const commit = database.transaction((batch: Incoming[]): Answer[] => {
  const heads = new Map<string, Head>();
  const answers = batch.map((message) => append(message, heads));
  for (const [conversation, { seq, rev }] of heads) {
    advance.run(seq, rev, conversation);
    note.run(conversation, rev);
  }
  return answers;
});

function append(message: Incoming, heads: Map<string, Head>): Answer {
  const { id, conversation_id, sender_id, client_id, content, sent_at } = message;
  const first = known.get(conversation_id, sender_id, client_id);
  if (first) return { ...first, isNew: false };
  if (!membership.get(conversation_id, sender_id)) return 'not_found';
  const head = heads.get(conversation_id) ?? headOf.get(conversation_id)!;
  heads.set(conversation_id, head);
  head.seq++;
  head.rev++;
  insert.run(conversation_id, head.seq, head.rev, id, sender_id, client_id, content, sent_at);
  mark.run(head.seq, conversation_id, sender_id);
  return { id, seq: head.seq, rev: head.rev, sent_at, isNew: true };
}

const setUp = database.transaction(({ conversations }: Setup) => {
  for (const { id, members } of conversations) {
    addConversation.run(id);
    for (const member of members) addParticipant.run(id, member);
  }
});

self.onmessage = ({ data }: MessageEvent<{ batch: Incoming[] } | { setup: Setup }>) => {
  if ('setup' in data) {
    setUp(data.setup);
    self.postMessage({ ready: true });
  } else {
    self.postMessage({ answers: commit.immediate(data.batch) });
  }
};
