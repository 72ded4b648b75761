import { Database } from 'bun:sqlite';
import pg from 'pg';
import { type Ack, type Conversation, contentOf, type Load } from './load.ts';

/** Holds what is stored against what a load was promised. */

/** A message as a source shows it. */
export interface StoredMessage {
  seq: number;
  rev: number;
  id: string;
  sender_id: string;
  client_id: string;
  /** `system` for what nobody wrote. */
  type: string;
  content: string;
}

export interface StoredConversation {
  seq: number;
  rev: number;
  /** The marks of those in it. */
  marks: { user_id: string; read_seq: number; delivered_seq: number }[];
  /** In the order of `seq`. */
  messages: StoredMessage[];
}

/** Something that shows what is stored: the database itself, or the program's own answers. */
export interface Source {
  name: string;
  read(conversation: Conversation): Promise<StoredConversation>;
}

export interface Findings {
  messages: number;
  /** Acknowledged or heard, and not there as it was. */
  lost: number;
  /** Stored more than once. */
  doubled: number;
  /** Holes in `seq`, numbers used twice, heads and marks that are not where the messages are. */
  disordered: number;
  /** The first of them, in words. */
  examples: string[];
}

/** Reads all of a load's conversations in full. */
export async function audit(load: Load, source: Source): Promise<Findings> {
  const findings: Findings = { messages: 0, lost: 0, doubled: 0, disordered: 0, examples: [] };
  const keys = new Set<string>();
  const acksOf = Map.groupBy(load.acks, (ack) => ack.conversation_id);
  for (const conversation of load.options.conversations) {
    const found = (kind: 'lost' | 'doubled' | 'disordered', text: string) => {
      findings[kind]++;
      if (findings.examples.length < 20) findings.examples.push(`${source.name}, ${conversation.id}: ${text}`);
    };
    const stored = await source.read(conversation);
    findings.messages += stored.messages.length;
    checkNumbers(stored, (text) => found('disordered', text));
    for (const { client_id, content, seq, type } of stored.messages) {
      if (type === 'system') continue;
      if (keys.has(client_id)) found('doubled', `${client_id} again at ${seq}`);
      keys.add(client_id);
      if (content !== contentOf(client_id)) found('lost', `${seq} says "${content}"`);
    }
    for (const ack of acksOf.get(conversation.id) ?? []) {
      if (!isKept(ack, stored.messages[ack.seq - 1]))
        found('lost', `no longer as it was acked: ${JSON.stringify(ack)}`);
    }
    for (const [seq, id] of (load.heard.get(conversation.id) ?? []).entries()) {
      if (id !== undefined && stored.messages[seq - 1]?.id !== id) found('lost', `${id} was heard at ${seq}`);
    }
  }
  return findings;
}

function isKept(ack: Ack, message: StoredMessage | undefined): boolean {
  const fields = ['id', 'seq', 'rev', 'client_id', 'sender_id'] as const;
  return message !== undefined && fields.every((field) => message[field] === ack[field]);
}

function checkNumbers({ seq, rev, marks, messages }: StoredConversation, wrong: (text: string) => void): void {
  let lastRev = 0;
  for (const [index, message] of messages.entries()) {
    if (message.seq !== index + 1) wrong(`seq ${message.seq} at place ${index + 1}`);
    if (message.rev <= lastRev) wrong(`rev ${message.rev} after ${lastRev}`);
    lastRev = message.rev;
  }
  if (seq !== messages.length) wrong(`the conversation says seq ${seq}, its messages ${messages.length}`);
  if (rev !== lastRev) wrong(`the conversation says rev ${rev}, its messages ${lastRev}`);
  const own = new Map(messages.map((message) => [message.sender_id, message.seq]));
  for (const { user_id, read_seq, delivered_seq } of marks) {
    if (read_seq > seq || delivered_seq > seq) wrong(`a mark of ${user_id} is beyond the end`);
    if (read_seq < (own.get(user_id) ?? 0)) wrong(`${user_id} has not read what they wrote`);
  }
}

/** The file of an embedded installation, read beside the running server or after it. */
export class DatabaseFile implements Source {
  readonly name = 'the file';
  private readonly database: Database;
  /** Acks of the load that `check` has seen. */
  private checked = 0;

  constructor(dataDir: string) {
    this.database = new Database(`${dataDir}/parley.db`, { readonly: true });
    this.database.run('PRAGMA busy_timeout = 5000');
  }

  async read({ id }: Conversation): Promise<StoredConversation> {
    return this.database.transaction(() => this.readNow(toBytes(id)))();
  }

