import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry, Message } from '../../protocol/resources.ts';
import { enrol } from '../support/authenticator.ts';
import { eventually } from '../support/eventually.ts';
import { Person, request } from '../support/people.ts';
import { endServers, startServer, type TestServer, temporaryFolder } from '../support/server.ts';

/** The package as it would be published, in a project that has nothing of this repository. */

const ROOT = join(import.meta.dir, '../..');
const SIZE_LIMIT = 22_000;

let project: string;
let server: TestServer;
let people: Record<'alice' | 'bob' | 'carol', Person>;
let recoveryCodes: string[];

async function run(command: string[], cwd: string, env: Record<string, string> = {}): Promise<string> {
  const { PATH = '', HOME = '' } = process.env;
  const child = Bun.spawn(command, { cwd, env: { PATH, HOME, ...env }, stdout: 'pipe', stderr: 'pipe' });
  const [code, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}\n${stdout}${stderr}`);
  return stdout;
}

const write = (name: string, content: unknown) =>
  Bun.write(join(project, name), typeof content === 'string' ? content : JSON.stringify(content));
const bin = (name: string) => join(ROOT, 'node_modules/.bin', name);

beforeAll(async () => {
  project = temporaryFolder();
  await run([process.execPath, join(ROOT, 'sdk/build.ts')], ROOT);
  const tarball = await run(['npm', 'pack', '--silent', '--pack-destination', project], join(ROOT, 'sdk'));
  await write('package.json', { name: 'empty', private: true, type: 'module' });
  await run(['npm', 'install', '--offline', '--no-audit', '--no-fund', `./${tarball.trim()}`], project);
  server = await startServer();
  people = { alice: await account('alice'), bob: await account('bob'), carol: await account('carol') };
  recoveryCodes = (await enrol(people.carol)).codes;
  await people.alice.send(await people.alice.direct(people.bob), 'the first');
}, 60_000);
afterAll(endServers);

async function account(username: string): Promise<Person> {
  const password = 'correct horse';
  const body = { email: `${username}@example.com`, username, password };
  const answer = await request(server, 'POST', '/auth/register', { body });
  return new Person(server, answer.body.user, answer.body.tokens, password);
}

test('it holds what it needs and nothing else', async () => {
  const { name, version, license, dependencies } = await Bun.file(
    join(project, 'node_modules/@parley/sdk/package.json'),
  ).json();
  expect({ name, version, license, dependencies }).toEqual({
    name: '@parley/sdk',
    version: '0.1.0',
    license: 'MIT',
    dependencies: undefined,
  });
  const folder = join(project, 'node_modules/@parley/sdk');
  expect(readdirSync(folder).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json']);
  expect(readdirSync(join(project, 'node_modules'))).not.toContain('zod');
  const bundle = await Bun.file(join(folder, 'dist/index.js')).text();
  expect(bundle).not.toMatch(/zod|node:|process\./i);
});

test(`it is at most ${SIZE_LIMIT / 1000} KB gzipped`, async () => {
  const size = Bun.gzipSync(await Bun.file(join(project, 'node_modules/@parley/sdk/dist/index.js')).bytes()).length;
  process.stderr.write(`the SDK is ${(size / 1000).toFixed(1)} KB gzipped\n`);
  expect(size).toBeLessThanOrEqual(SIZE_LIMIT);
});

describe('in an empty project', () => {
  const USE = `
    import { createClient, type ConversationView, type Entry, type FrameOf, type MessageView, ParleyError } from '@parley/sdk';
    import { FileStorage } from '@parley/sdk/file';
    const client = createClient({ storage: new FileStorage('x') });
    export const list: readonly ConversationView[] = client.store.conversations.get();
    export const messages: readonly MessageView[] = client.store.messages('id').get();
    export const ready: FrameOf<'ready'>['heartbeat_ms'] = 1;
    export const entry: Promise<Entry> = client.api.conversation('id');
    client.on('message', ({ content, seq }) => content.length + seq);
    client.on('state', (state) => state === 'online');
    // @ts-expect-error there is no such event
    client.on('nothing', () => {});
    // @ts-expect-error a message has no such field
    client.on('message', ({ nothing }) => nothing);
    export const action = new ParleyError('stale').action === 'resync';
  `;

  test.each(['bundler', 'nodenext'])(
    'its types are whole, by the resolution of %s',
    async (moduleResolution) => {
      await write('use.ts', USE);
      await write('tsconfig.json', {
        compilerOptions: {
          strict: true,
          noEmit: true,
          target: 'es2022',
          module: moduleResolution === 'bundler' ? 'esnext' : 'nodenext',
          moduleResolution,
          lib: ['es2022', 'dom', 'dom.iterable'],
          types: [],
          skipLibCheck: false,
        },
        files: ['use.ts'],
      });
      await run([bin('tsc'), '-p', '.'], project);
    },
    30_000,
  );

  test('Vite builds a page with it, without anything of Node', async () => {
    await write('index.html', '<!doctype html><script type="module" src="/main.js"></script>');
    await write('main.js', `import { createClient } from '@parley/sdk'; window.client = createClient();`);
    await write('vite.config.js', 'export default { logLevel: "warn", build: { target: "es2022" } };');
    await run([process.execPath, bin('vite'), 'build'], project);
    const [script] = readdirSync(join(project, 'dist/assets'));
    const bundle = await Bun.file(join(project, 'dist/assets', script!)).text();
    expect(bundle).toContain('parley.v1');
    expect(Bun.gzipSync(bundle).length).toBeLessThanOrEqual(SIZE_LIMIT + 1000);
  }, 60_000);

  test('it talks on Node, with a WebSocket handed in where there is none', async () => {
    symlinkSync(join(ROOT, 'node_modules/ws'), join(project, 'node_modules/ws'));
    await write(
      'talk.mjs',
      `import { createClient } from '@parley/sdk';
       import { FileStorage } from '@parley/sdk/file';
       const WebSocket = globalThis.WebSocket ?? (await import('ws')).WebSocket;
       const storage = new FileStorage('talk.journal');
       const client = createClient({ baseUrl: process.env.PARLEY_URL, WebSocket, storage });
       await client.login({ username: 'alice', password: 'correct horse' });
       await client.connect();
       const { id } = client.store.conversations.get()[0];
       await client.send(id, 'from Node').acked;
       await client.disconnect();`,
    );
    // It also ends by itself: no timer and no socket is left.
    await run(['node', 'talk.mjs'], project, { PARLEY_URL: server.url });
    const { body } = await people.bob.call('GET', '/conversations');
    expect(body.conversations[0].last_message.content).toBe('from Node');
  }, 60_000);
});

describe('the examples of its README', async () => {
  const readme = await Bun.file(join(ROOT, 'sdk/README.md')).text();
  const examples = [...readme.matchAll(/## (.+)\n+```ts\n([^`]*(?:`[^`]+`[^`]*)*?)```/g)].map(
    ([, title, code]) => [title!, code!] as const,
  );
  const env = () => ({ PARLEY_URL: server.url, PARLEY_HOME: project, PARLEY_CODE: recoveryCodes[0]! });

  async function say(content: string): Promise<Message> {
    const { alice, bob } = people;
    return await alice.send(await alice.direct(bob), content);
  }

  /** Resolves when Bob's client has come so far. */
  function delivered({ conversation_id, seq }: Message): Promise<unknown> {
    return eventually('it is delivered', async () => {
      const { body } = await people.alice.call<Entry>('GET', `/conversations/${conversation_id}`);
      return body.participants.some(({ id, delivered_seq }) => id === people.bob.id && delivered_seq >= seq);
    });
  }

  test('are all found', () => expect(examples.length).toBe(6));

  test.each(examples)(
    '%s',
    async (title, code) => {
      expect(code.trim().split('\n').length).toBeLessThanOrEqual(16);
      await write('example.ts', code);
      const before = title === 'Follow what happens' ? await say('before the bot') : undefined;
      const running = run([process.execPath, 'example.ts'], project, env());
      if (before) {
        // No news to the bot, which by then hears what comes.
        await delivered(before);
        await say('echo me');
      }
      const output = await running;
      const { body } = await people.bob.call('GET', '/conversations');
      const { content } = body.conversations[0].last_message;
      const wanted: Record<string, () => unknown> = {
        'Connect and send': () => expect(content).toBe('Hello, Bob'),
        'Show conversations and messages': async () => {
          expect(output).toContain('Hello, Bob');
          const unread = async () =>
            (await people.bob.call('GET', '/conversations')).body.conversations[0].unread_count;
          await eventually('all is read', async () => (await unread()) === 0);
        },
        'Follow what happens': () => expect(content).toBe('You said: echo me'),
        'Keep the account one’s own': async () => {
          expect(output.trim().split('\n').sort()).toEqual(['kept Bun', 'signed out Bun']);
          expect(await people.carol.refusal()).toBe('session_revoked');
        },
        'Keep things in a file': () => expect(output).toBe('alice is in 1 conversations\n'),
        'Know what to do about an error': () => expect(output).toBe('invalid_credentials fix\n'),
      };
      await wanted[title]!();
    },
    30_000,
  );

  test('have the right types', async () => {
    await Promise.all(examples.map(([, code], index) => write(`example-${index}.ts`, code)));
    symlinkSync(join(ROOT, 'node_modules/@types'), join(project, 'node_modules/@types'));
    symlinkSync(join(ROOT, 'node_modules/bun-types'), join(project, 'node_modules/bun-types'));
    await write('tsconfig.json', {
      compilerOptions: {
        strict: true,
        noEmit: true,
        noUncheckedIndexedAccess: true,
        target: 'esnext',
        module: 'esnext',
        moduleResolution: 'bundler',
        types: ['node'],
        skipLibCheck: true,
      },
      files: examples.map((_, index) => `example-${index}.ts`),
    });
    await run([bin('tsc'), '-p', '.'], project);
  }, 60_000);
});
