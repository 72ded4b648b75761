import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { endServers } from '../support/server.ts';
import { canBrowse, PASSWORD, Stage, type Visitor } from './support.ts';

setDefaultTimeout(60_000);

describe.skipIf(!canBrowse)('two people in two browsers', () => {
  let stage: Stage;
  let alice: Visitor;
  let bob: Visitor;

  beforeAll(async () => {
    stage = await Stage.open();
    alice = await stage.signUp('alice');
    bob = await stage.signUp('bob');
  });
  afterAll(async () => {
    await stage?.close();
    await endServers();
  });

  test('find each other and talk', async () => {
    await alice.find(bob.username);
    await bob.conversation(alice.username).click();
    await bob.page.getByText('Nothing here yet').waitFor();
    await alice.say('Hello Bob');
    await bob.message('Hello Bob').waitFor();
    await alice.message('Hello Bob').locator('[data-status="read"]').waitFor();
    await bob.say('Hello Alice');
    await alice.message('Hello Alice').waitFor();
    expect(await alice.messages.count()).toBe(2);
  });

  test('see that the other types, and what was read', async () => {
    await bob.composer.pressSequentially('Hm');
    await alice.page.locator('main header').getByText('typing…').waitFor();
    await bob.composer.fill('');
    await alice.say('Did you read this?');
    await alice.message('Did you read this?').locator('[data-status="read"]').waitFor();
  });

  test('show a message as delivered, not read, while the other looks elsewhere', async () => {
    await bob.page.getByRole('button', { name: 'New conversation' }).click();
    await bob.page.keyboard.press('Escape');
    await bob.go('/');
    await alice.say('Are you there?');
    await alice.message('Are you there?').locator('[data-status="delivered"]').waitFor();
    await bob.conversation(alice.username).locator('.badge').waitFor();
    await bob.page.waitForFunction(() => document.title.startsWith('(1)'));
    expect(await bob.page.locator('link[rel="icon"]').getAttribute('href')).toContain('unread');
    await bob.conversation(alice.username).click();
    await bob.page.getByText('New messages').waitFor();
    await alice.message('Are you there?').locator('[data-status="read"]').waitFor();
    await bob.page.waitForFunction(() => document.title === 'Parley');
  });

  test('edit, delete, reply and react', async () => {
    await alice.say('A mistkae');
    await bob.message('A mistkae').waitFor();
    await alice.choose('A mistkae', 'Edit');
    await alice.composer.fill('A mistake');
    await alice.composer.press('Enter');
    await bob.message('A mistake').getByText('edited').waitFor();

    await bob.choose('A mistake', 'Reply');
    await bob.say('No harm done');
    const reply = alice.message('No harm done');
    await reply.getByRole('button', { name: /^Reply to/ }).waitFor();
    expect(await reply.textContent()).toContain('A mistake');

    await alice.message('No harm done').hover();
    await alice.message('No harm done').getByRole('button', { name: 'React' }).click();
    await alice.page.getByRole('dialog', { name: 'Emoji' }).getByRole('searchbox').fill('love');
    await alice.page.keyboard.press('Enter');
    await bob.message('No harm done').getByRole('button', { name: /❤️, 1/ }).click();
    await alice.message('No harm done').getByRole('button', { name: /❤️, 2/ }).waitFor();

    await alice.choose('A mistake', 'Delete');
    await alice.page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
    await bob.messages.filter({ hasText: 'This message was deleted' }).waitFor();
  });

  test('mend what they just sent while it is still on its way, and nothing before it', async () => {
    await alice.say('An older one');
    await bob.message('An older one').waitFor();
    const { pid } = stage.server.nodes[0]!;
    process.kill(pid, 'SIGSTOP');
    try {
      await alice.say('Half a word');
      await alice.message('Half a word').locator('[data-status="pending"]').waitFor();
      await alice.composer.press('ArrowUp');
      expect(await alice.composer.inputValue()).toBe('Half a word');
      await alice.composer.fill('A whole word');
      await alice.composer.press('Enter');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await bob.message('A whole word').getByText('edited').waitFor();
    expect(await alice.message('An older one').getByText('edited').count()).toBe(0);
  });

  test('copy what a message says, and are told where the browser does not let them', async () => {
    await alice.say('Worth keeping');
    await alice.message('Worth keeping').waitFor();
    await alice.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await alice.choose('Worth keeping', 'Copy text');
    await alice.page.getByText('Copied', { exact: true }).waitFor();
    expect(await alice.page.evaluate(() => navigator.clipboard.readText())).toBe('Worth keeping');
    // As on a page without TLS.
    await alice.page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
    await alice.choose('Worth keeping', 'Copy text');
    await alice.page.getByText('The browser did not let it be copied').waitFor();
  });

  test('write Markdown, and see it', async () => {
    await alice.say('**bold** *italic* `code` [a link](https://example.com/)\n\n- one\n- two');
    const body = bob.message('bold');
    await body.waitFor();
    // What writes Markdown is loaded with the first message that has some.
    for (const tag of ['strong', 'em', 'code', 'ul > li']) await body.locator(tag).first().waitFor();
    expect(await body.locator('a').getAttribute('rel')).toContain('noopener');
  });

  test('make a group, name it, let somebody in and out', async () => {
    await alice.page.getByRole('button', { name: 'New conversation' }).click();
    const dialog = alice.page.getByRole('dialog');
    await dialog.getByText('Group', { exact: true }).click();
    await dialog.getByLabel('Group name').fill('Picnic');
    await dialog.getByRole('searchbox').fill(bob.username);
    await dialog.getByRole('button', { name: bob.username }).first().click();
    await dialog.getByRole('button', { name: 'Create group' }).click();
    await alice.messages.filter({ hasText: 'You created “Picnic”' }).waitFor();
    await bob.conversation('Picnic').click();

    await alice.page.getByRole('button', { name: 'Details' }).last().click();
    await alice.page.getByRole('button', { name: 'Rename' }).click();
    await alice.page.getByLabel('Group name').fill('Picnic by the lake');
    await alice.page.keyboard.press('Enter');
    await bob.conversation('Picnic by the lake').waitFor();

    const aside = alice.page.getByRole('complementary');
    await aside.getByRole('button', { name: `Actions for ${bob.username}` }).click();
    await alice.page.getByRole('menuitem', { name: 'Make admin' }).click();
    await aside.getByText('admin', { exact: true }).nth(1).waitFor();
    await aside.getByRole('button', { name: `Actions for ${bob.username}` }).click();
    await alice.page.getByRole('menuitem', { name: 'Remove from group' }).click();
    await alice.page.getByRole('alertdialog').getByRole('button', { name: 'Remove from group' }).click();
    await bob.conversation('Picnic by the lake').waitFor({ state: 'detached' });
  });

  test('stay signed in through a reload, log out, and come back', async () => {
    await bob.page.reload();
    await bob.conversation(alice.username).waitFor();
    expect(await bob.page.evaluate(() => document.cookie)).toBe('');
    await bob.page.getByRole('button', { name: 'Profile and settings' }).click();
    await bob.page.getByRole('button', { name: 'Log out' }).click();
    await bob.page.getByLabel('E-mail, username or phone').fill(bob.username);
    await bob.page.getByLabel('Password', { exact: true }).fill('not this one');
    await bob.page.getByRole('button', { name: 'Log in' }).click();
    await bob.page.getByText('The account or the password is wrong.').waitFor();
    await bob.page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await bob.page.getByRole('button', { name: 'Log in' }).click();
    await bob.conversation(alice.username).waitFor();
  });

  test('never made the page fail', () => {
    expect([alice.failures, bob.failures]).toEqual([[], []]);
  });
});

describe.skipIf(!canBrowse)('a message that the server refuses', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open({ MAX_MESSAGE_LENGTH: '20' });
  });
  afterAll(async () => {
    await stage?.close();
    await endServers();
  });

  test('says why, stays through a reload, is tried again, and can be mended or given up', async () => {
    const alice = await stage.signUp('alice');
    await alice.find(alice.username);
    await alice.say('A beginning');
    await alice.stored('A beginning');
    await alice.page.evaluate(async () => void (await navigator.serviceWorker.ready));
    // How long a message may be is not known before the server was heard.
    await alice.context.setOffline(true);
    await alice.page.reload();
    await alice.say('This one is longer than it may be here');
    await alice.context.setOffline(false);
    const row = alice.message('longer than');
    await row.locator('[data-status="failed"]').waitFor();
    await row.getByText('Not sent: 18 characters too long').waitFor();
    await alice.page.reload();
    await row.locator('[data-status="failed"]').waitFor();
    await row.getByRole('button', { name: 'Try again' }).click();
    await row.locator('[data-status="failed"]').waitFor();
    await row.getByRole('button', { name: 'Edit' }).click();
    await row.waitFor({ state: 'detached' });
    expect(await alice.composer.inputValue()).toBe('This one is longer than it may be here');
    await alice.page.getByText('18 characters too long').waitFor();
    await alice.composer.press('Enter');
    expect(await alice.composer.inputValue()).toBe('This one is longer than it may be here');
    await alice.say('This fits');
    await alice.message('This fits').locator('[data-status="read"], [data-status="sent"]').first().waitFor();
    expect(alice.failures).toEqual([]);
  });

  test('is no matter for a profile: name, status and theme are kept', async () => {
    const bob = await stage.signUp('bob');
    const { page } = bob;
    await page.getByRole('button', { name: 'Profile and settings' }).click();
    await page.getByLabel('Display name').fill('Bob the Builder');
    await page.getByLabel('Status').fill('Out for lunch');
    await page.getByRole('button', { name: 'Save profile' }).click();
    await page.getByText('Profile saved').waitFor();
    await page.getByText('Dark', { exact: true }).click();
    await page.reload();
    await page.getByRole('button', { name: 'Profile and settings' }).click();
    expect(await page.getByLabel('Display name').inputValue()).toBe('Bob the Builder');
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
    expect(bob.failures).toEqual([]);
  });
});
