/**
 * PostgreSQL, Redis, three nodes and a proxy, from the machine's own packages, on free ports: the topology of compose.yaml
 * without containers. Ends with Ctrl-C, and everything with it. The data is in a folder that goes with it too.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLUSTER_NODES } from '../tests/support/cluster.ts';
import { PARLEY, TestNode } from '../tests/support/node.ts';
import { fixedPort } from '../tests/support/ports.ts';
import { findPostgres, TestPostgres } from '../tests/support/postgres.ts';
import { findNginx, TestProxy } from '../tests/support/proxy.ts';
import { findRedis, TestRedis } from '../tests/support/redis.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);

const packages = [
  { name: 'postgresql', found: findPostgres() },
  { name: 'redis-server', found: findRedis() },
  { name: 'nginx', found: findNginx() },
];
const missing = packages.filter(({ found }) => found === undefined).map(({ name }) => name);
if (missing.length > 0) {
  process.stderr.write(`Not installed: ${missing.join(', ')}. On Debian: apt-get install ${missing.join(' ')}\n`);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'parley-cluster-'));
const nodes: TestNode[] = [];
// Also what keeps this process there: none of what it started does.
setInterval(() => nodes.forEach(showWarnings), 1000);
const parts: { stop(): Promise<unknown> }[] = [];
let stopping: Promise<void> | undefined;

/** In the opposite order of the start. What has ended already is no reason to leave the rest. */
async function stop(): Promise<void> {
  for (const part of parts.reverse()) {
    await part.stop().catch((error) => process.stderr.write(`${(error as Error).message}\n`));
  }
  rmSync(folder, { recursive: true, force: true });
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopping ??= stop().then(() => process.exit(0));
  });
}

async function start(): Promise<void> {
  const [postgres, redis] = await Promise.all([TestPostgres.start(), TestRedis.start()]);
  parts.push(postgres, redis);
  const port = Number(process.env.CLUSTER_PORT ?? fixedPort());
  const url = `http://localhost:${port}`;
  const settings = {
    DATABASE_URL: await postgres.createDatabase(),
    ...redis.environment(),
    JWT_SECRET: Bun.randomUUIDv7(),
    TRUST_PROXY: 'loopback',
    PUBLIC_URL: url,
    RATE_LIMITS: 'on',
  };
  for (let count = 0; count < CLUSTER_NODES; count++) {
    nodes.push(new TestNode(folder, { ...settings, SERVER_PORT: String(fixedPort()) }, PARLEY));
  }
  parts.push(...nodes);
  await Promise.all(nodes.map((node) => node.start()));
  const hosts = nodes.map((node) => new URL(node.url).host);
  parts.push(await TestProxy.start({ folder: join(folder, 'proxy'), listen: String(port), nodes: hosts }));
  say(describe(url, settings.DATABASE_URL, redis.addr));
}

const WARNING = 40;

/** Shows what a node warned of, and keeps nothing of what it logged. */
function showWarnings(node: TestNode): void {
  const warnings = node.lines.splice(0).filter(({ level }) => Number(level) >= WARNING);
  for (const { msg, err } of warnings) say(`${node.url}  ${msg}${err ? `: ${(err as Error).message}` : ''}`);
  if (node.errors !== '') say(node.errors);
  node.errors = '';
}

function describe(url: string, database: string, redis: string): string {
  const each = nodes.map((node, index) => `    node ${index + 1}      ${node.url}   process ${node.pid}`).join('\n');
  return `
  Parley runs on ${nodes.length} nodes: ${url}

${each}
    PostgreSQL  ${database}
    Redis       ${redis}

  Try: open ${url} in two windows, sign up in each, and talk; then end a node with "kill -9 ${nodes[0]!.pid}" and talk on.
       curl -s ${url}/api/v1/health/ready      which node answers changes from call to call
       make chat ARGS="--url ${url}"           the terminal client

  Ctrl-C ends all of it, and removes its data.
`;
}

try {
  await start();
} catch (error) {
  process.stderr.write(`The cluster did not start: ${(error as Error).message}\n`);
  stopping ??= stop();
  await stopping;
  process.exit(1);
}
