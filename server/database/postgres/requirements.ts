import type { PostgresPoolClient } from 'kysely';

/** The oldest version of PostgreSQL that Parley runs on: 14.0, as `server_version_num` says it. */
const OLDEST_VERSION = 140_000;

/** The server is not what Parley can keep its promises on; `message` says how to mend it. */
export class RequirementError extends Error {}

interface ServerFacts {
  version: number;
  fsync: string;
  synchronous_commit: string;
  encoding: string;
  standby: boolean;
}

/**
 * Fails where the server cannot keep the promise that an acknowledgement is: what it says is committed has to be on
 * stable storage.
 */
export async function checkRequirements(client: Pick<PostgresPoolClient, 'query'>): Promise<void> {
  const { rows } = await client.query<ServerFacts>(
    `select current_setting('server_version_num')::int as version, current_setting('fsync') as fsync,
            current_setting('synchronous_commit') as synchronous_commit, current_setting('server_encoding') as encoding,
            pg_is_in_recovery() as standby`,
    [],
  );
  const { version, fsync, synchronous_commit, encoding, standby } = rows[0]!;
  if (version < OLDEST_VERSION) {
    throw new RequirementError(`PostgreSQL 14 or newer is needed; this is ${Math.floor(version / 10_000)}`);
  }
  if (standby) throw new RequirementError('PostgreSQL is a standby: DATABASE_URL must name the primary');
  if (encoding !== 'UTF8') throw new RequirementError(`the database must be encoded in UTF8; it is in ${encoding}`);
  if (fsync === 'off') {
    throw new RequirementError('PostgreSQL has fsync off, and would lose messages: set fsync = on in postgresql.conf');
  }
  if (synchronous_commit === 'off') {
    throw new RequirementError(
      'PostgreSQL has synchronous_commit off, and would lose messages: set it to on, in postgresql.conf or for the role',
    );
  }
}
