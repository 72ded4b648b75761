import { afterAll, describe, expect, test } from 'bun:test';
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import pg from 'pg';
import { parse } from 'yaml';
import { loadConfig } from '../../server/config/config.ts';
import { eventually } from '../support/eventually.ts';
import { signUp } from '../support/people.ts';
import { fixedPort } from '../support/ports.ts';
import { canTestPostgres, TestPostgres } from '../support/postgres.ts';
import { findNginx, proxyCommand } from '../support/proxy.ts';
import { canTestRedis } from '../support/redis.ts';
import { endServers, runParley, startServer, temporaryFolder } from '../support/server.ts';
import { canTest } from '../support/untested.ts';

/** What can be said of compose.yaml and the Dockerfile where no Docker engine runs. */

const ROOT = join(import.meta.dir, '../..');
const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Service {
  image: string;
  build?: string;
  read_only?: boolean;
  depends_on?: Record<string, { condition: string }>;
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  command?: string[];
  ports?: string[];
  volumes?: string[];
  networks: string[] | Record<string, { ipv4_address: string }>;
}

const secrets = {
  COMPOSE_POSTGRES_PASSWORD: 'a-password',
  COMPOSE_REDIS_PASSWORD: 'anotherpassword',
  COMPOSE_JWT_SECRET: 'a secret of thirty-two characters or more',
};

/** Puts values where the file names variables, as Compose does: `${NAME}`, `${NAME:-default}`, `${NAME:?complaint}`. */
function substitute(yaml: string, values: Record<string, string>): string {
  return yaml.replace(/(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, mark?: string, rest = '') => {
    const value = values[name] || (mark === '-' ? rest : undefined);
    if (value === undefined) throw new Error(`${name}: ${rest}`);
    return value;
  });
}

