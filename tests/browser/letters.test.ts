import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { tokenIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { endServers } from '../support/server.ts';
import { canBrowse, PASSWORD, Stage } from './support.ts';

setDefaultTimeout(90_000);

const NEXT = 'quite another horse';

describe.skipIf(!canBrowse)('a letter', () => {
  let box: Mailbox;
  let stage: Stage;

  beforeAll(async () => {
    box = await Mailbox.open();
    stage = await Stage.open(box.environment());
  });
  afterAll(async () => {
    await stage?.close();
    await endServers();
    await box?.close();
  });

  test('confirms an address, once its button is pressed, and brings a person back in who lost their password', async () => {
    const alice = await stage.signUp('alice');
    const email = `${alice.username}@example.com`;
    const { page } = alice;

    const verify = tokenIn(await box.next(email), 'verify');
    await alice.go(`/verify#${verify}`);
    await page.getByRole('button', { name: 'Confirm this address' }).click();
    await page.getByText('The address is confirmed').waitFor();
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('navigation', { name: 'Conversations' }).waitFor();
    expect(page.url()).toBe(`${alice.url}/`);

    const device = await stage.visitor('phone', { viewport: { width: 390, height: 844 } });
    await device.go('/login');
    await device.page.getByRole('button', { name: 'Forgot your password?' }).click();
    await device.page.getByLabel('E-mail').fill(email);
    const letters = box.to(email).length;
    await device.page.getByRole('button', { name: 'Send the letter' }).click();
    await device.page.getByText('a letter is on its way').waitFor();
    const reset = tokenIn(await box.next(email, letters + 1), 'reset');

    await device.go(`/reset#${reset}`);
    const choose = async (password: string) => {
      await device.page.getByLabel('New password').fill(password);
      await device.page.getByRole('button', { name: 'Change the password' }).click();
    };
    await choose('short');
    await device.page.locator('[aria-invalid="true"]').waitFor();
    await choose(NEXT);
    await device.page.getByRole('navigation', { name: 'Conversations' }).waitFor();
    expect(device.page.url()).toBe(`${alice.url}/`);
    // Where they were signed in before, they are no longer.
    await page.getByRole('button', { name: 'Log in' }).waitFor();

    await alice.go(`/reset#${reset}`);
    await page.getByLabel('New password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByText('This link or code is no longer good').waitFor();
  });
});
