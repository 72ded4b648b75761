import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { BrowserContextOptions } from 'playwright-core';
import { renderSVG } from 'uqr';
import { Authenticator, type Enrolled, enrol } from '../support/authenticator.ts';
import { eventually } from '../support/eventually.ts';
import { codeIn, tokenIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { type Person, signUp } from '../support/people.ts';
import { endServers } from '../support/server.ts';
import { APP_CODE, atSecurity, logIn, NEXT_PASSWORD, SIZES, setUp } from './account-screens.ts';
import { button, field, focused, heading, saidOf, suitsEverybody, wrongFields } from './screen.ts';
import { canBrowse, Stage, type Visitor } from './support.ts';

setDefaultTimeout(150_000);

const HOST = 'chat.example.com';

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

for (const [size, options] of Object.entries(SIZES)) {
  describe.skipIf(!canBrowse)(`${size}, the second factor at the log-in`, () => {
    test('is asked for after the password, and takes a code of the app, as phones and browsers fill it in', async () => {
      const { enrolled, one } = await atFactor(options);
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

  describe.skipIf(!canBrowse)(`${size}, a second factor`, () => {
    test('the second factor: a picture and a key, a code of the app, and ten codes that are shown once', async () => {
      const person = await signUp(stage.server, 'mara');
      const one = await atSecurity(stage, person, { ...options, acceptDownloads: true });
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
      const one = await atSecurity(stage, person, options);
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
    const change = { current_password: person.password, new_password: NEXT_PASSWORD };
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
    await field(phone, 'New password').fill(NEXT_PASSWORD);
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

    await logIn(desk, desk.email, NEXT_PASSWORD);
    await field(desk, APP_CODE).fill(await renewed.app.next());
    await button(desk, 'Go on').click();
    await desk.page.getByText('10 recovery codes are left').or(desk.list).first().waitFor();
    expect([desk.failures, phone.failures]).toEqual([[], []]);
    await Promise.all([desk.context.close(), phone.context.close()]);
  });
});
