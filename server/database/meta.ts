import type { Executor } from './database.ts';

/** A single value of the installation; undefined where it was never set. */
export async function readMeta(executor: Executor, key: string): Promise<string | undefined> {
  const row = await executor.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst();
  return row?.value;
}

/** Sets a single value of the installation. */
export async function setMeta(tx: Executor, key: string, value: string): Promise<void> {
  await tx
    .insertInto('meta')
    .values({ key, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute();
}

/** Takes a single value of the installation away. */
export async function dropMeta(tx: Executor, key: string): Promise<void> {
  await tx.deleteFrom('meta').where('key', '=', key).execute();
}
