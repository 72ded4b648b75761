import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { Person } from '../support/people.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { stored } from '../support/stored-in-page.ts';
import { canTest } from '../support/untested.ts';

/** The web client as a person meets it: the built files, served by the program, in the machine's own Chromium. */

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const BUILT = join(import.meta.dir, '../../web/dist/index.html');

const missing = !existsSync(BUILT)
  ? 'the web client is not built'
  : CHROMIUM === undefined
    ? 'there is no Chromium on this machine: install the package "chromium"'
    : undefined;

/** Whether this machine can run what is here; says so loudly where it cannot. */
export const canBrowse = canTest('the web client in a browser', missing);

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const PASSWORD = 'correct horse battery';
let visitors = 0;

/** A server and a browser for one file of tests. */
export class Stage {
  private constructor(
    readonly server: TestServer,
    readonly browser: Browser,
  ) {}

  static async open(env: Record<string, string> = {}): Promise<Stage> {
    const [server, browser] = await Promise.all([
      startServer(env),
      chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGUMENTS }),
    ]);
    return new Stage(server, browser);
  }

  async close(): Promise<void> {
    await this.browser.close();
  }

  /** Somebody with a browser of their own, who has not signed in. */
  async visitor(name: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const username = `${name}-${++visitors}`;
    return new Visitor(this.server.url, context, await context.newPage(), username);
  }

  /** Somebody who has signed up on the screen. */
  async signUp(name: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const visitor = await this.visitor(name, options);
    await visitor.signUp();
    return visitor;
  }

  /** The browser of somebody whose account was made over REST. */
  async enter(person: Person, options: BrowserContextOptions = {}): Promise<Visitor> {
    const visitor = await this.visitor(person.user.username, options);
    const { email } = person.user;
    await visitor.context.request.post(`${this.server.url}/api/v1/auth/login`, {
      data: { email, password: person.password },
      headers: { 'X-Auth-Mode': 'cookie' },
    });
    return visitor;
  }
}

/** A person at a browser, and what they do there. */
export class Visitor {
  /** Errors of the page: there are none. */
  readonly failures: string[] = [];

  constructor(
    readonly url: string,
    readonly context: BrowserContext,
    readonly page: Page,
    readonly username: string,
  ) {
    this.watch(page);
  }

  get composer() {
    return this.page.locator('#composer');
  }

  /** The messages that are in the document. */
  get messages() {
    return this.page.locator('li[data-key]');
  }

  /** The last message that says this itself, rather than quoting it. */
  message(text: string) {
    return this.messages.filter({ has: this.page.locator('.text', { hasText: text }) }).last();
  }

  /** A conversation in the list. */
  conversation(title: string) {
    return this.page
      .getByRole('navigation')
      .getByRole('link')
      .filter({ has: this.page.locator('.title', { hasText: title }) });
  }

  /** Another tab of the same browser. */
  async tab(path = '/'): Promise<Visitor> {
    const page = await this.context.newPage();
    const other = new Visitor(this.url, this.context, page, this.username);
    await other.go(path);
    return other;
  }

  async go(path = '/'): Promise<void> {
    await this.page.goto(this.url + path);
  }

  get email(): string {
    return `${this.username}@example.com`;
  }

  /** The list of conversations: whoever sees it is in. */
  get list() {
    return this.page.getByRole('navigation', { name: 'Conversations' });
  }

  async signUp(): Promise<void> {
    await this.go('/signup');
    await this.fillSignUp();
    await this.list.waitFor();
  }

  /** Fills in and sends the form for a new account. The server makes the username of the address: it is the one that is expected. */
  async fillSignUp(): Promise<void> {
    await this.page.getByLabel('Name').fill(this.username);
    await this.page.getByLabel('E-mail').fill(this.email);
    await this.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await this.page.getByRole('button', { name: 'Sign up' }).click();
  }

  /** Finds somebody by name and opens the direct conversation with them. */
  async find(username: string): Promise<void> {
    await this.page.getByRole('button', { name: 'New conversation' }).click();
    const dialog = this.page.getByRole('dialog');
    await dialog.getByRole('searchbox').fill(username);
    await dialog.getByRole('button', { name: username }).first().click();
    await this.composer.waitFor();
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press('Enter');
  }

  /** Resolves when the device has stored a message as read: it is there without a network. */
  async stored(text: string): Promise<void> {
    await stored(this.page, this.url, text);
  }

  /** Something from the menu of a message. */
  async choose(text: string, item: string): Promise<void> {
    const row = this.message(text);
    await row.focus();
    await row.press('Enter');
    await this.page.getByRole('menuitem', { name: item }).click();
  }

  private watch(page: Page): void {
    page.on('pageerror', (error) => this.failures.push(error.message));
    page.on('console', (line) => {
      // A request or a socket that failed is the browser's own line; what the policy forbids, and what the client threw,
      // are mistakes.
      if (line.type() === 'error' && !/^(Failed to load resource|WebSocket connection to)/.test(line.text()))
        this.failures.push(line.text());
    });
  }
}

/** The middle of some figures. */
export function median(figures: number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
