import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import { SUBPROTOCOL } from '../../protocol/limits.ts';
import { copyInstallation } from '../../server/database/copy.ts';
import { PostgresDatabase } from '../../server/database/postgres/postgres-database.ts';
import type { TestPostgres } from '../../tests/support/postgres.ts';
import type { TestRedis } from '../../tests/support/redis.ts';
import { BenchFailure } from '../failure.ts';
import { seed } from '../seed.ts';
import type { World } from '../world.ts';
import type { Target } from './target.ts';

/** A secret for one run on this machine; whoever knows it may sign in as anybody there. */
const JWT_SECRET = crypto.randomUUID() + crypto.randomUUID();
const KEY = new TextEncoder().encode(JWT_SECRET);

/** Builds the program as `make build` does, into a folder that is there; returns its path. */
export function buildProgram(dir: string): string {
  const program = join(dir, 'parley');
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, 'scripts/build.ts', program], { cwd: root });
  if (exitCode !== 0) throw new BenchFailure(`the program could not be built:\n${stderr}`);
  return program;
}

/** The executable, with the rate limits off. */
export const parley = (program: string): Target => ({
  name: 'parley',
  label: 'Parley',
  dialect: 'parley',
  prepare: seed,
  command: (dir) => ({
    command: [program, 'serve'],
    env: {
      SERVER_HOST: '127.0.0.1',
      SERVER_PORT: '0',
      DATA_DIR: dir,
      JWT_SECRET,
      RATE_LIMITS: 'off',
      LOG_FORMAT: 'json',
      LOG_LEVEL: 'info',
    },
  }),
  async introduce() {},
  async connection(world, user) {
    const headers = { ...(await bearer(world, user)), 'Sec-WebSocket-Protocol': SUBPROTOCOL };
    return { path: '/ws', headers };
  },
});

/** Where whoever is not the attacker comes from: limits of an address are not theirs to share. */
const ELSEWHERE = '192.0.2.1';

/** The same as it comes: with its limits, behind a proxy that says where its users come from. */
export function limited(target: Target): Target {
  return {
    ...target,
    async connection(world, user) {
      const { headers, ...connection } = await target.connection(world, user);
      return { ...connection, headers: { ...headers, 'X-Forwarded-For': ELSEWHERE } };
    },
    command(dir) {
      const made = target.command(dir);
      return { ...made, env: { ...made.env, RATE_LIMITS: 'on', TRUST_PROXY: 'loopback' } };
    },
  };
}

/** The same on a PostgreSQL: the world is laid down in a folder, and moved from there as an operator does. */
export function parleyOn(program: string, postgres: TestPostgres, nodes = 1, redis?: TestRedis): Target {
  const urls = new Map<string, string>();
  const embedded = parley(program);
  return {
    ...embedded,
    label: redis
      ? `Parley on PostgreSQL and Redis, ${nodes} ${nodes === 1 ? 'node' : 'nodes'}`
      : 'Parley on PostgreSQL',
    async prepare(world, dir) {
      await embedded.prepare(world, dir);
      const url = await postgres.createDatabase();
      const database = await PostgresDatabase.open({ url, poolSize: 4 });
      await copyInstallation(dir, database, () => {});
      await database.close();
      await postgres.query('vacuum analyze', url);
      urls.set(dir, url);
    },
    command(dir) {
      const { command, env } = embedded.command(dir);
      const settings = { ...env, ...redis?.environment(), DATABASE_URL: urls.get(dir)! };
      return { command, env: settings, beside_pid: postgres.pid, nodes, redis_pid: redis?.pid };
    },
  };
}

/** Asks for answers as they are: over the loopback device compression saves nothing, and no peer does it. */
export const UNCOMPRESSED = { 'Accept-Encoding': 'identity' };

/** The header that signs a user of the world in. */
export async function bearer(world: World, user: number): Promise<Record<string, string>> {
  return { Authorization: `Bearer ${await accessToken(world, user)}` };
}

/** The access token of a user of the world. The session's row is seeded; only its token is made here. */
export async function accessToken(world: World, user: number): Promise<string> {
  const { id, session_id } = world.users[user]!;
  return await new SignJWT({ sid: session_id, typ: 'access' })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('parley')
    .setSubject(id)
    .setIssuedAt()
    .setExpirationTime('2h')
    .sign(KEY);
}
