import { type CompiledQuery, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from './database.ts';

/**
 * How far the outbox was read. On SQLite, where writes take turns, that is an id. In PostgreSQL a lower id may be committed
 * after a higher one, and so it is a snapshot (`xmin:xmax:running`): what a transaction wrote is new for as long as it
 * is not visible in it, be it committed seconds later.
 */
export type OutboxMoment = string;

/** Asks for this moment; to be read together with the rows that are new, so that none lies between. */
export function outboxMoment({ engine, read }: Database): CompiledQuery<{ moment: OutboxMoment }> {
  const moment =
    engine === 'sqlite'
      ? sql<{ moment: OutboxMoment }>`select cast(coalesce(max(id), 0) as text) as moment from outbox`
      : sql<{ moment: OutboxMoment }>`select cast(pg_current_snapshot() as text) as moment`;
  return moment.compile(read);
}

/** Whether a row of the outbox was committed after a moment. */
export function writtenAfter(engine: Database['engine'], moment: OutboxMoment): RawBuilder<SqlBool> {
  if (engine === 'sqlite') return sql`id > ${Number(moment)}`;
  const seen = sql`cast(${moment} as pg_snapshot)`;
  return sql`txid >= pg_snapshot_xmin(${seen}) and not pg_visible_in_snapshot(txid, ${seen})`;
}
