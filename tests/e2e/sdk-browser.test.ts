import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { eventually } from '../support/eventually.ts';
import { type Person, signUp } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import { stored } from '../support/stored-in-page.ts';
import { canTest } from '../support/untested.ts';

/** The SDK where it is mostly used: a real browser with its database, its locks and several tabs. */

const executablePath =
  Bun.which('chromium') ?? Bun.which('chromium-browser') ?? Bun.which('google-chrome') ?? undefined;
const isPossible = canTest('the SDK in a browser', executablePath ? undefined : 'there is no Chromium');

declare const createClient: typeof import('../../sdk/index.ts').createClient;
declare const client: import('../../sdk/index.ts').ParleyClient;

let server: TestServer;
let pages: ReturnType<typeof Bun.serve>;
let browser: Browser;
let context: BrowserContext;
let alice: Person;
let bob: Person;

beforeAll(async () => {
  if (!isPossible) return;
  const built = await Bun.build({ entrypoints: [join(import.meta.dir, '../../sdk/index.ts')], target: 'browser' });
  const script = await built.outputs[0]!.text();
  const html =
    '<!doctype html><script type="module">import * as sdk from "/sdk.js"; Object.assign(window, sdk);</script>';
  pages = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: ({ url }) =>
      url.endsWith('.js')
        ? new Response(script, { headers: { 'content-type': 'text/javascript' } })
        : new Response(html, { headers: { 'content-type': 'text/html' } }),
  });
  server = await startServer({ CORS_ORIGINS: `http://127.0.0.1:${pages.port}` });
  [alice, bob] = [await signUp(server, 'alice'), await signUp(server, 'bob')];
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  context = await browser.newContext();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await pages?.stop(true);
  await endServers();
});

/** A tab in which somebody is signed in: anew, or as last time. */
async function tab(signIn?: { username: string; password: string }): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => expect(error).toBeUndefined());
  await load(page, signIn);
  return page;
}

async function load(page: Page, signIn?: { username: string; password: string }): Promise<void> {
  await page.goto(`http://127.0.0.1:${pages.port}/`);
  await page.evaluate(
    async ([baseUrl, signIn]) => {
      const made = createClient({ baseUrl, backoff: { baseMs: 50, capMs: 300 } });
      Object.assign(window, { client: made });
      await made.resume();
      if (signIn) await made.login(signIn);
      void made.connect();
    },
    [server.url, signIn] as const,
  );
}

const isOnline = (page: Page) =>
  eventually('online', () => page.evaluate(() => client.state.get() === 'online' || undefined));
const shown = (page: Page, id: string) =>
  page.evaluate(
    (one) =>
      client.store
        .messages(one)
        .get()
        .map(({ content, status }) => `${content} ${status}`),
    id,
  );

