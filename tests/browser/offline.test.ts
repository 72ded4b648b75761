import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { request } from '../support/people.ts';
import { report } from '../support/report.ts';
import { endServers } from '../support/server.ts';
import { canBrowse, median, PASSWORD, Stage, type Visitor } from './support.ts';

setDefaultTimeout(60_000);

/** Within this, what one tab does is seen in the other, in milliseconds. */
const TABS_MS = 200;

describe.skipIf(!canBrowse)('without a network', () => {
  let stage: Stage;
  let alice: Visitor;
  let bob: Visitor;

  beforeAll(async () => {
    stage = await Stage.open();
    alice = await stage.signUp('alice');
    bob = await stage.signUp('bob');
    await alice.find(bob.username);
    await alice.say('Before the tunnel');
    await bob.conversation(alice.username).click();
    await bob.message('Before the tunnel').waitFor();
    // The shell is kept, and what was read is stored.
    await alice.page.evaluate(async () => void (await navigator.serviceWorker.ready));
    await alice.stored('Before the tunnel');
  });
  afterAll(async () => {
    await stage?.close();
    await endServers();
  });

  /** They came to Bob once and in order, and Alice sees that; nothing is left in her composer. */
  async function arrived(texts: string[]): Promise<void> {
    const [first, last] = [texts[0]!, texts.at(-1)!];
    await bob.message(last).waitFor();
    await alice.message(last).locator('[data-status="read"]').waitFor();
    for (const visitor of [bob, alice]) {
      const seen = visitor.messages.filter({ hasText: first.slice(0, -2) }).locator('.text');
      expect(await seen.allTextContents()).toEqual(texts);
    }
    expect(await alice.composer.inputValue()).toBe('');
  }

  test('messages wait, visibly, and go out once and in order when it is back', async () => {
    await alice.context.setOffline(true);
    const restore = await cutSockets(alice);
    for (const text of ['one', 'two', 'three']) await alice.say(`in the dark ${text}`);
    await alice.message('in the dark three').locator('[data-status="pending"]').waitFor();
    await alice.page.getByText('No connection.').waitFor();
    await restore();
    await alice.context.setOffline(false);
    await alice.message('in the dark three').locator('[data-status="read"]').waitFor();
    await bob.message('in the dark three').waitFor();
    const heard = await bob.messages.filter({ hasText: 'in the dark ' }).locator('.text').allTextContents();
    expect(heard).toEqual(['in the dark one', 'in the dark two', 'in the dark three']);
  });

  test('the client opens with what was read, and keeps what is written through a reload', async () => {
    await alice.stored('in the dark three');
    await alice.context.setOffline(true);
    await alice.page.reload();
    await alice.message('Before the tunnel').waitFor();
    await alice.message('in the dark three').waitFor();
    await alice.say('written without light');
    await alice.message('written without light').locator('[data-status="pending"]').waitFor();
    await alice.page.reload();
    await alice.message('written without light').locator('[data-status="pending"]').waitFor();
    await alice.context.setOffline(false);
    await bob.message('written without light').waitFor();
    await alice.message('written without light').locator('[data-status="read"]').waitFor();
    expect(await bob.messages.filter({ hasText: 'written without light' }).count()).toBe(1);
  });

  test('a reload right after the last Enter loses nothing and doubles nothing', async () => {
    await alice.page.getByRole('region', { name: 'Messages' }).waitFor();
    const texts = numbered('burst');
    for (const text of texts) await alice.say(text);
    await alice.page.reload();
    await arrived(texts);
  });

  for (const slowness of [1, 6]) {
    test(`so it is at any moment, on a machine ${slowness} times slower`, async () => {
      const session = await alice.context.newCDPSession(alice.page);
      await session.send('Emulation.setCPUThrottlingRate', { rate: slowness });
      for (const ms of [undefined, 1, 5, 20, 100]) {
        const texts = numbered(`${slowness} times slower, ${ms ?? 'no'} ms`);
        await alice.composer.waitFor();
        const reloaded = alice.page.waitForEvent('load');
        await alice.page.evaluate(writeAndReload, { texts, ms });
        await reloaded;
        await arrived(texts);
      }
      await session.detach();
    });
  }

  test('a draft outlives a reload', async () => {
    await alice.composer.fill('not yet finished');
    await alice.page.reload();
    await alice.composer.waitFor();
    expect(await alice.composer.inputValue()).toBe('not yet finished');
    await alice.composer.fill('');
  });

  test('a draft is there for the same person again, and gone when somebody else signs in', async () => {
    const kate = await stage.signUp('kate');
    await kate.find(bob.username);
    await kate.composer.fill('for nobody else');
    const drafts = () => kate.page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('draft')));
    const signIn = async (username: string) => {
      await kate.go('/login');
      await kate.page.locator('input[name="who"]').fill(`${username}@example.com`);
      await kate.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await kate.page.getByRole('button', { name: 'Log in' }).first().click();
      await kate.page.getByRole('navigation', { name: 'Conversations' }).waitFor();
    };
    // Her session ends without her: nobody logs out here.
    const end = async () => {
      const token = (await kate.context.cookies()).find(({ name }) => name === 'access_token')!.value;
      await request(stage.server, 'POST', '/auth/logout', { token });
      await kate.page.getByRole('button', { name: 'Log in' }).first().waitFor();
    };
    await end();
    await signIn(kate.username);
    expect(await drafts()).toHaveLength(1);
    await end();
    await signIn(bob.username);
    expect(await drafts()).toEqual([]);
    await kate.context.close();
  });

  test(`two tabs agree within ${TABS_MS} ms`, async () => {
    await alice.say('in the first tab');
    const other = await alice.tab(new URL(alice.page.url()).pathname);
    await other.message('in the first tab').waitFor();
    const times: number[] = [];
    for (const text of ['first to both tabs', 'second to both tabs', 'third to both tabs']) {
      // A browser draws only the tab that is in front, so the time is taken by the pages themselves.
      const heard = other.page.evaluate(timeOf, text);
      await alice.composer.fill(text);
      const sent = await alice.page.evaluate(() => {
        const field = document.getElementById('composer')!;
        const now = Date.now();
        field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
        return now;
      });
      times.push((await heard) - sent);
    }
    report('two tabs', { 'a message written in one is in the other after, median of 3, ms': median(times) });
    expect(median(times)).toBeLessThanOrEqual(TABS_MS);

    await other.page.getByRole('button', { name: 'Profile and settings' }).click();
    await other.page.getByRole('button', { name: 'Log out' }).click();
    await alice.page.getByRole('button', { name: 'Log in' }).waitFor();
  });

  test('nothing failed on the way', () => {
    expect([alice.failures, bob.failures]).toEqual([[], []]);
  });
});

