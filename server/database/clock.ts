import { type RawBuilder, sql } from 'kysely';
import type { Database } from './database.ts';

/**
 * The database's time, so many milliseconds from now: nodes that share it need not agree on the hour. In PostgreSQL it is
 * the time of the statement, which an index can be searched by.
 */
export function databaseClock(engine: Database['engine'], plusMs = 0): RawBuilder<number> {
  if (engine === 'sqlite') return sql<number>`${Date.now() + plusMs}`;
  return sql<number>`(cast(extract(epoch from statement_timestamp()) * 1000 as bigint) + cast(${plusMs} as bigint))`;
}
