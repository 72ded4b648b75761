import type { BrowserContextOptions } from 'playwright-core';
import { Authenticator, type Enrolled } from '../support/authenticator.ts';
import type { Person } from '../support/people.ts';
import { runStored } from '../support/stored.ts';
import { button, field, heading } from './screen.ts';
import { PASSWORD, type Stage, type Visitor } from './support.ts';

/** What people do at the doors, and where they keep their account their own. */

export const SIZES: Record<string, BrowserContextOptions> = {
  'on a desk': { viewport: { width: 1280, height: 800 } },
  'on a phone of 360 pixels': { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true },
};

export const APP_CODE = 'Code of your authenticator app';
/** Another password than the one that people sign up with. */
export const NEXT_PASSWORD = 'quite another horse';
/** What a browser says that it is, which is not the one here. */
export const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0';

export async function logIn(visitor: Visitor, who: string, password = PASSWORD): Promise<void> {
  await field(visitor, 'E-mail, username or phone').fill(who);
  await field(visitor, 'Password').fill(password);
  await button(visitor, 'Log in').click();
}

/** Somebody at the page on which they keep their account their own. */
export async function atSecurity(at: Stage, person: Person, options: BrowserContextOptions = {}): Promise<Visitor> {
  const one = await at.enter(person, options);
  await one.go('/settings/security');
  await one.page.getByText('this device').waitFor();
  return one;
}

/** The part of the page with this title. */
export const section = ({ page }: Visitor, title: string) => page.getByRole('region', { name: title, exact: true });

/** As if it were long ago that it was shown who uses the person's sessions. */
export async function forgetProofs({ server, id }: Person): Promise<void> {
  await runStored(server, 'update sessions set proved_at = 0 where user_id = ?', id);
}

/** Sets up the app that is shown on the screen; resolves to it, and to the codes that are shown then. */
export async function setUp(one: Visitor): Promise<Enrolled> {
  await heading(one, 'Set up your authenticator app').waitFor();
  const secret = (await one.page.locator('.secret code').textContent()) ?? '';
  const app = new Authenticator(secret.replaceAll(' ', ''));
  await field(one, APP_CODE).fill(await app.next());
  await button(one, 'Turn it on').click();
  await heading(one, 'Your recovery codes').waitFor();
  return { app, codes: await one.page.locator('.printed li').allTextContents() };
}
