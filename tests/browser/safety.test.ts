import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type Person, signUp } from '../support/people.ts';
import { endServers } from '../support/server.ts';
import { canBrowse, Stage, type Visitor } from './support.ts';

setDefaultTimeout(60_000);

const ATTACKS = [
  '<img src=x onerror="window.broken=1">',
  '<script>window.broken=1</script>',
  '<svg onload="window.broken=1">',
  '[link](javascript:window.broken=1)',
  '[link](data:text/html,<script>window.broken=1</script>)',
  '![image](https://example.com/tracker.png "x")',
  '**<b onmouseover=window.broken=1>bold</b>**',
  '`<img src=x onerror=window.broken=1>`',
  '<a href="https://example.com/" onclick="window.broken=1">html link</a>',
  '# heading <iframe src="https://example.com/"></iframe>',
  '[x](https://example.com/"onmouseover="window.broken=1)',
];
const NAME = '<img src=x onerror="window.broken=1">';

describe.skipIf(!canBrowse)('a script in what people write', () => {
  let stage: Stage;
  let bob: Visitor;
  let his: Person;
  let group: string;

  beforeAll(async () => {
    stage = await Stage.open();
    const [alice, person] = await Promise.all([signUp(stage.server, 'alice'), signUp(stage.server, 'bob')]);
    his = person;
    await alice.call('PATCH', '/users/me', { display_name: NAME, status: NAME });
    group = await alice.group([his], `${NAME} group`);
    for (const text of ATTACKS) await alice.send(group, text);
    bob = await stage.enter(his);
    await bob.go(`/c/${group}`);
    await bob.messages.filter({ hasText: 'html link' }).waitFor();
    // A link is there once Markdown is written: until then all is shown as it came, and nothing could run.
    await bob.page.locator('.text a').first().waitFor();
    await bob.page.getByRole('button', { name: 'Details' }).last().click();
    await bob.page.getByRole('complementary').getByText(NAME, { exact: false }).first().waitFor();
  });
  afterAll(async () => {
    await stage?.close();
    await endServers();
  });

  test('never runs, and loads nothing', async () => {
    for (const row of await bob.messages.all()) await row.hover();
    expect(await bob.page.evaluate(() => 'broken' in window)).toBe(false);
    const foreign = await bob.page
      .locator('main')
      .locator('img, iframe, script, svg[onload], [onerror], [onclick], [onmouseover]')
      .count();
    expect(foreign).toBe(0);
    // A request for what an attack names would be refused by the policy, and the browser would say so.
    expect(bob.failures).toEqual([]);
  });

  test('is shown as the text that it is', async () => {
    const body = await bob.page.getByRole('region', { name: 'Messages' }).textContent();
    for (const text of [ATTACKS[0]!, ATTACKS[1]!, ATTACKS[8]!, '# heading <iframe']) expect(body).toContain(text);
    expect(await bob.page.locator('main h2').first().textContent()).toBe(`${NAME} group`);
    expect(await bob.page.getByRole('complementary').textContent()).toContain(NAME);
  });

  test('a message with more emphasis than anybody means is shown as it was written', async () => {
    const text = '*a_'.repeat(1333);
    await his.send(group, text);
    const shown = bob.messages.last().locator('.text.plain', { hasText: '*a_*a_' });
    await shown.waitFor();
    expect(await shown.textContent()).toBe(text);
    await his.send(group, `${'x'.repeat(3000)} **bold** and _italic_`);
    await bob.messages.last().locator('strong', { hasText: 'bold' }).waitFor();
  });

  test('leaves only links to the web, which tell nobody where they were followed from', async () => {
    const links = await bob.page
      .locator('.text a')
      .evaluateAll((all) => all.map((link) => ({ href: link.getAttribute('href'), rel: link.getAttribute('rel') })));
    expect(links.length).toBeGreaterThan(0);
    for (const { href, rel } of links) {
      expect(href).toMatch(/^https:\/\/example\.com/);
      expect(rel).toContain('noopener');
    }
  });

  test('meets a policy without exceptions, on every screen', async () => {
    for (const path of ['/', '/login', '/c/0199a3f0-7c1e-7d44-8a5b-5f0c6f3b2a10', '/sw.js']) {
      const { headers } = await fetch(stage.server.url + path);
      const policy = headers.get('content-security-policy');
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
      expect(policy).not.toMatch(/unsafe|data:|https?:/);
    }
  });
});
