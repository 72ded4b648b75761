import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type Person, signUp } from '../support/people.ts';
import { endServers } from '../support/server.ts';
import { findings } from './findings.ts';
import { canBrowse, PASSWORD, Stage } from './support.ts';

setDefaultTimeout(90_000);

describe.skipIf(!canBrowse)('everybody', () => {
  let stage: Stage;
  let alice: Person;
  let group: string;

  beforeAll(async () => {
    stage = await Stage.open();
    const [a, b] = await Promise.all([signUp(stage.server, 'alice'), signUp(stage.server, 'bob')]);
    alice = a;
    group = await a.group([b], 'Walking club');
    const first = await b.send(group, 'Shall we go on **Sunday**? See https://example.com and `map`');
    await b.send(group, 'Second line');
    await a.call('PUT', `/conversations/${group}/messages/${first.id}/reactions/${encodeURIComponent('👍')}`);
    await a.send(await a.direct(b), 'Hello');
    for (let index = 0; index < 30; index++) await b.send(group, `Idea ${index}`);
  });
  afterAll(async () => {
    await stage?.close();
    await endServers();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`can use each screen: nothing serious that axe finds, ${colorScheme}`, async () => {
      const found: Record<string, string[]> = {};
      const stranger = await stage.visitor('stranger', { colorScheme, reducedMotion: 'reduce' });
      await stranger.go('/');
      await stranger.page.getByRole('heading', { name: 'Parley at' }).waitFor();
      found.first = await findings(stranger);
      for (const path of ['/login', '/signup']) {
        await stranger.go(path);
        await stranger.page.getByLabel('Password', { exact: true }).waitFor();
        await stranger.page
          .getByRole('button', { name: path === '/login' ? 'Log in' : 'Sign up' })
          .first()
          .click();
        found[path] = await findings(stranger);
      }
      for (const path of ['/forgot', '/reset#secret', '/verify#secret']) {
        await stranger.go(path);
        await stranger.page.getByRole('button', { name: 'Back' }).waitFor();
        found[path] = await findings(stranger);
      }
      await stranger.context.close();

      const one = await stage.enter(alice, { colorScheme, reducedMotion: 'reduce' });
      await one.go('/');
      await one.conversation('Walking club').waitFor();
      found.list = await findings(one);
      await one.conversation('Walking club').click();
      await one.message('Idea 29').waitFor();
      found.conversation = await findings(one);
      await one.message('Idea 29').hover();
      found.tools = await findings(one);
      await one.page.getByRole('button', { name: 'Details' }).last().click();
      found.details = await findings(one);
      await one.page.getByRole('button', { name: /Actions for/ }).click();
      found.menu = await findings(one);
      await one.page.keyboard.press('Escape');
      for (const name of ['New conversation', 'Profile and settings', 'Keyboard shortcuts']) {
        await one.page.getByRole('button', { name }).click();
        await one.page.getByRole('dialog').waitFor();
        found[name] = await findings(one);
        await one.page.keyboard.press('Escape');
      }
      await one.page.getByRole('button', { name: 'Emoji' }).click();
      found.emoji = await findings(one);
      await one.go('/settings/security');
      await one.page.getByText('this device').waitFor();
      found.security = await findings(one);
      for (const name of ['Set it up', 'Delete the account…']) {
        await one.page.getByRole('button', { name }).click();
        await one.page.getByText(name === 'Set it up' ? 'Or type this key' : 'for good?').waitFor();
        found[name] = await findings(one);
      }
      await one.context.close();
      expect(found).toEqual(Object.fromEntries(Object.keys(found).map((screen) => [screen, []])));
    });
  }

  test('can do it all by keyboard: sign up, find somebody, write, react, reply, edit', async () => {
    const carol = await stage.visitor('carol');
    const { keyboard } = carol.page;
    await carol.go('/signup');
    await carol.page.getByLabel('Name').focus();
    await keyboard.type(carol.username);
    await keyboard.press('Tab');
    await keyboard.type(carol.email);
    await keyboard.press('Tab');
    await keyboard.type(PASSWORD);
    await keyboard.press('Enter');
    await carol.page.getByRole('navigation').waitFor();

    await keyboard.press('Alt+n');
    await carol.page.getByRole('dialog').waitFor();
    await keyboard.type(alice.user.username);
    await carol.page.getByRole('dialog').getByRole('button', { name: alice.user.username }).waitFor();
    await keyboard.press('Enter');
    await carol.composer.waitFor();
    await keyboard.type('By keyboard');
    await keyboard.press('Enter');
    await carol.message('By keyboard').waitFor();

    await keyboard.press('ArrowUp');
    await keyboard.press('End');
    await keyboard.type(' alone');
    await keyboard.press('Enter');
    await carol.message('By keyboard alone').getByText('edited').waitFor();

    // From the field back into the messages.
    for (let presses = 0; presses < 6; presses++) {
      if (await carol.page.evaluate(() => document.activeElement?.tagName === 'LI')) break;
      await keyboard.press('Shift+Tab');
    }
    expect(await carol.page.evaluate(() => document.activeElement?.tagName)).toBe('LI');
    await keyboard.press('e');
    await carol.page.getByRole('dialog', { name: 'Emoji' }).waitFor();
    await keyboard.type('party');
    await keyboard.press('Enter');
    await carol.message('By keyboard alone').getByRole('button', { name: /🎉, 1/ }).waitFor();
    await carol.message('By keyboard alone').focus();
    await keyboard.press('r');
    await carol.page
      .getByText(/^Reply to/)
      .first()
      .waitFor();
    await keyboard.type('A reply');
    await keyboard.press('Enter');
    await carol.message('A reply').waitFor();
    await keyboard.press('Control+k');
    expect(await carol.page.evaluate(() => document.activeElement?.id)).toBe('filter');
    await carol.context.close();
  });

  test('sees where the focus is', async () => {
    const one = await stage.enter(alice);
    await one.go('/');
    await one.conversation('Walking club').waitFor();
    for (let step = 0; step < 6; step++) {
      await one.page.keyboard.press('Tab');
      const seen = await one.page.evaluate(() => {
        const { outlineStyle, boxShadow, borderColor } = getComputedStyle(document.activeElement!);
        return { isBody: document.activeElement === document.body, outlineStyle, boxShadow, borderColor };
      });
      expect(seen.isBody).toBe(false);
      expect(seen.outlineStyle !== 'none' || seen.boxShadow !== 'none').toBe(true);
    }
    await one.context.close();
  });

  test('hears new messages of the open conversation in a live region', async () => {
    const one = await stage.enter(alice);
    await one.go(`/c/${group}`);
    await one.message('Idea 29').waitFor();
    const bob = await signUp(stage.server, 'dave');
    await alice.call('POST', `/conversations/${group}/participants`, { user_ids: [bob.id] });
    await bob.send(group, 'Hear **this**');
    await one.page.locator('[aria-live="polite"]').filter({ hasText: 'Hear this' }).waitFor({ state: 'attached' });
    await one.context.close();
  });

  test('sees it mirrored where the language runs from right to left, on a wide screen and on a phone', async () => {
    for (const options of [{}, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }]) {
      const one = await stage.enter(alice, options);
      await one.go(`/c/${group}`);
      await one.message('Idea 29').waitFor();
      // On a touch keyboard Enter is a new line.
      await one.composer.fill('From me');
      await one.page.getByRole('button', { name: 'Send' }).click();
      await one.message('From me').locator('[data-status]').waitFor();
      const ltr = await one.page.evaluate(layout);
      await one.page.evaluate(() => {
        document.documentElement.dir = 'rtl';
      });
      const rtl = await one.page.evaluate(layout);
      const width = one.page.viewportSize()!.width;
      for (const { page } of [ltr, rtl]) expect(page).toBe(width);
      expect(ltr.beyond).toEqual([]);
      expect(rtl.beyond).toEqual([]);
      // What stood so far from the left stands so far from the right.
      for (const [name, [left, right]] of Object.entries(ltr.boxes)) {
        const [start, end] = rtl.boxes[name]!;
        expect([name, Math.abs(start - (width - right)) <= 12, Math.abs(end - (width - left)) <= 12]).toEqual([
          name,
          true,
          true,
        ]);
      }
      expect(ltr.boxes.mine![0]).toBeGreaterThan(ltr.boxes.theirs![0]);
      expect(rtl.boxes.mine![1]).toBeLessThan(rtl.boxes.theirs![1]);
      await one.context.close();
    }
  });

  test('fits a phone of 360 pixels, one pane at a time', async () => {
    const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };
    const one = await stage.enter(alice, phone);
    await one.go('/');
    await one.conversation('Walking club').tap();
    await one.message('Idea 29').waitFor();
    expect(await one.page.getByRole('navigation').isVisible()).toBe(false);
    const width = await one.page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBe(360);
    await one.composer.fill('From the phone');
    await one.page.getByRole('button', { name: 'Send' }).tap();
    await one.message('From the phone').locator('[data-status]').waitFor();
    await one.page.getByRole('button', { name: 'Back to conversations' }).tap();
    await one.conversation('Walking club').waitFor();
    expect(await findings(one)).toEqual([]);
    await one.context.close();
  });
});

/** In the page: from where to where things reach, in pixels from the left, and what reaches beyond the screen. */
function layout() {
  const reach = (element: Element): [number, number] => {
    const { left, right } = element.getBoundingClientRect();
    return [left, right];
  };
  const bubbles = (kind: string) => [...document.querySelectorAll(`.line${kind} .bubble`)].at(-1)!;
  const seen = {
    mine: bubbles('.mine'),
    theirs: bubbles(':not(.mine)'),
    composer: document.querySelector('#composer')!,
    send: document.querySelector('button.send')!,
    pane: document.querySelector('main')!,
  };
  const beyond = [...document.querySelectorAll('main *')].filter((element) => {
    const [left, right] = reach(element);
    // What is there for screen readers only has no place.
    return right > left && !element.closest('.hidden') && (left < -1 || right > innerWidth + 1);
  });
  return {
    page: document.documentElement.scrollWidth,
    boxes: Object.fromEntries(Object.entries(seen).map(([name, element]) => [name, reach(element)])),
    beyond: beyond.map((element) => element.outerHTML.slice(0, 120)),
  };
}
