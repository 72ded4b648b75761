import { afterAll, describe, expect, test } from 'bun:test';
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { loadConfig } from '../../server/config/config.ts';
import { findNginx, proxyCommand } from '../support/proxy.ts';
import { endServers, temporaryFolder } from '../support/server.ts';
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
  ports?: string[];
  volumes?: string[];
  networks: string[] | Record<string, { ipv4_address: string }>;
}

const secrets = {
  COMPOSE_POSTGRES_PASSWORD: 'a-password',
  COMPOSE_REDIS_PASSWORD: 'another-password',
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

describe('the Dockerfile', () => {
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
