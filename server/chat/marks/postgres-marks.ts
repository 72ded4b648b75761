import { MARKS_AT_ONCE } from '../../../protocol/limits.ts';
import type { PostgresDatabase } from '../../database/postgres/postgres-database.ts';
import { inChunks } from './chunks.ts';
import type { ClaimedMark, MarksDriver, MovedMarks } from './marks-driver.ts';

/**
 * Marks of one transaction: conversations are locked while it lasts, and messages wait for them. All that it moves in one of
 * them share a `marks_rev`.
 */
const CHUNK = MARKS_AT_ONCE;

const LOCK = 'select 1 from conversations where id = any ($1::uuid[]) order by id for no key update';

/** A second statement, whose snapshot is newer than the locks. */
const WRITE = `
with claimed as (
  select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[])
    as claimed (conversation_id, user_id, delivered_seq, read_seq)
),
moved as materialized (
  select p.conversation_id, p.user_id, c.marks_rev + 1 as marks_rev, r.read_seq, d.delivered_seq
  from claimed
  join conversations c on c.id = claimed.conversation_id
  -- Looked up one by one, by the key, whatever the tables were like when this was planned.
  cross join lateral (
    select * from participants p
    where p.conversation_id = claimed.conversation_id and p.user_id = claimed.user_id and p.left_rev is null
    offset 0
  ) p
  cross join lateral (select greatest(p.read_seq, least(claimed.read_seq, c.seq)) as read_seq) r
  cross join lateral (
    select greatest(p.delivered_seq, least(claimed.delivered_seq, c.seq), r.read_seq) as delivered_seq
  ) d
  where r.read_seq <> p.read_seq or d.delivered_seq <> p.delivered_seq
),
marked as (
  update participants p
  set read_seq = m.read_seq, delivered_seq = m.delivered_seq, marks_rev = m.marks_rev
  from moved m
  where p.conversation_id = m.conversation_id and p.user_id = m.user_id
),
advanced as (
  update conversations c set marks_rev = m.marks_rev
  from (select distinct conversation_id, marks_rev from moved) m
  where c.id = m.conversation_id
),
told as (
  insert into outbox (kind, conversation_id, rev, created_at)
  select distinct 'marks', conversation_id, marks_rev, $5::bigint from moved
)
select * from moved order by conversation_id, user_id`;

interface MovedRow {
  conversation_id: string;
  user_id: string;
  marks_rev: number;
  delivered_seq: number;
  read_seq: number;
}

/** Marks in PostgreSQL. */
export class PostgresMarks implements MarksDriver {
  constructor(private readonly database: PostgresDatabase) {}

  async write(claims: ClaimedMark[]): Promise<MovedMarks[]> {
    const moved: MovedMarks[] = [];
    for (const chunk of inChunks(claims, CHUNK)) moved.push(...(await this.writeChunk(chunk)));
    return moved;
  }

  private async writeChunk(claims: ClaimedMark[]): Promise<MovedMarks[]> {
    const conversationIds = claims.map((claim) => claim.conversation_id);
    const rows = await this.database.runInTransaction(async (client) => {
      await client.query(LOCK, [conversationIds]);
      const { rows } = await client.query<MovedRow>(WRITE, [
        conversationIds,
        claims.map((claim) => claim.user_id),
        claims.map((claim) => claim.delivered_seq),
        claims.map((claim) => claim.read_seq),
        Date.now(),
      ]);
      return rows;
    });
    return [...Map.groupBy(rows, (row) => row.conversation_id)].map(([conversation_id, group]) => ({
      conversation_id,
      marks_rev: group[0]!.marks_rev,
      marks: group.map(({ user_id, delivered_seq, read_seq }) => ({ user_id, delivered_seq, read_seq })),
    }));
  }
}
