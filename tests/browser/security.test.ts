import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { BrowserContextOptions } from 'playwright-core';
import { renderSVG } from 'uqr';
import { Authenticator, type Enrolled, enrol } from '../support/authenticator.ts';
import { eventually } from '../support/eventually.ts';
import { codeIn, tokenIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { type Person, request, signUp } from '../support/people.ts';
import { endServers, runParley } from '../support/server.ts';
import { runStored } from '../support/stored.ts';
import { keptInBrowser } from './kept-in-page.ts';
import { button, field, focused, heading, pathOf, saidOf, suitsEverybody, wrongFields } from './screen.ts';
import { canBrowse, PASSWORD, Stage, type Visitor } from './support.ts';

setDefaultTimeout(150_000);

const HOST = 'chat.example.com';
const NEXT = 'quite another horse';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0';
const SIZES: Record<string, BrowserContextOptions> = {
  'on a desk': { viewport: { width: 1280, height: 800 } },
  'on a phone of 360 pixels': { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true },
};
const APP_CODE = 'Code of your authenticator app';

let box: Mailbox;
/** With mail. */
let stage: Stage;
/** Where everybody has to have a second factor. */
let strict: Stage;

beforeAll(async () => {
  if (!canBrowse) return;
  box = await Mailbox.open();
  [stage, strict] = await Promise.all([
    Stage.open(box.environment(`https://${HOST}`)),
    Stage.open({ REQUIRE_MFA: 'all' }),
  ]);
});
afterAll(async () => {
  await Promise.all([stage?.close(), strict?.close()]);
  await endServers();
  await box?.close();
});

async function logIn(visitor: Visitor, who: string, password = PASSWORD): Promise<void> {
  await field(visitor, 'E-mail, username or phone').fill(who);
  await field(visitor, 'Password').fill(password);
  await button(visitor, 'Log in').click();
}

/** Somebody at the page on which they keep their account their own. */
async function atSecurity(person: Person, options: BrowserContextOptions = {}, at = stage): Promise<Visitor> {
  const one = await at.enter(person, options);
  await one.go('/settings/security');
  await one.page.getByText('this device').waitFor();
  return one;
}

/** As if it were long ago that it was shown who uses the person's sessions. */
async function forgetProofs({ id }: { id: string }): Promise<void> {
  await runStored(stage.server, 'update sessions set proved_at = 0 where user_id = ?', id);
}

/** The part of the page with this title. */
const section = ({ page }: Visitor, title: string) => page.getByRole('region', { name: title, exact: true });

/** Somebody whose account has a second factor, and who has typed the password. */
async function atFactor(options: BrowserContextOptions): Promise<{ person: Person; enrolled: Enrolled; one: Visitor }> {
  const person = await signUp(stage.server, 'mara');
  const enrolled = await enrol(person);
  const one = await stage.visitor('at-the-door', options);
  await one.go('/login');
  await logIn(one, person.user.username, person.password);
  await field(one, APP_CODE).waitFor();
  return { person, enrolled, one };
}

/** Sets up the app that is shown on the screen; resolves to it, and to the codes that are shown then. */
async function setUp(one: Visitor): Promise<Enrolled> {
  await heading(one, 'Set up your authenticator app').waitFor();
  const secret = (await one.page.locator('.secret code').textContent()) ?? '';
  const app = new Authenticator(secret.replaceAll(' ', ''));
  await field(one, APP_CODE).fill(await app.next());
  await button(one, 'Turn it on').click();
  await heading(one, 'Your recovery codes').waitFor();
  return { app, codes: await one.page.locator('.printed li').allTextContents() };
}

for (const [size, options] of Object.entries(SIZES)) {
  describe.skipIf(!canBrowse)(`${size}, the second factor at the log-in`, () => {
    test('is asked for after the password, and takes a code of the app, as phones and browsers fill it in', async () => {
      const { person, enrolled, one } = await atFactor(options);
      expect(await heading(one, 'Your second factor').isVisible()).toBe(true);
      expect(await focused(one)).toBe(APP_CODE);
      const input = field(one, APP_CODE);
      expect(await input.getAttribute('autocomplete')).toBe('one-time-code');
      expect(await input.getAttribute('inputmode')).toBe('numeric');
      await button(one, 'Go on').click();
      expect(await saidOf(one, APP_CODE)).toEqual({ isWrong: true, text: 'Fill this in' });
      await input.fill('12345');
      expect((await saidOf(one, APP_CODE)).text).toBe('A code has six digits');
      await input.fill(enrolled.app.wrong());
      expect((await saidOf(one, APP_CODE)).isWrong).toBe(false);
      await button(one, 'Go on').click();
      await one.page.getByText('This is not the right code').waitFor();
      expect(await focused(one)).toBe(APP_CODE);
      await suitsEverybody(one);
      const code = await enrolled.app.next();
      await input.fill(`${code.slice(0, 3)} ${code.slice(3)}`);
      await input.press('Enter');
      await one.list.waitFor();
      await one.page.getByText(person.user.username).count();
      expect(one.failures).toEqual([]);
      await one.context.close();
    });

    test('takes a recovery code from who has lost the phone, and leads back to the password', async () => {
      const { person, enrolled, one } = await atFactor(options);
      await field(one, APP_CODE).fill('123');
      await button(one, 'Use a recovery code').click();
      expect(await focused(one)).toBe('Recovery code');
      expect([await field(one, 'Recovery code').inputValue(), await wrongFields(one)]).toEqual(['', []]);
      await one.page.getByText(`Ask whoever runs ${HOST}`).waitFor();
      await field(one, 'Recovery code').fill('none of mine');
      await button(one, 'Go on').click();
      await one.page.getByText('This is not the right code').waitFor();
      await suitsEverybody(one);
      await button(one, 'Back to the password').click();
      await logIn(one, person.user.username, person.password);
      await button(one, 'Use a recovery code').click();
      await field(one, 'Recovery code').fill(enrolled.codes[0]!.toLowerCase());
      await button(one, 'Go on').click();
      await one.list.waitFor();
      expect(one.failures).toEqual([]);
      await one.context.close();
    });
  });

  describe.skipIf(!canBrowse)(`${size}, where somebody is signed in`, () => {
    test('is listed, and each device but this one can be signed out, or all of them', async () => {
      const person = await signUp(stage.server, 'mara');
      const devices: Person[] = [];
      for (const agent of [FIREFOX, 'Parley/1 <b>', 'curl/8.5.0']) {
        const body = { email: person.user.email, password: person.password };
        const { body: answer } = await request(stage.server, 'POST', '/auth/login', {
          body,
          headers: { 'User-Agent': agent },
        });
        devices.push({ server: stage.server, tokens: answer.tokens } as Person);
      }
      const one = await atSecurity(person, options);
      const list = section(one, 'Where you are signed in');
      expect(await list.getByRole('listitem').count()).toBe(5);
      const first = list.getByRole('listitem').first();
      expect(await first.textContent()).toContain('Chrome on Linux');
      expect(await first.textContent()).toContain('this device');
      expect(await first.getByRole('button').count()).toBe(0);
      const firefox = list.getByRole('listitem').filter({ hasText: 'Firefox on Linux' });
      for (const text of ['Used this minute', '127.0.0.1', 'Signed in on']) {
        expect(await firefox.textContent()).toContain(text);
      }
      await suitsEverybody(one);

      await button(one, 'Sign out Firefox on Linux').click();
      await one.page.getByText('What it keeps of you is wiped').waitFor();
      await one.page.keyboard.press('Escape');
      expect(await firefox.count()).toBe(1);
      await button(one, 'Sign out Firefox on Linux').click();
      await one.page.getByRole('alertdialog').getByRole('button', { name: 'Sign out' }).click();
      await firefox.waitFor({ state: 'detached' });
      const codeOf = async ({ tokens }: Person) =>
        (await request(stage.server, 'GET', '/auth/me', { token: tokens.access_token })).body.code;
      expect([await codeOf(devices[0]!), await codeOf(devices[1]!)]).toEqual(['session_revoked', undefined]);

      await button(one, 'Sign out all others').click();
      await one.page.getByRole('alertdialog').getByRole('button', { name: 'Sign out all others' }).click();
      await one.page.getByText('3 devices were signed out').waitFor();
      expect(await list.getByRole('listitem').count()).toBe(1);
      for (const device of [...devices, person]) expect(await codeOf(device)).toBe('session_revoked');
      expect(one.failures).toEqual([]);
      await one.context.close();
    });
  });

  describe.skipIf(!canBrowse)(`${size}, what keeps an account one’s own`, () => {
    test('is reached from the settings and by its address, also by who has to come in first', async () => {
      const person = await signUp(stage.server, 'mara');
      const one = await stage.enter(person, options);
      await one.go('/');
      await button(one, 'Profile and settings').click();
      await one.page.getByRole('dialog').getByRole('button', { name: 'Security and account' }).click();
      await heading(one, 'Security and account').waitFor();
      expect(pathOf(one)).toBe('/settings/security');
      expect(await focused(one)).toBe('Security and account');
      expect(await one.page.title()).toBe('Security and account · Parley');
      await button(one, 'Back').click();
      await one.list.waitFor();
      expect(pathOf(one)).toBe('/');
      await one.context.close();

      const stranger = await stage.visitor('stranger', options);
      await stranger.go('/settings/security');
      await button(stranger, 'Log in').click();
      await logIn(stranger, person.user.email, person.password);
      await heading(stranger, 'Security and account').waitFor();
      expect(pathOf(stranger)).toBe('/settings/security');
      expect([one.failures, stranger.failures]).toEqual([[], []]);
      await stranger.context.close();
    });

    test('the password: errors stand beside their fields, all at once, and other devices are signed out', async () => {
      const person = await signUp(stage.server, 'mara');
      const other = await stage.enter(person);
      await other.go('/');
      await other.list.waitFor();
      const one = await atSecurity(person, options);
      await button(one, 'Change password').click();
      expect(await wrongFields(one)).toEqual(['current_password', 'new_password']);
      expect(await focused(one)).toBe('Current password');
      await field(one, 'Current password').fill('wrong horse battery');
      expect(await wrongFields(one)).toEqual(['new_password']);
      await field(one, 'New password').fill('short');
      expect((await saidOf(one, 'New password')).text).toContain('8 to 128 characters');
      await field(one, 'New password').fill(NEXT);
      await button(one, 'Change password').click();
      await eventually('it is wrong', async () => (await saidOf(one, 'Current password')).isWrong);
      expect((await saidOf(one, 'Current password')).text).toBe('This is not your password');
      await suitsEverybody(one);
      await field(one, 'Current password').fill(person.password);
      await button(one, 'Change password').click();
      await one.page.getByText('Your password is changed').waitFor();
      expect(await field(one, 'New password').inputValue()).toBe('');
      await button(other, 'Log in').first().waitFor();
      await eventually('the others are off the list', async () => {
        return (await section(one, 'Where you are signed in').getByRole('listitem').count()) === 1;
      });
      expect([one.failures, other.failures]).toEqual([[], []]);
      await Promise.all([one.context.close(), other.context.close()]);
    });

    test('the address: another one counts once its code is typed, and the old one is told', async () => {
      const person = await signUp(stage.server, 'mara');
      const { email } = person.user;
      const one = await atSecurity(person, options);
      const part = section(one, 'E-mail address');
      await part.getByText('It is not confirmed').waitFor();
      await field(one, 'Code of six digits').fill(codeIn(await box.next(email)));
      await button(one, 'Confirm').click();
      await part.getByText('It is confirmed').waitFor();

      await forgetProofs(person);
      const next = `next-${email}`;
      await button(one, 'Change the address').click();
      await field(one, 'New e-mail').fill(next);
      await button(one, 'Send the letter there').click();
      await field(one, 'Your password').fill(person.password);
      await button(one, 'Go on').click();
      await part.getByText(`${next} waits to be confirmed`).waitFor();
      expect(await part.getByText(email, { exact: true }).count()).toBe(1);
      await suitsEverybody(one);
      await field(one, 'Code of six digits').fill(codeIn(await box.next(next)));
      await button(one, 'Confirm').click();
      await part.getByText(next, { exact: true }).waitFor();
      await eventually('the old one is told', async () =>
        box.to(email).some(({ text }) => !text?.includes('/verify#')),
      );
      expect(one.failures).toEqual([]);
      await one.context.close();
    });

    test('the username: one that is taken says so beside it, another one is shown everywhere', async () => {
      const [person, other] = [await signUp(stage.server, 'mara'), await signUp(stage.server, 'tomas')];
      const one = await atSecurity(person, options);
      expect(await button(one, 'Change the username').isDisabled()).toBe(true);
      await field(one, 'Username').fill('a b');
      await button(one, 'Change the username').click();
      expect((await saidOf(one, 'Username')).isWrong).toBe(true);
      await field(one, 'Username').fill(other.user.username);
      await button(one, 'Change the username').click();
      await one.page.getByText('This username is taken').waitFor();
      const next = `renamed-${person.user.username}`;
      await field(one, 'Username').fill(next);
      await button(one, 'Change the username').click();
      await one.page.getByText('Your username is changed').waitFor();
      expect((await person.call('GET', '/auth/me')).body.username).toBe(next);
      await one.context.close();
    });

    test('the end of the account: with the password, and nothing of it stays on the device', async () => {
      const [person, other] = [await signUp(stage.server, 'mara'), await signUp(stage.server, 'tomas')];
      const id = await other.group([person], 'Household');
      await other.send(id, 'the key is under the mat');
      const one = await stage.enter(person, options);
      await one.go(`/c/${id}`);
      await one.stored('the key is under the mat');
      await one.composer.fill('half a thought');
      await one.go('/settings/security');
      await button(one, 'Delete the account…').click();
      await one.page.getByText('Delete your account for good?').waitFor();
      await suitsEverybody(one);
      await button(one, 'Delete for good').click();
      expect((await saidOf(one, 'Your password')).text).toBe('Fill this in');
      await field(one, 'Your password').fill('wrong horse battery');
      await button(one, 'Delete for good').click();
      await one.page.getByText('This is not your password').waitFor();
      await field(one, 'Your password').fill(person.password);
      await button(one, 'Delete for good').click();
      await one.page.getByText('Your account is deleted').waitFor();
      const kept = () => one.page.evaluate(keptInBrowser, `parley ${stage.server.url}`);
      await eventually('it is wiped', async () => !(await kept()).includes('Household'));
      for (const word of ['under the mat', 'half a thought', person.user.email, person.id]) {
        expect({ word, isThere: (await kept()).includes(word) }).toEqual({ word, isThere: false });
      }
      const again = { body: { email: person.user.email, password: person.password } };
      expect((await request(stage.server, 'POST', '/auth/login', again)).status).toBe(401);
      expect(one.failures).toEqual([]);
      await one.context.close();
    });

    test('the second factor: a picture and a key, a code of the app, and ten codes that are shown once', async () => {
      const person = await signUp(stage.server, 'mara');
      const one = await atSecurity(person, { ...options, acceptDownloads: true });
      await one.context.grantPermissions(['clipboard-read', 'clipboard-write']);
      await button(one, 'Set it up').click();
      await heading(one, 'Set up your authenticator app').waitFor();
      expect(await focused(one)).toBe('Set up your authenticator app');
      // The picture holds what the link does, square by square.
      const uri =
        (await one.page.getByRole('link', { name: 'Open the app on this device' }).getAttribute('href')) ?? '';
      const drawn = renderSVG(uri, { border: 3, pixelSize: 6, ecc: 'M' });
      const picture = one.page.getByRole('img', { name: 'QR code for your authenticator app' });
      expect(drawn).toContain(`d="${await picture.locator('path').getAttribute('d')}"`);
      expect(await picture.getAttribute('viewBox')).toBe(/viewBox="([^"]+)"/.exec(drawn)![1]!);
      const secret = new URL(uri).searchParams.get('secret')!;
      await button(one, 'Copy the key').click();
      expect(await one.page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
      await suitsEverybody(one);

      await field(one, APP_CODE).fill(new Authenticator(secret).wrong());
      await button(one, 'Turn it on').click();
      await one.page.getByText('This is not the right code').waitFor();
      const { app, codes } = await setUp(one);
      expect(app.secret).toBe(secret);
      expect(new Set(codes).size).toBe(10);
      expect(await focused(one)).toBe('Your recovery codes');
      await suitsEverybody(one);
      await button(one, 'Copy').click();
      const copied = await one.page.evaluate(() => navigator.clipboard.readText());
      const [download] = await Promise.all([one.page.waitForEvent('download'), button(one, 'Download').click()]);
      expect(download.suggestedFilename()).toBe('parley-recovery-codes.txt');
      const saved = await Bun.file(await download.path()).text();
      expect(saved).toBe(copied);
      expect(saved.split('\n')).toEqual([`Recovery codes of ${person.user.username} at ${HOST}`, '', ...codes, '']);
      // On paper stand the codes, whose they are, and nothing else.
      await one.page.evaluate(() => Object.assign(window, { print: () => Object.assign(window, { isPrinted: true }) }));
      await button(one, 'Print').click();
      expect(await one.page.evaluate(() => (window as any).isPrinted)).toBe(true);
      await one.page.emulateMedia({ media: 'print' });
      expect(await one.page.locator('body').innerText()).toBe(await one.page.locator('.printed').innerText());
      await one.page.emulateMedia({ media: null });

      // Leaving the page for another one does not lose them.
      await button(one, 'Back').click();
      await one.list.waitFor();
      await one.page.goBack();
      await heading(one, 'Your recovery codes').waitFor();
      expect(await one.page.locator('.printed li').allTextContents()).toEqual(codes);
      await button(one, 'I have kept them').click();
      await one.page.getByText('10 recovery codes are left').waitFor();
      expect(await one.page.content()).not.toContain(codes[0]!);
      expect(await focused(one)).toBe('Second factor');
      await one.page.reload();
      await one.page.getByText('10 recovery codes are left').waitFor();
      expect(await one.page.content()).not.toContain(codes[0]!);

      await button(one, 'New recovery codes').click();
      await one.page.getByRole('alertdialog').getByRole('button', { name: 'New recovery codes' }).click();
      await heading(one, 'Your recovery codes').waitFor();
      const renewed = await one.page.locator('.printed li').allTextContents();
      expect(renewed.filter((code) => codes.includes(code))).toEqual([]);
      await button(one, 'I have kept them').click();

      await button(one, 'Turn it off').click();
      await one.page.getByRole('alertdialog').getByRole('button', { name: 'Turn it off' }).click();
      await button(one, 'Set it up').waitFor();
      await eventually('it is off', async () => !(await person.call('GET', '/auth/me')).body.has_second_factor);
      expect(one.failures).toEqual([]);
      await one.context.close();
    });

    test('another phone takes the place of the one in use once its code is shown; who stops half-way keeps the old one', async () => {
      const person = await signUp(stage.server, 'mara');
      const one = await atSecurity(person, options);
      await button(one, 'Set it up').click();
      await setUp(one);
      await button(one, 'I have kept them').click();
      await button(one, 'Use another app or phone').click();
      await heading(one, 'Set up your authenticator app').waitFor();
      await button(one, 'Cancel').click();
      await button(one, 'Use another app or phone').click();
      const { app } = await setUp(one);
      await button(one, 'I have kept them').click();
      await one.context.close();

      const door = await stage.visitor('door', options);
      await door.go('/login');
      await logIn(door, person.user.username, person.password);
      await field(door, APP_CODE).fill(await app.next());
      await button(door, 'Go on').click();
      await door.list.waitFor();
      expect([one.failures, door.failures]).toEqual([[], []]);
      await door.context.close();
    });
  });

  describe.skipIf(!canBrowse)(`${size}, where a server asks for a second factor`, () => {
    test('nothing else is there before it is set up and its codes are kept, whatever the address', async () => {
      const [person, other] = [await signUp(strict.server, 'mara'), await signUp(strict.server, 'tomas')];
      await enrol(other);
      const id = await other.group([], 'Household');
      const one = await strict.enter(person, options);
      for (const path of ['/', '/settings/security', `/c/${id}`]) {
        await one.go(path);
        await heading(one, 'Set up a second factor').waitFor();
        expect(await one.list.count()).toBe(0);
      }
      await suitsEverybody(one);
      await button(one, 'Set it up').click();
      const { codes } = await setUp(one);
      expect(codes).toHaveLength(10);
      await suitsEverybody(one);
      expect(await button(one, 'Log out').count()).toBe(0);
      // Whoever leaves them is asked whether they mean it.
      const asked = new Promise<string>((resolve) => {
        one.page.once('dialog', (dialog) => {
          resolve(dialog.type());
          void dialog.dismiss();
        });
      });
      await one.page.evaluate(() => location.assign('/login'));
      expect(await asked).toBe('beforeunload');
      expect(await one.page.locator('.printed li').allTextContents()).toEqual(codes);
      await button(one, 'I have kept them').click();
      await one.page.getByText('You are not in it any more').or(one.list).first().waitFor();
      await one.go('/settings/security');
      await one.page.getByText('10 recovery codes are left').waitFor();
      await button(one, 'Turn it off').click();
      await one.page.getByRole('alertdialog').getByRole('button', { name: 'Turn it off' }).click();
      await one.page.getByText('This server asks for a second factor').waitFor();
      expect(one.failures).toEqual([]);
      await one.context.close();
    });
  });
}

describe.skipIf(!canBrowse)('a sign-in that lacks the second factor', () => {
  test('is over after five wrong codes: the password is asked for again, and told why', async () => {
    const { enrolled, person, one } = await atFactor({});
    for (let count = 0; count < 6; count++) {
      await field(one, APP_CODE).fill(enrolled.app.wrong());
      const answered = one.page.waitForResponse(/\/auth\/mfa$/);
      await button(one, 'Go on').click();
      await answered;
    }
    await one.page.getByText('Log in with your password once more').waitFor();
    await logIn(one, person.user.username, person.password);
    await field(one, APP_CODE).fill(await enrolled.app.next());
    await button(one, 'Go on').click();
    await one.list.waitFor();
    expect(one.failures).toEqual([]);
    await one.context.close();
  });

  test('is over once another password was chosen meanwhile', async () => {
    const { enrolled, person, one } = await atFactor({});
    const change = { current_password: person.password, new_password: NEXT };
    expect((await person.call('POST', '/auth/password', change)).status).toBe(200);
    await field(one, APP_CODE).fill(await enrolled.app.next());
    await button(one, 'Go on').click();
    await one.page.getByText('Log in with your password once more').waitFor();
    await one.context.close();
  });
});

describe.skipIf(!canBrowse)('a device', () => {
  test('that was signed in before there was a second factor asks for it, in each tab, and goes on', async () => {
    const [person, other] = [await signUp(stage.server, 'mara'), await signUp(stage.server, 'tomas')];
    const id = await other.group([person], 'Household');
    await other.send(id, 'the key is under the mat');
    const one = await stage.enter(person);
    await one.go(`/c/${id}`);
    await one.message('under the mat').waitFor();
    const tab = await one.tab();
    await tab.list.waitFor();
    const { app } = await enrol(person);
    for (const each of [one, tab]) {
      await field(each, APP_CODE).waitFor();
      await each.page.getByText('Your account has a second factor').waitFor();
      expect(await each.page.content()).not.toContain('under the mat');
    }
    await one.page.reload();
    await field(one, APP_CODE).fill(await app.next());
    await button(one, 'Go on').click();
    await one.message('under the mat').waitFor();
    await tab.list.waitFor();
    expect([one.failures, tab.failures]).toEqual([[], []]);
    await one.context.close();
  });

  test('that was signed out from another one keeps nothing, not even what was half written, and says so', async () => {
    const [person, other] = [await signUp(stage.server, 'mara'), await signUp(stage.server, 'tomas')];
    const id = await other.group([person], 'Household');
    await other.send(id, 'the key is under the mat');
    const phone = await stage.enter(person, { ...SIZES['on a phone of 360 pixels'], userAgent: FIREFOX });
    await phone.go(`/c/${id}`);
    await phone.stored('the key is under the mat');
    await phone.composer.fill('half a thought');
    const tab = await phone.tab();
    await tab.list.waitFor();

    const desk = await atSecurity(person);
    await button(desk, 'Sign out Firefox on Linux').click();
    await desk.page.getByRole('alertdialog').getByRole('button', { name: 'Sign out' }).click();
    await desk.page.getByText('Signed out', { exact: true }).waitFor();
    for (const each of [phone, tab]) {
      await each.page.getByText('This device was signed out from another one').waitFor();
      await suitsEverybody(each);
    }
    const kept = () => phone.page.evaluate(keptInBrowser, `parley ${stage.server.url}`);
    await eventually('it is wiped', async () => !(await kept()).includes('under the mat'));
    for (const word of ['under the mat', 'half a thought', 'Household', person.user.email, person.id]) {
      expect({ word, isThere: (await kept()).includes(word) }).toEqual({ word, isThere: false });
    }
    await logIn(phone, person.user.username, person.password);
    await phone.message('under the mat').waitFor();
    expect(await phone.composer.inputValue()).toBe('');
    expect([phone.failures, tab.failures, desk.failures]).toEqual([[], [], []]);
    await Promise.all([phone.context.close(), desk.context.close()]);
  });
});

describe.skipIf(!canBrowse)('what only the owner may do', () => {
  test('asks once more who it is, and then goes on with what was asked; who gives up has changed nothing', async () => {
    const person = await signUp(stage.server, 'mara');
    const { app } = await enrol(person);
    const one = await stage.visitor('owner');
    await one.go('/login');
    await logIn(one, person.user.username, person.password);
    await field(one, APP_CODE).fill(await app.next());
    await button(one, 'Go on').click();
    await one.list.waitFor();
    await one.go('/settings/security');
    await one.page.getByText('10 recovery codes are left').waitFor();
    await forgetProofs(person);
    const next = `renamed-${person.user.username}`;
    await field(one, 'Username').fill(next);
    await button(one, 'Change the username').click();
    await heading(one, 'Show that it is you').waitFor();
    expect(await focused(one)).toBe('Your password');
    await suitsEverybody(one);
    await one.page.keyboard.press('Escape');
    await section(one, 'Username').getByText('Nothing was changed').waitFor();
    expect((await person.call('GET', '/auth/me')).body.username).toBe(person.user.username);

    await button(one, 'Change the username').click();
    await field(one, 'Your password').fill('wrong horse battery');
    await button(one, 'Go on').click();
    await one.page.getByText('This is not your password').waitFor();
    await button(one, 'Use a code of the app').click();
    expect(await focused(one)).toBe(APP_CODE);
    await field(one, APP_CODE).fill(app.wrong());
    await button(one, 'Go on').click();
    await one.page.getByText('This is not the right code').waitFor();
    await field(one, APP_CODE).fill(await app.next());
    await field(one, APP_CODE).press('Enter');
    await one.page.getByText('Your username is changed').waitFor();
    expect((await person.call('GET', '/auth/me')).body.username).toBe(next);

    await forgetProofs(person);
    await button(one, 'Sign out Bun').click();
    await one.page.getByRole('alertdialog').getByRole('button', { name: 'Sign out' }).click();
    await field(one, 'Your password').fill(person.password);
    await button(one, 'Go on').click();
    await one.page.getByText('Signed out', { exact: true }).waitFor();
    expect(await person.refusal()).toBe('session_revoked');
    expect(one.failures).toEqual([]);
    await one.context.close();
  });
});

describe.skipIf(!canBrowse)('a password that somebody else made', () => {
  test('is changed before anything else', async () => {
    const person = await signUp(stage.server, 'mara');
    const made = 'chosen horse battery';
    const reset = ['admin', 'reset-password', person.id, '--password', made];
    expect((await runParley(reset, { DATA_DIR: stage.server.dataDir })).code).toBe(0);
    const one = await stage.visitor('new', SIZES['on a phone of 360 pixels']);
    await one.go('/login');
    await logIn(one, person.user.username, made);
    await heading(one, 'Choose a password of your own').waitFor();
    await one.go('/settings/security');
    await heading(one, 'Choose a password of your own').waitFor();
    await suitsEverybody(one);
    await field(one, 'Current password').fill(made);
    await field(one, 'New password').fill(NEXT);
    await button(one, 'Change password').click();
    await heading(one, 'Where you are signed in').waitFor();
    expect(one.failures).toEqual([]);
    await one.context.close();
  });
});

describe.skipIf(!canBrowse)('a newcomer', () => {
  test('who loses password and phone comes back: by a letter, a recovery code, and with a new phone', async () => {
    const desk = await stage.visitor('nina');
    await desk.signUp();
    await field(desk, 'Code of six digits').fill(codeIn(await box.next(desk.email)));
    await button(desk, 'Confirm').click();
    await desk.page.getByText('Your address is confirmed').waitFor();
    await button(desk, 'Profile and settings').click();
    await desk.page.getByRole('dialog').getByRole('button', { name: 'Security and account' }).click();
    await button(desk, 'Set it up').click();
    const { codes } = await setUp(desk);
    await button(desk, 'I have kept them').click();

    // Everything is gone but the paper with the codes and the mail.
    const phone = await stage.visitor('new-phone', SIZES['on a phone of 360 pixels']);
    await phone.go('/forgot');
    await field(phone, 'E-mail').fill(desk.email);
    const before = box.to(desk.email).length;
    await button(phone, 'Send the letter').click();
    const letter = await eventually('the letter', async () =>
      box
        .to(desk.email)
        .slice(before)
        .find(({ text }) => text?.includes('/reset#')),
    );
    await phone.go(`/reset#${tokenIn(letter, 'reset')}`);
    await field(phone, 'New password').fill(NEXT);
    await button(phone, 'Change the password').click();
    await phone.page.getByText('Your password is changed').waitFor();
    // A letter alone lets nobody in.
    expect(await phone.list.count()).toBe(0);
    await button(phone, 'Use a recovery code').click();
    await suitsEverybody(phone);
    await field(phone, 'Recovery code').fill(codes[3]!);
    await button(phone, 'Go on').click();
    await phone.list.waitFor();
    await button(desk, 'Log in').first().waitFor();

    await phone.go('/settings/security');
    await phone.page.getByText('9 recovery codes are left').waitFor();
    await button(phone, 'Use another app or phone').click();
    const renewed = await setUp(phone);
    await button(phone, 'I have kept them').click();
    await phone.page.getByText('10 recovery codes are left').waitFor();

    await logIn(desk, desk.email, NEXT);
    await field(desk, APP_CODE).fill(await renewed.app.next());
    await button(desk, 'Go on').click();
    await desk.page.getByText('10 recovery codes are left').or(desk.list).first().waitFor();
    expect([desk.failures, phone.failures]).toEqual([[], []]);
    await Promise.all([desk.context.close(), phone.context.close()]);
  });
});
