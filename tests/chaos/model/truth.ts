import { Database } from 'bun:sqlite';
import { join } from 'node:path';

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
  user: string | null;
  text: string | null;
  left_rev: number | null;
  at: number;
}

const MARK = /mk\d+x\d+x\d+x/g;

/** The marked words in a text. */
export function marksIn(text: string): string[] {
  return text.match(MARK) ?? [];
}

const NOW = `cast(unixepoch('subsec') * 1000 as integer)`;
const columns = 'insert into model_log (kind, conversation, rev, user, text, left_rev, at) values';
const SCHEMA = `
  create table model_log (id integer primary key, kind text, conversation blob, rev integer, user blob, text text,
                          left_rev integer, at integer);
  create trigger model_message after insert on messages begin
    ${columns} ('message', new.conversation_id, new.rev, new.sender_id, new.content, null, ${NOW});
  end;
  create trigger model_edit after update of content on messages begin
    ${columns} ('edit', new.conversation_id, new.rev, new.sender_id, new.content, null, ${NOW});
  end;
  create trigger model_created after insert on conversations begin
    ${columns} ('name', new.id, new.rev, null, new.name, null, ${NOW});
  end;
  create trigger model_renamed after update of name on conversations when old.name is not new.name begin
    ${columns} ('name', new.id, new.rev, null, new.name, null, ${NOW});
  end;
  create trigger model_joined after insert on participants begin
    ${columns} ('member', new.conversation_id, new.rev, new.user_id, null, new.left_rev, ${NOW});
  end;
  create trigger model_member after update of left_rev on participants when old.left_rev is not new.left_rev begin
    ${columns} ('member', new.conversation_id, new.rev, new.user_id, null, new.left_rev, ${NOW});
  end;`;

/**
 * What was truly committed, and when: triggers write it down in the transactions themselves, so that a crash between a
 * commit and its answer leaves nothing open.
 */
export class Truth {
  readonly origins = new Map<string, Origin>();
  private readonly memberships = new Map<string, Membership[]>();
  private readonly conversations = new Set<string>();
  private readonly database: Database;
  private lastId = 0;

  /** The server on this folder has made its tables, and nobody uses it yet. */
  constructor(dataDir: string) {
    this.database = new Database(join(dataDir, 'parley.db'));
    this.database.run('pragma busy_timeout = 5000');
    this.database.run(SCHEMA);
  }

  /** Reads what was added. */
  refresh(): void {
    const rows = this.database
      .query<Row, [number]>(
        `select id, kind, lower(hex(conversation)) as conversation, rev, lower(hex(user)) as user, text, left_rev, at
         from model_log where id > ? order by id`,
      )
      .all(this.lastId);
    for (const row of rows) {
      this.lastId = row.id;
      const conversation = uuid(row.conversation);
      if (row.kind === 'member') this.noteMember(conversation, uuid(row.user!), row);
      else this.noteText(conversation, row);
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

  close(): void {
    this.database.close();
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

function uuid(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
