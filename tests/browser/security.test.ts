import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { enrol } from '../support/authenticator.ts';
import { eventually } from '../support/eventually.ts';
import { codeIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { type Person, request, signUp } from '../support/people.ts';
import { endServers, runParley } from '../support/server.ts';
import {
  APP_CODE,
  atSecurity,
  FIREFOX,
  forgetProofs,
  logIn,
  NEXT_PASSWORD,
  SIZES,
  section,
} from './account-screens.ts';
import { keptInBrowser } from './kept-in-page.ts';
import { button, field, focused, heading, pathOf, saidOf, suitsEverybody, wrongFields } from './screen.ts';
import { canBrowse, Stage } from './support.ts';

setDefaultTimeout(150_000);

let box: Mailbox;
let stage: Stage;

beforeAll(async () => {
  if (!canBrowse) return;
  box = await Mailbox.open();
  stage = await Stage.open(box.environment());
});
afterAll(async () => {
  await stage?.close();
  await endServers();
  await box?.close();
});

for (const [size, options] of Object.entries(SIZES)) {
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
      const one = await atSecurity(stage, person, options);
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
      const one = await atSecurity(stage, person, options);
      await button(one, 'Change password').click();
      expect(await wrongFields(one)).toEqual(['current_password', 'new_password']);
      expect(await focused(one)).toBe('Current password');
      await field(one, 'Current password').fill('wrong horse battery');
      expect(await wrongFields(one)).toEqual(['new_password']);
      await field(one, 'New password').fill('short');
      expect((await saidOf(one, 'New password')).text).toContain('8 to 128 characters');
      await field(one, 'New password').fill(NEXT_PASSWORD);
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
      const one = await atSecurity(stage, person, options);
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
      const one = await atSecurity(stage, person, options);
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
  });
}

describe.skipIf(!canBrowse)('a device', () => {
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

    const desk = await atSecurity(stage, person);
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
    await field(one, 'New password').fill(NEXT_PASSWORD);
    await button(one, 'Change password').click();
    await heading(one, 'Where you are signed in').waitFor();
    expect(one.failures).toEqual([]);
    await one.context.close();
  });
});