describe.if(isPossible)('in a browser', () => {
  test('two tabs agree, what is written offline outlives a reload, and signing out wipes it all', async () => {
    const id = await alice.direct(bob);
    const one = await tab({ username: alice.user.username, password: alice.password });
    await isOnline(one);
    const two = await tab();
    await isOnline(two);
    for (const page of [one, two]) await page.evaluate((conversation) => client.open(conversation), id);

    await two.evaluate((conversation) => client.send(conversation, 'from the second tab').acked, id);
    for (const page of [one, two]) {
      await eventually('both show it', async () => (await shown(page, id)).includes('from the second tab sent'));
    }

    for (const page of [one, two]) await stored(page, server.url, 'from the second tab');
    await context.setOffline(true);
    await server.stop();
    const { url } = server;
    await two.evaluate((conversation) => client.send(conversation, 'written offline').saved, id);
    await eventually('it waits in the other tab', async () =>
      (await shown(one, id)).includes('written offline pending'),
    );
    await context.setOffline(false);
    await load(two);
    expect(await shown(two, id)).toEqual(['from the second tab sent', 'written offline pending']);

    const port = new URL(url).port;
    server = await startServer({
      DATA_DIR: server.dataDir,
      SERVER_PORT: port,
      CORS_ORIGINS: `http://127.0.0.1:${pages.port}`,
    });
    for (const page of [one, two]) {
      await eventually('both sent it', async () => (await shown(page, id)).includes('written offline sent'));
    }
    const answer = await fetch(`${server.url}/api/v1/conversations/${id}/messages`, {
      headers: { authorization: `Bearer ${bob.tokens.access_token}` },
    });
    const { messages } = (await answer.json()) as { messages: { content: string }[] };
    expect(messages.map(({ content }) => content)).toEqual(['from the second tab', 'written offline']);

    await two.evaluate(() => client.logout());
    await eventually('the other tab follows', async () =>
      one.evaluate(() => client.state.get() === 'signed_out' || undefined),
    );
    const left = await one.evaluate(async () => {
      const [database] = await indexedDB.databases();
      const opened = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open(database!.name!);
        request.onsuccess = () => resolve(request.result);
      });
      return new Promise<unknown[]>((resolve) => {
        const request = opened.transaction('entries').objectStore('entries').getAllKeys();
        request.onsuccess = () => resolve(request.result);
      });
    });
    // But for what says that this device has signed in before, and nobody in.
    expect(left).toEqual(['device']);
  }, 60_000);

  describe('what is written in the last moment of a page', () => {
    let id: string;
    let page: Page;

    beforeAll(async () => {
      id = await alice.group([bob]);
      page = await tab({ username: alice.user.username, password: alice.password });
      await isOnline(page);
      await page.evaluate((conversation) => client.open(conversation), id);
    });
    afterAll(() => page.close());

    /** Writes, and leaves the page before anything else can happen in it: what the database has begun is lost, and no tab is told. */
    async function writeAndLeave(texts: string[]): Promise<void> {
      const left = page.waitForEvent('framenavigated');
      await page.evaluate(
        ([conversation, contents]) => {
          const { put } = IDBObjectStore.prototype;
          IDBObjectStore.prototype.put = function (this: IDBObjectStore, ...args: Parameters<typeof put>) {
            const request = put.apply(this, args);
            this.transaction.abort();
            return request;
          };
          BroadcastChannel.prototype.postMessage = () => {};
          setTimeout(() => {
            for (const content of contents) client.send(conversation, content);
            location.reload();
          });
        },
        [id, texts] as const,
      );
      await left;
    }

    const sent = async () =>
      (await alice.history(id)).filter(({ type }) => type === 'text').map(({ content }) => content);
    const entries = () => page.evaluate(() => Object.keys(localStorage));

    test('is sent by the next one, once and in order', async () => {
      const texts = Array.from({ length: 20 }, (_, index) => `at the last moment ${String(index).padStart(2, '0')}`);
      await writeAndLeave(texts);
      expect((await entries()).length).toBeGreaterThan(0);
      await load(page);
      await eventually('all are stored', async () => (await sent()).length === texts.length);
      expect(await sent()).toEqual(texts);
      await eventually('the journal is empty', async () => (await entries()).length === 0);
    });

    test('is sent by the tab that leads, where that is another', async () => {
      const other = await tab();
      await isOnline(other);
      await page.close();
      page = await tab(); // it opened last: the other leads
      await isOnline(page);
      await other.evaluate((conversation) => client.open(conversation), id);
      const texts = ['one', 'two', 'three'].map((which) => `for the other tab ${which}`);
      await writeAndLeave(texts);
      await load(page);
      await eventually('it is stored', async () => (await sent()).at(-1) === texts[2]);
      expect((await sent()).slice(-3)).toEqual(texts);
      await other.close();
    });

    test('is wiped by a log-out', async () => {
      await context.setOffline(true);
      const left = await page.evaluate(async (conversation) => {
        const look = () => JSON.stringify({ ...localStorage });
        client.send(conversation, 'nobody is to find this');
        const noted = look();
        const leaving = client.logout();
        const left = look();
        await leaving;
        return { noted, left, after: look() };
      }, id);
      expect(left).toEqual({ noted: expect.stringContaining('nobody is to find this'), left: '{}', after: '{}' });
      await context.setOffline(false);
      await load(page, { username: alice.user.username, password: alice.password });
      await isOnline(page);
      expect(await shown(page, id)).not.toContain('nobody is to find this pending');
    });

    test('a device without that storage, or without room in it, sends and stores it all the same', async () => {
      for (const broken of ['forbidden', 'full'] as const) {
        await load(page);
        await page.evaluate((how) => {
          const fail = () => {
            throw new DOMException(how, how === 'full' ? 'QuotaExceededError' : 'SecurityError');
          };
          if (how === 'full') Storage.prototype.setItem = fail;
          else Object.defineProperty(window, 'localStorage', { get: fail });
        }, broken);
        await page.evaluate(
          async ([conversation, content]) => {
            const { saved, acked } = client.send(conversation, content);
            await saved;
            await acked;
          },
          [id, broken] as const,
        );
        expect((await sent()).at(-1)).toBe(broken);
      }
    });

    test('a full database leaves it in the journal; where that is full too, it is said, and sent all the same', async () => {
      await load(page);
      const before = await page.evaluate(() => {
        const { put } = IDBObjectStore.prototype;
        IDBObjectStore.prototype.put = function (this: IDBObjectStore, ...args: Parameters<typeof put>) {
          const request = put.apply(this, args);
          this.transaction.abort(); // as where there is no room
          return request;
        };
        return Object.keys(localStorage).length;
      });
      expect(before).toBe(0);
      await context.setOffline(true);
      await page.evaluate(() => client.disconnect());
      await page.evaluate((conversation) => client.send(conversation, 'kept in the journal').saved, id);
      expect(await entries()).toHaveLength(1);
      await context.setOffline(false);
      await load(page);
      await eventually('it is stored', async () => (await sent()).at(-1) === 'kept in the journal');

      const code = await page.evaluate(async (conversation) => {
        Storage.prototype.setItem = () => {
          throw new DOMException('full', 'QuotaExceededError');
        };
        IDBObjectStore.prototype.put = () => {
          throw new DOMException('full', 'QuotaExceededError');
        };
        const { saved, acked } = client.send(conversation, 'not kept');
        const failure = await saved.catch((error) => error.code);
        await acked;
        return failure;
      }, id);
      expect(code).toBe('storage');
      expect((await sent()).at(-1)).toBe('not kept');
    });
  });

  test('with cookies a page of a trusted origin signs in, and no script sees a token', async () => {
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${pages.port}/`);
    const states = await page.evaluate(
      async ([baseUrl, username, password]) => {
        const made = createClient({ baseUrl, auth: 'cookie' });
        await made.login({ username, password });
        await made.connect();
        const state = made.state.get();
        await made.disconnect();
        const again = createClient({ baseUrl, auth: 'cookie' });
        await again.resume();
        await again.connect();
        const result = [state, again.state.get(), again.user?.username, document.cookie];
        await again.logout();
        return [...result, await createClient({ baseUrl, auth: 'cookie' }).resume()];
      },
      [server.url, alice.user.username, alice.password] as const,
    );
    expect(states).toEqual(['online', 'online', alice.user.username, '', undefined]);
  }, 60_000);
});
