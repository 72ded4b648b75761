import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { report } from '../support/report.ts';
import { endServers } from '../support/server.ts';
import { canBrowse, Stage, type Visitor } from './support.ts';

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
    await alice.page.waitForTimeout(1500);
  });
  afterAll(async () => {
    await stage?.close();
    await endServers();
  });

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
    await alice.page.waitForTimeout(1500);
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

  test('a reload in mid-send loses nothing and doubles nothing', async () => {
    await alice.page.getByRole('region', { name: 'Messages' }).waitFor();
    const texts = Array.from({ length: 12 }, (_, index) => `burst ${String(index).padStart(2, '0')}`);
    for (const text of texts) await alice.say(text);
    await alice.message('burst 11').waitFor(); // what is shown is in the outbox
    await alice.page.reload();
    await bob.message('burst 11').waitFor();
    await alice.message('burst 11').locator('[data-status="read"]').waitFor();
    const heard = await bob.messages.filter({ hasText: 'burst ' }).locator('.text').allTextContents();
    expect(heard).toEqual(texts);
  });

  test('a draft outlives a reload', async () => {
    await alice.composer.fill('not yet finished');
    await alice.page.reload();
    await alice.composer.waitFor();
    expect(await alice.composer.inputValue()).toBe('not yet finished');
    await alice.composer.fill('');
  });

  test(`two tabs agree within ${TABS_MS} ms`, async () => {
    const other = await alice.tab(new URL(alice.page.url()).pathname);
    await other.message('burst 11').waitFor();
    // One after the other: a browser draws only the tab that is in front, so the time is taken by the pages themselves.
    const heard = other.page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const watcher = new MutationObserver(() => {
            if (document.body.textContent?.includes('to both tabs')) resolve(Date.now());
          });
          watcher.observe(document.body, { subtree: true, childList: true, characterData: true });
        }),
    );
    await alice.composer.fill('to both tabs');
    const sent = await alice.page.evaluate(() => {
      const field = document.getElementById('composer')!;
      const now = Date.now();
      field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
      return now;
    });
    const ms = (await heard) - sent;
    report('two tabs', { 'a message written in one is in the other after, ms': ms });
    expect(ms).toBeLessThanOrEqual(TABS_MS);

    await other.page.getByRole('button', { name: 'Profile and settings' }).click();
    await other.page.getByRole('button', { name: 'Log out' }).click();
    await alice.page.getByRole('button', { name: 'Log in' }).waitFor();
  });

  test('nothing failed on the way', () => {
    expect([alice.failures.filter((line) => !line.includes('WebSocket')), bob.failures]).toEqual([[], []]);
  });
});

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