const compose = (values: Record<string, string>) =>
  parse(substitute(text('compose.yaml').replaceAll(/^\s*#.*$/gm, ''), values), { merge: true }) as {
    services: Record<string, Service>;
    volumes: object;
  };

/** As the last lines of .dockerignore say. */
const isLeftOut = (path: string) => ['node_modules', 'dist'].includes(basename(path));

const addressOf = ({ networks }: Service) => (Array.isArray(networks) ? '' : networks.parley!.ipv4_address);

afterAll(endServers);

describe('compose.yaml', () => {
  const { services, volumes } = compose(secrets);
  const nodes = Object.entries(services).filter(([, { image }]) => image === 'parley:local');
  const proxy = services.proxy!;

  test('runs PostgreSQL, Redis, a proxy and two nodes, of which only the proxy is reached from outside', () => {
    expect(Object.keys(services).sort()).toEqual(['parley-1', 'parley-2', 'postgres', 'proxy', 'redis']);
    expect(nodes).toHaveLength(2);
    expect(Object.keys(services).filter((name) => services[name]!.ports)).toEqual(['proxy']);
    expect(proxy.ports).toEqual(['127.0.0.1:8080:8080']);
  });

  test('gives each node settings that Parley takes', () => {
    for (const [, { environment }] of nodes) {
      const config = loadConfig(environment);
      expect(config.env).toBe('prod');
      expect(config.auth.jwt_secret).toBe(secrets.COMPOSE_JWT_SECRET);
      expect(config.data.url).toBe('postgres://parley:a-password@postgres:5432/parley');
      expect(config.redis).toMatchObject({ addr: 'redis:6379', username: 'parley', password: 'anotherpassword' });
      expect(config.server.host).toBe('0.0.0.0');
      expect(config.server.trust_proxy).toEqual([addressOf(proxy)]);
    }
  });

  test('starts nobody before what it needs is healthy', () => {
    for (const [name, { depends_on = {} }] of Object.entries(services)) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        expect([name, other, condition]).toEqual([name, other, 'service_healthy']);
        // A node has its check from the image.
        expect(services[other]!.healthcheck ?? services[other]!.build).toBeDefined();
      }
    }
    expect(Object.keys(nodes[0]![1].depends_on!).sort()).toEqual(['postgres', 'redis']);
    expect(Object.keys(proxy.depends_on!).sort()).toEqual(nodes.map(([name]) => name).sort());
  });

  test('sends the proxy to the nodes, and keeps what PostgreSQL and Redis hold', () => {
    for (const [, node] of nodes) expect(proxy.environment!.PROXY_NODES).toContain(`${addressOf(node)}:8080`);
    const kept = Object.values(services).flatMap(({ volumes = [] }) => volumes.map((one) => one.split(':')[0]));
    expect(kept).toEqual(expect.arrayContaining(Object.keys(volumes)));
  });

  test('does not start without secrets, and names all of them in .env.example', () => {
    for (const name of Object.keys(secrets)) expect(() => compose({ ...secrets, [name]: '' })).toThrow(name);
    const documented = [...text('.env.example').matchAll(/^(\w+)=/gm)].map(([, name]) => name);
    const used = [...text('compose.yaml').matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    expect(documented.sort()).toEqual([...new Set(used)].sort());
  });
});

describe.skipIf(!canTestRedis('the Redis of compose.yaml'))('the Redis of compose.yaml', () => {
  const { redis } = compose(secrets).services;
  const REDIS_PASSWORD = redis!.environment!.REDIS_PASSWORD!;

  test('starts as it is started there, is found healthy, and lets nobody in but the one user', async () => {
    const port = String(fixedPort());
    const [shell, flag, line] = redis!.command!.map((word) => word.replaceAll('$$', '$'));
    // The same command, beside others on this machine.
    const own = `redis-server - --port ${port} --bind 127.0.0.1 --dir ${temporaryFolder()} --save '' --appendonly no`;
    const command = line!
      .replace('/etc/redis.conf.template', 'configs/redis.conf.template')
      .replace('redis-server -', own);
    const server = Bun.spawn([shell!, flag!, command], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, REDIS_PASSWORD },
      stdout: 'ignore',
      // A group of its own: the shell is not all that has to end.
      detached: true,
    });
    try {
      const cli = (...args: string[]) => {
        const { stdout } = Bun.spawnSync(['redis-cli', '-p', port, ...args], {
          env: { PATH: process.env.PATH, REDISCLI_AUTH: REDIS_PASSWORD },
          stderr: 'ignore',
        });
        return stdout.toString().trim();
      };
      const [kind, check] = redis!.healthcheck!.test;
      expect(kind).toBe('CMD-SHELL');
      const asked = check!.replaceAll('$$', '$').replace('redis-cli', `redis-cli -p ${port}`);
      const env = { PATH: process.env.PATH, REDIS_PASSWORD };
      await eventually('healthy', async () => Bun.spawnSync(['sh', '-c', asked], { env }).exitCode === 0);
      const wrong = { ...env, REDIS_PASSWORD: 'wrong' };
      expect(Bun.spawnSync(['sh', '-c', asked], { env: wrong, stderr: 'ignore' }).exitCode).not.toBe(0);
      expect(cli('--user', 'parley', 'set', 'parley:key', '1')).toBe('OK');
      expect(cli('--user', 'parley', 'get', 'key')).toContain('NOPERM');
      expect(cli('--user', 'parley', 'config', 'get', '*')).toContain('NOPERM');
      expect(cli('get', 'parley:key')).toContain('NOAUTH');
    } finally {
      process.kill(-server.pid);
      await server.exited;
    }
  });
});

