/**
 * The log's batch in PostgreSQL, as LogDriver promises: one call, one transaction. The function lives in the session that
 * calls it (`pg_temp`), so that nodes of two versions on one database each call their own.
 *
 * It has to be two statements and VOLATILE: under READ COMMITTED each takes its own snapshot, and the second one's has to
 * be newer than the locks. In one statement, whoever was removed while the batch waited for its lock would be let in.
 * Membership changes take the same locks. Keys come before membership, and numbers after both, so that no `seq` is left out.
 */
export const CREATE_APPEND = `
create or replace function pg_temp.append_batch(
  ids uuid[], conversation_ids uuid[], sender_ids uuid[], client_ids text[], types text[], contents text[],
  sent_ats bigint[], reply_to_ids uuid[], now bigint
)
returns table (
  is_new boolean, id uuid, seq bigint, rev bigint, sent_at bigint, first_place bigint, is_participant boolean,
  quoted_sender_id uuid, quoted_content text
)
language plpgsql volatile as $append$
#variable_conflict use_column
begin
  -- In id order, as everybody does: no two batches wait for each other.
  perform 1 from conversations c where c.id = any (conversation_ids) order by c.id for no key update;

  return query
  with batch as materialized (
    select *
    from unnest(ids, conversation_ids, sender_ids, client_ids, types, contents, sent_ats, reply_to_ids)
      with ordinality as b (id, conversation_id, sender_id, client_id, type, content, sent_at, reply_to_id, place)
  ),
  looked_up as (
    select b.*, c.seq as head_seq, c.rev as head_rev,
      k.id as known_id, k.seq as known_seq, k.created_rev as known_rev, k.sent_at as known_sent_at,
      p.user_id is not null as is_participant,
      q.sender_id as quoted_sender_id, q.content as quoted_content,
      k.id is null and p.user_id is not null and (b.reply_to_id is null or q.id is not null) as is_acceptable
    from batch b
    left join conversations c on c.id = b.conversation_id
    left join messages k
      on k.conversation_id = b.conversation_id and k.sender_id = b.sender_id and k.client_id = b.client_id
    left join participants p
      on p.conversation_id = b.conversation_id and p.user_id = b.sender_id and p.left_rev is null
    left join messages q on q.conversation_id = b.conversation_id and q.id = b.reply_to_id
  ),
  -- Of those with one key the first that can be stored is; the others after it get its answer.
  judged as (
    select *,
      min(place) filter (where is_acceptable) over (partition by conversation_id, sender_id, client_id) as first_place
    from looked_up
  ),
  counted as (
    select *, place = first_place as is_new,
      count(*) filter (where place = first_place) over (partition by conversation_id order by place) as nth
    from judged
  ),
  numbered as materialized (
    select *, head_seq + nth as new_seq, head_rev + nth as new_rev from counted
  ),
  stored as (
    insert into messages (conversation_id, seq, rev, created_rev, id, sender_id, client_id, type, content, sent_at,
      reply_to_id)
    select conversation_id, new_seq, new_rev, new_rev, id, sender_id, client_id, type, content, sent_at, reply_to_id
    from numbered where is_new order by place
  ),
  advanced as (
    update conversations c set seq = a.seq, rev = a.rev, updated_at = now
    from (
      select conversation_id, max(new_seq) as seq, max(new_rev) as rev from numbered where is_new group by 1
    ) a
    where c.id = a.conversation_id
  ),
  marked as (
    update participants p set read_seq = a.seq, delivered_seq = a.seq
    from (
      select conversation_id, sender_id, max(new_seq) as seq from numbered where is_new group by 1, 2
    ) a
    where p.conversation_id = a.conversation_id and p.user_id = a.sender_id
  ),
  told as (
    insert into outbox (kind, conversation_id, rev, created_at)
    select 'conversation', conversation_id, max(new_rev), now
    from numbered where is_new group by conversation_id order by min(place)
  )
  select coalesce(n.is_new, false), n.known_id, coalesce(n.known_seq, n.new_seq), coalesce(n.known_rev, n.new_rev),
    n.known_sent_at, n.first_place, n.is_participant, n.quoted_sender_id, n.quoted_content
  from numbered n order by n.place;
end
$append$`;

/**
 * How the session that calls it plans: always along the indexes, and once. A plan made while the tables were empty would
 * read them whole when they have grown.
 */
export const PLAN_APPEND = `
set plan_cache_mode = force_generic_plan;
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
set jit = off`;

export const CALL_APPEND = 'select * from pg_temp.append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9)';

/** One row for each of the batch, in its order. */
export interface AppendResult {
  is_new: boolean;
  /** Of the message that has the key from before. */
  id: string | null;
  seq: number;
  rev: number;
  sent_at: number | null;
  /** The place in the batch, from 1, of the row that got the key. */
  first_place: number | null;
  is_participant: boolean;
  quoted_sender_id: string | null;
  quoted_content: string | null;
}
