import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Subprocess } from 'bun';
import { request, signUpAll } from '../support/people.ts';
import { fixedPort } from '../support/ports.ts';
import { endServers, type TestServer, temporaryFolder } from '../support/server.ts';

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, '../..');
/** All that it is built from. */
const SOURCES = ['server', 'protocol', 'scripts', 'web/dist', 'package.json', 'tsconfig.json', 'node_modules'];
const home = temporaryFolder();
/** With nothing else beside it. */
const executable = join(temporaryFolder(), 'parley');
/** All that it is given: a free port. */
const env = { SERVER_PORT: '0' };

let child: Subprocess<'ignore', 'pipe', 'pipe'>;
let server: TestServer;

beforeAll(async () => {
  // Of sources that are gone before it starts, as they are wherever it is taken.
  const sources = temporaryFolder();
  for (const name of SOURCES) copy(join(ROOT, name), join(sources, name));
  await build(sources, executable);
  rmSync(sources, { recursive: true });
  child = Bun.spawn([executable], { cwd: home, env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  const url = (await listening(child)).replace('localhost', '127.0.0.1');
  server = { url, socketUrl: `${url.replace('http', 'ws')}/ws`, nodes: [] as TestServer['nodes'] } as TestServer;
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await child?.exited;
  await endServers();
});

/** By links where that is possible: packages are large. */
function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  const isCopied = (options: string) => Bun.spawnSync(['cp', options, from, to]).exitCode === 0;
  if (isCopied('-al')) return;
  rmSync(to, { recursive: true, force: true }); // as much as it came to
  if (!isCopied('-a')) throw new Error(`could not copy ${from}`);
}

async function build(folder: string, outfile: string): Promise<void> {
  const made = Bun.spawn([process.execPath, 'scripts/build.ts', outfile], {
    cwd: folder,
    stdout: 'ignore',
    stderr: 'pipe',
  });
  const [code, errors] = await Promise.all([made.exited, new Response(made.stderr).text()]);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
}

async function sha256(path: string): Promise<string> {
  return new Bun.CryptoHasher('sha256').update(await Bun.file(path).arrayBuffer()).digest('hex');
}

/** Resolves with the address, when it listens. */
async function listening({ stdout, stderr }: Subprocess<'ignore', 'pipe', 'pipe'>): Promise<string> {
  let text = '';
  for await (const chunk of stdout) {
    text += new TextDecoder().decode(chunk);
    const url = /"url":"([^"]+)"/.exec(text)?.[1];
    if (url) return url;
  }
  throw new Error(`it ended: ${text}${await new Response(stderr).text()}`);
}

/** Runs it to its end. */
async function run(args: string[], settings = env): Promise<{ code: number; stdout: string }> {
  const process = Bun.spawn([executable, ...args], { cwd: home, env: settings, stdout: 'pipe', stderr: 'ignore' });
  const [code, stdout] = await Promise.all([process.exited, new Response(process.stdout).text()]);
  return { code, stdout };
}

describe('the one file, in an empty folder and an empty environment,', () => {
  test('needs nothing but itself, and makes nothing but its data', () => {
    expect(readdirSync(home)).toEqual(['data']);
    expect(existsSync(join(home, 'data', 'parley.db'))).toBe(true);
  });

  test('is the same to the last byte from whichever folder it is built', async () => {
    const other = join(temporaryFolder(), 'parley');
    await build(ROOT, other);
    expect(await sha256(other)).toBe(await sha256(executable));
  });

  test('serves its pages, and all that they load', async () => {
    for (const path of ['/', '/api/docs', '/metrics']) {
      const response = await fetch(server.url + path, { headers: { Accept: 'text/html' } });
      expect([path, response.status]).toEqual([path, 200]);
      const files = [...(await response.text()).matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, file]) => file);
      expect(files.length).toBeGreaterThan(3);
      for (const file of files) {
        const loaded = await fetch(server.url + file);
        expect([file, loaded.status]).toEqual([file, 200]);
        const source = (await loaded.text()).length;
        expect(source).toBeGreaterThan(0);
      }
    }
    const script = await fetch(`${server.url}/assets/swagger-ui.js`);
    expect(script.headers.get('content-type')).toContain('javascript');
  });

  test('serves its documents, health and metrics', async () => {
    const document = await request(server, 'GET', '/openapi.json');
    expect(document.body.openapi).toStartWith('3.1');
    expect(Object.keys(document.body.paths).length).toBeGreaterThan(10);
    expect((await request(server, 'GET', '/health/ready')).body).toMatchObject({ status: 'ok' });
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain('parley_messages_total');
  });

  test('carries a conversation', async () => {
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    const [hers, his, plain] = await Promise.all([alice.connect(), bob.connect(), bob.connectPlain()]);
    const ack = await hers.say(conversation, 'from one file');
    expect(await his.next('message')).toMatchObject({ id: ack.id, content: 'from one file' });
    expect(await plain.next((frame) => frame.id === ack.id)).toMatchObject({ content: 'from one file' });
    expect(await bob.history(conversation)).toMatchObject([{ id: ack.id, seq: 1 }]);
    const group = await alice.group([bob], 'Of one file');
    expect((await bob.call('GET', `/conversations/${group}`)).body.conversation.name).toBe('Of one file');
  });

  test('says whether it is ready, for the probe of a container', async () => {
    const port = new URL(server.url).port;
    expect(await run(['health'], { SERVER_PORT: port })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"ok"'),
    });
    expect(await run(['health'], { SERVER_PORT: String(fixedPort()) })).toMatchObject({ code: 1, stdout: '' });
  });

  test('does its other commands', async () => {
    expect((await run(['version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const status = await run(['migrate', 'status']);
    expect(status.code).toBe(0);
    expect(status.stdout).toContain('applied');
    expect(status.stdout).not.toContain('pending');
    const made = await run(['admin', 'create-user', '--email', 'root@example.com', '--role', 'admin']);
    expect(made.code).toBe(0);
    const password = /^password: (\S+)$/m.exec(made.stdout)?.[1];
    const login = await request(server, 'POST', '/auth/login', { body: { email: 'root@example.com', password } });
    expect(login.body.user).toMatchObject({ role: 'admin' });
  });

  test('stops when it is told to', async () => {
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
  });
});