/** Twelve texts. */
function numbered(name: string): string[] {
  return Array.from({ length: 12 }, (_, index) => `${name} ${String(index).padStart(2, '0')}`);
}

/**
 * In the page: writes the texts, an Enter after each, and reloads so many milliseconds later; without `ms` before the
 * program has another turn.
 */
function writeAndReload({ texts, ms }: { texts: string[]; ms: number | undefined }): void {
  const field = document.querySelector<HTMLTextAreaElement>('#composer')!;
  setTimeout(() => {
    for (const text of texts) {
      field.value = text;
      field.dispatchEvent(new InputEvent('input', { bubbles: true }));
      field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
    }
    if (ms === undefined) location.reload();
    else setTimeout(() => location.reload(), ms);
  });
}

/** In the page: when it comes to show a text. */
function timeOf(text: string): Promise<number> {
  return new Promise((resolve) => {
    const watcher = new MutationObserver(() => {
      if (!document.body.textContent?.includes(text)) return;
      watcher.disconnect();
      resolve(Date.now());
    });
    watcher.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

/** The browser keeps open sockets when it is told to be offline: a network that is gone would not. */
async function cutSockets({ page }: Visitor): Promise<() => Promise<void>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  const be = (offline: boolean) =>
    session.send('Network.emulateNetworkConditions', {
      offline,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: -1,
    });
  await be(true);
  return async () => {
    await be(false);
    await session.detach();
  };
}
