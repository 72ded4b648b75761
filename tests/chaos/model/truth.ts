import type { TestServer } from '../../support/server.ts';
import { openStored, type Stored } from '../../support/stored.ts';

/** A stretch of somebody's membership; an open one lasts. */
export interface Membership {
  joinRev: number;
  /** Just before the commit, in milliseconds since the Unix epoch. */
  joinedAt: number;
  leftRev?: number;
  leftAt?: number;
}

/** Where a marked word came into the log. */
export interface Origin {
  conversation: string;
  rev: number;
  /** How many messages were inserted with it. */
  inserted: number;
  /** Names come again in what tells of them. */
  isName: boolean;
}

interface Row {
  id: number;
  kind: 'message' | 'edit' | 'name' | 'member';
  conversation: string;
  rev: number;
  person: string | null;
  text: string | null;
  left_rev: number | null;
  at: number;
}

const MARK = /mk\d+x\d+x\d+x/g;

/** The marked words in a text. */
export function marksIn(text: string): string[] {
  return text.match(MARK) ?? [];
}

const COLUMNS = 'model_log (kind, conversation, rev, person, text, left_rev, at)';
const NOTES = {
  message: 'new.conversation_id, new.rev, new.sender_id, new.content, null',
  edit: 'new.conversation_id, new.rev, new.sender_id, new.content, null',
  name: 'new.id, new.rev, null, new.name, null',
  member: 'new.conversation_id, new.rev, new.user_id, null, new.left_rev',
};
/** When what is noted: on which table, and for updates where which column changed. */
const TRIGGERS: [name: string, kind: keyof typeof NOTES, table: string, changed?: string][] = [
  ['model_message', 'message', 'messages'],
  ['model_edit', 'edit', 'messages', 'content'],
  ['model_created', 'name', 'conversations'],
  ['model_renamed', 'name', 'conversations', 'name'],
  ['model_joined', 'member', 'participants'],
  ['model_member', 'member', 'participants', 'left_rev'],
];

function sqliteSchema(): string[] {
  const now = `cast(unixepoch('subsec') * 1000 as integer)`;
  const triggers = TRIGGERS.map(([name, kind, table, changed]) => {
    const when = changed
      ? `after update of ${changed} on ${table} when old.${changed} is not new.${changed}`
      : `after insert on ${table}`;
    return `create trigger ${name} ${when} begin insert into ${COLUMNS} values ('${kind}', ${NOTES[kind]}, ${now}); end`;
  });
  const table = `create table model_log (id integer primary key, kind text, conversation blob, rev integer, person blob,
                   text text, left_rev integer, at integer)`;
  return [table, ...triggers];
}

function postgresSchema(): string[] {
  const now = '(extract(epoch from clock_timestamp()) * 1000)::bigint';
  const triggers = TRIGGERS.flatMap(([name, kind, table, changed]) => {
    const when = changed
      ? `after update of ${changed} on ${table} for each row when (old.${changed} is distinct from new.${changed})`
      : `after insert on ${table} for each row`;
    return [
      `create function ${name}() returns trigger language plpgsql as $$ begin
         insert into ${COLUMNS} values ('${kind}', ${NOTES[kind]}, ${now});
         return null;
       end $$`,
      `create trigger ${name} ${when} execute function ${name}()`,
    ];
  });
  const table = `create table model_log (id bigint generated always as identity primary key, kind text, conversation uuid,
                   rev bigint, person uuid, text text, left_rev bigint, at bigint)`;
  return [table, ...triggers];
}

/**
 * What was truly committed, and when: triggers write it down in the transactions themselves, so that a crash between a
 * commit and its answer leaves nothing open.
 */
export class Truth {
  readonly origins = new Map<string, Origin>();
  private readonly memberships = new Map<string, Membership[]>();
  private readonly conversations = new Set<string>();
  private lastId = 0;

  private constructor(private readonly stored: Stored) {}

  /** The server has made its tables, and nobody uses it yet. */
  static async open(server: TestServer): Promise<Truth> {
    const stored = await openStored(server);
    for (const statement of server.databaseUrl ? postgresSchema() : sqliteSchema()) await stored.run(statement);
    return new Truth(stored);
  }

  /** Reads what was added. */
  async refresh(): Promise<void> {
    const rows = await this.stored.run<Row>('select * from model_log where id > ? order by id', this.lastId);
    for (const row of rows) {
      this.lastId = row.id;
      if (row.kind === 'member') this.noteMember(row.conversation, row.person!, row);
      else this.noteText(row.conversation, row);
    }
  }

  /** The conversations that there ever were. */
  isConversation(id: string): boolean {
    return this.conversations.has(id);
  }

  membershipsOf(conversation: string, user: string): Membership[] {
    return this.memberships.get(conversation + user) ?? [];
  }

  /** Where somebody was and is no more. */
  endedOf(user: string): { conversation: string; joinedAt: number; leftRev: number; leftAt: number }[] {
    return [...this.memberships].flatMap(([key, stretches]) => {
      const { joinedAt, leftRev, leftAt } = stretches.at(-1)!;
      if (!key.endsWith(user) || leftRev === undefined || leftAt === undefined) return [];
      return [{ conversation: key.slice(0, -user.length), joinedAt, leftRev, leftAt }];
    });
  }

  close(): Promise<void> {
    return this.stored.close();
  }

  private noteText(conversation: string, { text, rev, kind }: Row): void {
    this.conversations.add(conversation);
    for (const mark of marksIn(text ?? '')) {
      const known = this.origins.get(mark) ?? { conversation, rev, inserted: 0, isName: false };
      if (kind === 'message') known.inserted++;
      if (kind === 'name') known.isName = true;
      this.origins.set(mark, known);
    }
  }

  private noteMember(conversation: string, user: string, { rev, left_rev, at }: Row): void {
    const key = conversation + user;
    const stretches = this.memberships.get(key) ?? [];
    this.memberships.set(key, stretches);
    if (left_rev === null) stretches.push({ joinRev: rev, joinedAt: at });
    else Object.assign(stretches.at(-1)!, { leftRev: left_rev, leftAt: at });
  }
}