describe.skipIf(!canTestPostgres('the PostgreSQL of compose.yaml'))('the PostgreSQL of compose.yaml', () => {
  const { postgres: service } = compose(secrets).services;

  test('has a role for Parley that is no superuser, on which Parley runs, and no way in for the superuser', async () => {
    expect(service!.volumes).toContain('./configs/postgres-init.sql:/docker-entrypoint-initdb.d/parley.sql:ro');
    expect(service!.environment!.POSTGRES_USER).toBe('postgres');
    const postgres = await TestPostgres.start({ bare: true });
    try {
      // As the image runs what it finds in that folder.
      const psql = [
        'psql',
        '-v',
        'ON_ERROR_STOP=1',
        '--no-psqlrc',
        '-f',
        'configs/postgres-init.sql',
        postgres.superuserUrl,
      ];
      const { exitCode, stderr } = Bun.spawnSync(psql, {
        cwd: ROOT,
        env: { PATH: process.env.PATH, PARLEY_PASSWORD: service!.environment!.PARLEY_PASSWORD },
      });
      expect([exitCode, stderr.toString()]).toEqual([0, '']);
      await expect(postgres.query('select 1')).rejects.toThrow(/password authentication failed/);

      const url = new URL(postgres.url('parley'));
      url.password = service!.environment!.PARLEY_PASSWORD!;
      const server = await startServer({ DATABASE_URL: url.href });
      await signUp(server);
      const role = await query(url.href, 'select * from pg_roles where rolname = current_user');
      const { rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls } = role[0]!;
      expect([rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls]).toEqual(Array(5).fill(false));
      await expect(query(url.href, "copy (select 1) to program 'true'")).rejects.toThrow(/must be superuser/);
      await expect(query(url.href, "select pg_read_file('/etc/passwd')")).rejects.toThrow(/permission denied/);
      await server.stop();
    } finally {
      await postgres.stop();
    }
  });
});

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('the Dockerfile', () => {
  test('makes an image that is for others: prod, which says in one line that it needs a secret', async () => {
    const words = [...text('Dockerfile').matchAll(/^ENV (.*)$/gm)].flatMap(([, line]) => line!.split(' '));
    const env = Object.fromEntries(words.map((word) => word.split('=') as [string, string]));
    expect(env).toMatchObject({ ENV: 'prod', DATA_DIR: '/data', SERVER_PORT: '8080' });
    const { code, stdout, stderr } = await runParley(['serve'], {
      ...env,
      SERVER_HOST: 'auto',
      SERVER_PORT: '0',
      DATA_DIR: temporaryFolder(),
    });
    expect([code === 0, stdout]).toEqual([false, '']);
    expect(stderr).toMatch(/^parley: JWT_SECRET must be given in prod: make one with "openssl rand -base64 48".*\n$/);
    // What its head says to type starts it.
    expect(text('Dockerfile')).toContain('-e JWT_SECRET=');
  });

  test('makes an image of one file and an empty folder, in which nobody is root', () => {
    const last = text('Dockerfile')
      .split(/^FROM /m)
      .at(-1)!;
    expect(last.match(/^COPY .*/gm)!.map((line) => line.split(' ').at(-1))).toEqual(['/usr/local/bin/parley', '/data']);
    expect(last).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(last).not.toMatch(/^RUN/m);
    expect(last).toContain('CMD ["/usr/local/bin/parley", "health"]');
  });

  test('is sent nothing but what the build reads: no data, no secrets, no history', () => {
    const sent = text('.dockerignore')
      .match(/^!.*/gm)!
      .map((line) => line.slice(1));
    expect(text('.dockerignore')).toMatch(/^\*$/m);
    expect(sent).toEqual(expect.arrayContaining(['Makefile', 'package-lock.json', 'server', 'web']));
    for (const secret of ['.env', '.git', 'data']) expect(sent).not.toContain(secret);
  });
});

describe('what is sent to the build', () => {
  test('is enough to make the executable of', () => {
    const context = temporaryFolder();
    for (const line of text('.dockerignore').match(/^!.*/gm)!) {
      const name = line.slice(1);
      cpSync(join(ROOT, name), join(context, name), { recursive: true, filter: (path) => !isLeftOut(path) });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(context, 'node_modules'));
    const executable = join(context, 'parley');
    const build = Bun.spawnSync([process.execPath, 'scripts/build.ts', executable], { cwd: context });
    expect([build.exitCode, build.stderr.toString()]).toEqual([0, '']);
    expect(Bun.spawnSync([executable, 'version'], { cwd: context }).stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
  }, 60_000);
});

const nginx = findNginx();
if (canTest('the configuration of the proxy', nginx ? undefined : 'nginx is not installed (Debian: nginx)')) {
  test('nginx takes the configuration of the proxy, and warns of nothing', () => {
    const options = { folder: temporaryFolder(), listen: '127.0.0.1:8080', nodes: ['127.0.0.1:1', '127.0.0.1:2'] };
    const { exitCode, stderr } = Bun.spawnSync([...proxyCommand(nginx!, options), '-t']);
    expect(stderr.toString()).toContain('test is successful');
    expect(stderr.toString()).not.toContain('[warn]');
    expect(exitCode).toBe(0);
  });
}