  /**
   * A look between two rounds, cheap however much is stored: what was acknowledged since the last look is there, and each
   * conversation has as many messages as its `seq` says. Returns what is wrong.
   */
  check(load: Load): string[] {
    const wrong: string[] = [];
    const find = this.database.query<StoredMessage, [Uint8Array, number]>(
      `select ${COLUMNS} from messages where conversation_id = ? and seq = ?`,
    );
    const acks = load.acks.slice(this.checked);
    this.checked = load.acks.length;
    for (const ack of acks) {
      const row = find.get(toBytes(ack.conversation_id), ack.seq);
      if (!isKept(ack, row ? fromBytes(row) : undefined)) wrong.push(`lost: ${JSON.stringify(ack)}`);
    }
    const uneven = this.database.query<{ seq: number; count: number; last: number }, []>(
      `select c.seq, count(m.seq) as count, max(m.seq) as last from conversations c join messages m on m.conversation_id = c.id
       group by c.id having c.seq <> count(m.seq) or c.seq <> max(m.seq) or c.rev <> max(m.rev)`,
    );
    for (const row of uneven.all()) wrong.push(`uneven: ${JSON.stringify(row)}`);
    return wrong;
  }

  /** SQLite's own check of the whole file; `ok` where nothing is wrong. */
  integrity(): string {
    return this.database.query<{ integrity_check: string }, []>('pragma integrity_check').get()!.integrity_check;
  }

  close(): void {
    this.database.close();
  }

  private readNow(key: Uint8Array): StoredConversation {
    const head = this.database
      .query<{ seq: number; rev: number }, [Uint8Array]>('select seq, rev from conversations where id = ?')
      .get(key)!;
    const messages = this.database
      .query<StoredMessage, [Uint8Array]>(`select ${COLUMNS} from messages where conversation_id = ? order by seq`)
      .all(key);
    const marks = this.database
      .query<StoredConversation['marks'][number], [Uint8Array]>(
        'select user_id, read_seq, delivered_seq from participants where conversation_id = ? and left_rev is null',
      )
      .all(key);
    return { ...head, messages: messages.map(fromBytes), marks: marks.map(fromBytes) };
  }
}

/** The tables of an installation on PostgreSQL, each read as of one moment. */
export class DatabaseTables implements Source {
  readonly name = 'PostgreSQL';

  constructor(private readonly url: string) {}

  async read({ id }: Conversation): Promise<StoredConversation> {
    const client = new pg.Client({ connectionString: this.url, types: NUMBERS });
    await client.connect();
    try {
      await client.query('begin isolation level repeatable read read only');
      const heads = await client.query('select seq, rev from conversations where id = $1', [id]);
      const messages = await client.query<StoredMessage>(
        `select ${COLUMNS} from messages where conversation_id = $1 order by seq`,
        [id],
      );
      const marks = await client.query<StoredConversation['marks'][number]>(
        'select user_id, read_seq, delivered_seq from participants where conversation_id = $1 and left_rev is null',
        [id],
      );
      return { ...heads.rows[0], messages: messages.rows, marks: marks.rows };
    } finally {
      await client.end();
    }
  }
}

/** 64 bits are numbers here. */
const NUMBERS: pg.CustomTypesConfig = {
  getTypeParser: (oid: number) => (oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, 'text')),
};

/** The program's own answers to one who is in the conversation. */
export const rest: Source = {
  name: 'REST',
  async read({ id, members }) {
    const [reader] = members;
    const entry = await reader!.call('GET', `/conversations/${id}`);
    const pages: StoredMessage[][] = [];
    let cursor = '';
    do {
      const { body } = await reader!.call('GET', `/conversations/${id}/messages?limit=100${cursor}`);
      pages.push(body.messages);
      cursor = body.has_more ? `&cursor=${body.next_cursor}` : '';
    } while (cursor !== '');
    const { conversation, participants } = entry.body;
    const marks = participants.map((one: any) => ({ ...one, user_id: one.id }));
    return { seq: conversation.seq, rev: conversation.rev, marks, messages: pages.reverse().flat() };
  },
};

const COLUMNS = 'seq, rev, id, sender_id, client_id, type, content';

function toBytes(id: string): Uint8Array {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** The file keeps UUIDs as 16 bytes. */
function fromBytes<Row extends object>(row: Row): Row {
  const entries = Object.entries(row).map(([name, value]) => [name, value instanceof Uint8Array ? toId(value) : value]);
  return Object.fromEntries(entries);
}

function toId(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
