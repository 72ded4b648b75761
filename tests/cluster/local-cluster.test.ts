import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Subprocess } from 'bun';
import { signUpAll } from '../support/people.ts';
import { canTestPostgres } from '../support/postgres.ts';
import { findNginx } from '../support/proxy.ts';
import { canTestRedis } from '../support/redis.ts';
import { endServers, type TestServer, temporaryFolder } from '../support/server.ts';
import { canTest } from '../support/untested.ts';

setDefaultTimeout(60_000);

const SCRIPT = join(import.meta.dir, '../../scripts/cluster.ts');

const able = [
  canTestPostgres('make cluster'),
  canTestRedis('make cluster'),
  canTest('make cluster', findNginx() ? undefined : 'nginx is not installed (Debian: apt-get install nginx)'),
].every(Boolean);

describe.skipIf(!able)('make cluster', () => {
  let script: Subprocess<'ignore', 'pipe', 'pipe'>;
  let printed = '';
  /** All that it writes lies here. */
  const folder = temporaryFolder();
  let server: TestServer;

  beforeAll(async () => {
    // PostgreSQL runs as a user of its own where this one is root, and has to get through.
    chmodSync(folder, 0o711);
    const env = { ...process.env, TMPDIR: folder };
    script = Bun.spawn([process.execPath, SCRIPT], { env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
    const ready = Promise.withResolvers<void>();
    void read(script.stdout, ready.resolve);
    void script.exited.then(async () => ready.reject(new Error(await new Response(script.stderr).text())));
    await ready.promise;
    const url = /http:\/\/localhost:\d+/.exec(printed)?.[0] ?? '';
    server = { url, socketUrl: `${url.replace('http', 'ws')}/ws`, nodes: [] as TestServer['nodes'] } as TestServer;
  });
  afterAll(async () => {
    script?.kill('SIGTERM');
    await script?.exited;
    await endServers();
  });

  async function read(stream: ReadableStream<Uint8Array>, onReady: () => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      printed += decoder.decode(chunk, { stream: true });
      if (printed.includes('Ctrl-C')) onReady();
    }
  }

  const nodes = () =>
    [...printed.matchAll(/node \d+ +(http:\S+) +process (\d+)/g)].map(([, url, pid]) => ({ url, pid: Number(pid) }));

  test('prints the addresses of a proxy, three nodes, PostgreSQL and Redis', () => {
    expect(server.url).toMatch(/^http:\/\/localhost:\d+$/);
    expect(nodes()).toHaveLength(3);
    expect(printed).toMatch(/PostgreSQL +postgres:\/\//);
    expect(printed).toMatch(/Redis +127\.0\.0\.1:\d+/);
  });

  test('carries a conversation through the proxy, over REST and sockets, and goes on when a node is killed', async () => {
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice!.direct(bob!);
    const talk = async (content: string) => {
      const [hers, his] = await Promise.all([alice!.connect(), bob!.connect()]);
      await hers.say(conversation, content);
      expect(await his.next('message')).toMatchObject({ content });
      await Promise.all([hers.close(), his.close()]);
    };
    for (let round = 1; round <= 3; round++) await talk(`round ${round}`);
    process.kill(nodes()[0]!.pid, 'SIGKILL');
    // The proxy finds the dead one out by asking it, and then asks the next.
    for (let round = 4; round <= 6; round++) await talk(`round ${round}`);
    expect(await bob!.history(conversation)).toHaveLength(6);
  });

  test('ends everything that it started, and removes its data', async () => {
    script.kill('SIGINT');
    expect(await script.exited).toBe(0);
    for (const { url } of nodes()) await expect(fetch(`${url}/api/v1/health`)).rejects.toThrow();
    await expect(fetch(server.url)).rejects.toThrow();
    expect(readdirSync(folder)).toEqual([]);
  });
});
