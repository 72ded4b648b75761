import type { Database } from './database.ts';

/** The name of this history: it changes when the log may have gone back, as after a restored backup (contract §5.4). */
export async function readEpoch(database: Database): Promise<string> {
  const row = await database.read
    .selectFrom('meta')
    .select('value')
    .where('key', '=', 'epoch')
    .executeTakeFirstOrThrow();
  return row.value;
}
