import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { enrol } from '../support/authenticator.ts';
import { eventually } from '../support/eventually.ts';
import { type Person, signUp } from '../support/people.ts';
import { endServers, startServer, type TestServer, temporaryFolder } from '../support/server.ts';

/** The terminal client as a person uses it: a process that reads lines and prints what comes. */

const MAIN = join(import.meta.dir, '../../terminal/main.ts');

let server: TestServer;
let bob: Person;

beforeAll(async () => {
  server = await startServer();
  bob = await signUp(server, 'bob');
});
afterAll(endServers);

class Screen {
  text = '';
  private readonly child;

  constructor(args: string[], home = temporaryFolder()) {
    this.child = Bun.spawn([process.execPath, MAIN, '--url', server.url, ...args], {
      env: { PATH: process.env.PATH ?? '', HOME: home },
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'inherit',
    });
    void this.read();
  }

  type(line: string): void {
    this.child.stdin.write(`${line}\n`);
    void this.child.stdin.flush();
  }

  async shows(text: string): Promise<void> {
    try {
      await eventually(`"${text}" on the screen`, async () => this.text.includes(text));
    } catch (error) {
      throw new Error(`${error}\n${this.text}`);
    }
  }

  async ends(): Promise<number> {
    await this.child.stdin.end();
    return this.child.exited;
  }

  private async read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.child.stdout) this.text += decoder.decode(chunk, { stream: true });
  }
}

test('somebody signs up, finds another, and they talk', async () => {
  const home = temporaryFolder();
  const screen = new Screen(['--user', 'tina', '--password', 'correct horse'], home);
  screen.type('tina@example.com');
  await screen.shows('Hello, tina');
  screen.type(`@${bob.user.username}`);
  await screen.shows(`--- ${bob.user.display_name}`);
  screen.type('Hello from a terminal');
  await screen.shows('tina: Hello from a terminal');

  const { body } = await bob.call('GET', '/conversations');
  const { id } = body.conversations[0].conversation;
  expect(body.conversations[0].last_message.content).toBe('Hello from a terminal');
  await bob.send(id, 'Hello \x1b[31mTina');
  await screen.shows('Hello [31mTina');
  screen.type('/nothing');
  await screen.shows('/group <name> @a @b');
  screen.type('/who');
  await screen.shows(`@${bob.user.username}`);
  screen.type('x'.repeat(4001));
  await screen.shows('! not sent');
  screen.type('/quit');
  expect(await screen.ends()).toBe(0);

  const again = new Screen(['--user', 'tina'], home);
  await again.shows('Hello, tina');
  again.type('/list');
  await again.shows('1  bob');
  again.type('/open 1');
  await again.shows('tina: Hello from a terminal');
  again.type('/logout');
  await again.shows('signed out');
  expect(await again.ends()).toBe(0);
}, 60_000);

test('a wrong password is told', async () => {
  const screen = new Screen(['--user', bob.user.username, '--password', 'a wrong one', '--forget']);
  screen.type('');
  await screen.shows('the password is wrong');
  expect(await screen.ends()).toBe(1);
}, 60_000);

test('an account with a second factor is asked for it, by the app or a recovery code, and gives up without', async () => {
  const person = await signUp(server, 'twofold');
  const { app, codes } = await enrol(person);
  const args = ['--user', person.user.username, '--password', person.password, '--forget'];
  const screen = new Screen(args);
  await screen.shows('This account has a second factor');
  screen.type(app.wrong());
  await screen.shows('not the right code');
  expect(screen.text).not.toContain('Hello,');
  screen.type(await app.next());
  await screen.shows(`Hello, ${person.user.display_name}`);
  expect(await screen.ends()).toBe(0);

  const lost = new Screen(args);
  await lost.shows('This account has a second factor');
  lost.type(codes[0]!.toLowerCase());
  await lost.shows(`Hello, ${person.user.display_name}`);
  expect(await lost.ends()).toBe(0);

  const none = new Screen(args);
  await none.shows('This account has a second factor');
  none.type('');
  await none.shows('Show your second factor too');
  expect(await none.ends()).toBe(1);
}, 120_000);

test('it says how it is used', async () => {
  const screen = new Screen(['--help']);
  await screen.shows('--password <secret>');
  expect(await screen.ends()).toBe(0);
});
