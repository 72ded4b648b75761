import type { Environment } from './node.ts';
import { sharedPostgres } from './postgres.ts';
import { sharedRedis } from './redis.ts';

/** Which settings belong to a data folder in this run. */
const settings = new Map<string, Promise<Environment>>();

/**
 * The settings of the run's engines for a data folder: what is started on the folder again finds its data again. Each
 * folder has a database of its own in the one PostgreSQL of the run, and with `redis` a prefix of its own in its one Redis.
 */
export function engineSettings(dataDir: string, redis: boolean): Promise<Environment> {
  let made = settings.get(dataDir);
  if (!made || dataDir === ':memory:') {
    made = make(redis);
    settings.set(dataDir, made);
  }
  return made;
}

async function make(redis: boolean): Promise<Environment> {
  const [postgres, shared] = await Promise.all([sharedPostgres(), redis ? sharedRedis() : undefined]);
  return { DATABASE_URL: await postgres.createDatabase(), ...shared?.redis.environment(shared.prefix) };
}
