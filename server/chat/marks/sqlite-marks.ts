import type { Database } from 'bun:sqlite';
import type { SqliteDatabase } from '../../database/sqlite/sqlite-database.ts';
import { uuidToBytes } from '../../database/sqlite/values.ts';
import { inChunks } from './chunks.ts';
import type { ClaimedMark, MarksDriver, MovedMarks } from './marks-driver.ts';

/** The name under which the writer thread knows `createWriteMarks`. */
export const MARKS_PROCEDURE = 'marks';

/** Marks of one transaction: messages wait for the writer meanwhile. */
const CHUNK = 100;

/** Marks in SQLite. */
export class SqliteMarks implements MarksDriver {
  constructor(private readonly database: SqliteDatabase) {}

  async write(claims: ClaimedMark[]): Promise<MovedMarks[]> {
    const moved: MovedMarks[] = [];
    for (const chunk of inChunks(claims, CHUNK)) {
      moved.push(...(await this.database.callWriter<MovedMarks[]>(MARKS_PROCEDURE, () => JSON.stringify(chunk))));
    }
    return moved;
  }
}

/** Runs in the writer thread: writes a batch of marks, as MarksDriver promises. */
export function createWriteMarks(database: Database): (batch: string) => MovedMarks[] {
  const findHead = database.prepare<{ seq: number; marks_rev: number }, [Uint8Array]>(
    'select seq, marks_rev from conversations where id = ?',
  );
  const findMarks = database.prepare<{ delivered_seq: number; read_seq: number }, [Uint8Array, Uint8Array]>(
    `select delivered_seq, read_seq from participants
     where conversation_id = ? and user_id = ? and left_rev is null`,
  );
  const moveMarks = database.prepare(
    `update participants set delivered_seq = ?, read_seq = ?, marks_rev = ?
     where conversation_id = ? and user_id = ?`,
  );
  const moveHead = database.prepare('update conversations set marks_rev = ? where id = ?');

  // A batch that is not heard of is told from there: receipts are the last word on a message.
  const tell = database.prepare(
    `insert into outbox (kind, conversation_id, rev, created_at) values ('marks', ?, ?, ?)`,
  );

  const writeConversation = (conversation_id: string, claims: ClaimedMark[]): MovedMarks | undefined => {
    const key = uuidToBytes(conversation_id);
    const head = findHead.get(key);
    if (!head) return undefined;
    const marks_rev = head.marks_rev + 1;
    const marks = claims.flatMap(({ user_id, ...claim }) => {
      const userKey = uuidToBytes(user_id);
      const before = findMarks.get(key, userKey);
      if (!before) return [];
      const read_seq = Math.max(before.read_seq, Math.min(claim.read_seq, head.seq));
      const delivered_seq = Math.max(before.delivered_seq, Math.min(claim.delivered_seq, head.seq), read_seq);
      if (read_seq === before.read_seq && delivered_seq === before.delivered_seq) return [];
      moveMarks.run(delivered_seq, read_seq, marks_rev, key, userKey);
      return [{ user_id, delivered_seq, read_seq }];
    });
    if (marks.length === 0) return undefined;
    moveHead.run(marks_rev, key);
    tell.run(key, marks_rev, Date.now());
    return { conversation_id, marks_rev, marks };
  };

  const transaction = database.transaction((claims: ClaimedMark[]) =>
    [...Map.groupBy(claims, (claim) => claim.conversation_id)].flatMap(([id, group]) => {
      const moved = writeConversation(id, group);
      return moved ? [moved] : [];
    }),
  );
  return (batch) => transaction.immediate(JSON.parse(batch));
}
