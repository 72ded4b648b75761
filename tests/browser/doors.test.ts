import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { BrowserContextOptions } from 'playwright-core';
import { eventually } from '../support/eventually.ts';
import { codeIn, tokenIn } from '../support/letters.ts';
import { Mailbox } from '../support/mailbox.ts';
import { type Person, signUp } from '../support/people.ts';
import { endServers } from '../support/server.ts';
import { runStored } from '../support/stored.ts';
import { findings } from './findings.ts';
import { button, field, heading, pathOf, saidOf, wrongFields } from './screen.ts';
import { canBrowse, PASSWORD, Stage, type Visitor } from './support.ts';

setDefaultTimeout(120_000);

const HOST = 'chat.example.com';
const SIZES: Record<string, BrowserContextOptions> = {
  'on a desk': { viewport: { width: 1280, height: 800 } },
  'on a phone of 360 pixels': { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true },
};

/** A code that is not the one of a letter. */
const wrongFor = (code: string) => (code === '000000' ? '000001' : '000000');

let box: Mailbox;
/** With mail, and a password of which guessers think first is refused. */
let stage: Stage;
/** Where an address has to be confirmed before anything else. */
let strict: Stage;
/** Without mail. */
let mute: Stage;

beforeAll(async () => {
  if (!canBrowse) return;
  box = await Mailbox.open();
  const mail = box.environment(`https://${HOST}`);
  [stage, strict, mute] = await Promise.all([
    Stage.open({ ...mail, PASSWORD_STRENGTH: 'refuse' }),
    Stage.open({ ...mail, REQUIRE_VERIFIED_EMAIL: 'true' }),
    Stage.open({ ENV: 'dev' }),
  ]);
});
afterAll(async () => {
  await Promise.all([stage?.close(), strict?.close(), mute?.close()]);
  await endServers();
  await box?.close();
});

const code = (visitor: Visitor) => field(visitor, 'Code of six digits');

async function logIn(visitor: Visitor, who: string, password = PASSWORD): Promise<void> {
  await field(visitor, 'E-mail, username or phone').fill(who);
  await field(visitor, 'Password').fill(password);
  await button(visitor, 'Log in').click();
}

/** A conversation, as a link to it, and who is in it. */
async function conversation(at: Stage): Promise<{ person: Person; link: string }> {
  const [person, other] = await Promise.all([signUp(at.server, 'mara'), signUp(at.server, 'tomas')]);
  return { person, link: `/c/${await person.direct(other)}` };
}

/** Somebody whose address is confirmed, where it has to be. */
async function confirmed(visitor: Visitor): Promise<void> {
  await visitor.go('/signup');
  await visitor.fillSignUp();
  await code(visitor).fill(codeIn(await box.next(visitor.email)));
  await button(visitor, 'Confirm').click();
  await visitor.list.waitFor();
}

for (const [size, options] of Object.entries(SIZES)) {
  describe.skipIf(!canBrowse)(`${size}, a newcomer`, () => {
    test('is told what this is and whose server it is, and not welcomed back', async () => {
      const one = await stage.visitor('new', options);
      await one.go('/');
      await heading(one, `Parley at ${HOST}`).waitFor();
      expect(await one.page.title()).toContain(`Parley at ${HOST}`);
      for (const way of ['Sign up', 'Log in']) expect(await button(one, way).isVisible()).toBe(true);
      await button(one, 'Log in').click();
      await heading(one, 'Log in').waitFor();
      // Whoever hears the page and does not see it is told that it is another.
      expect(await one.page.evaluate(() => document.activeElement?.textContent)).toBe('Log in');
      await one.page.goBack();
      await heading(one, `Parley at ${HOST}`).waitFor();
      expect(await one.page.getByText('Welcome back').count()).toBe(0);
      expect(await findings(one)).toEqual([]);

      await button(one, 'Sign up').click();
      await one.fillSignUp();
      await one.list.waitFor();
      await button(one, 'Profile and settings').click();
      await button(one, 'Log out').click();
      await heading(one, 'Welcome back').waitFor();
      await one.go('/');
      await heading(one, 'Welcome back').waitFor();
      expect(pathOf(one)).toBe('/login');
      expect(one.failures).toEqual([]);
      await one.context.close();
    });

    test('signs up with a name, an address and a password, as password managers expect them', async () => {
      const one = await stage.visitor('signs-up', options);
      await one.go('/signup');
      await field(one, 'Name').waitFor();
      const inputs = await one.page
        .locator('input')
        .evaluateAll((all) =>
          all.map((input) => ['name', 'type', 'autocomplete'].map((key) => input.getAttribute(key))),
        );
      expect(inputs).toEqual(
        [
          ['name', 'text', 'name'],
          ['email', 'email', 'username'],
          ['password', 'password', 'new-password'],
        ].map(([name, type, autocomplete]) => [name!, name === 'name' ? null : type!, autocomplete!]),
      );
      const password = field(one, 'Password');
      await password.fill(PASSWORD);
      await button(one, 'Show password').click();
      expect(await password.getAttribute('type')).toBe('text');
      await button(one, 'Hide password').click();
      expect(await password.getAttribute('type')).toBe('password');
      // What is pasted counts like what is typed.
      await password.fill('');
      await password.evaluate((input, text) => {
        input.focus();
        document.execCommand('insertText', false, text);
      }, 'four quiet herons');
      await one.page.getByText('Strong.').waitFor();
      await field(one, 'Name').fill('  Mara   Lindqvist ');
      await field(one, 'E-mail').fill(one.email);
      await button(one, 'Sign up').click();
      await one.list.waitFor();
      await button(one, 'Profile and settings').click();
      expect(await field(one, 'Display name').inputValue()).toBe('Mara Lindqvist');
      await one.page.getByText(`@${one.username}`).waitFor();
      await one.page.keyboard.press('Escape');
      await one.go('/login');
      await one.list.waitFor();
      await one.context.close();

      const other = await stage.visitor('logs-in', options);
      await other.go('/login');
      expect(await field(other, 'E-mail, username or phone').getAttribute('autocomplete')).toBe('username');
      expect(await field(other, 'Password').getAttribute('autocomplete')).toBe('current-password');
      await logIn(other, one.email, 'four quiet herons');
      await other.list.waitFor();
      await other.context.close();
    });

    test('is told all that is wrong at once, each beside its field, and it goes as it is mended', async () => {
      const taken = (await signUp(stage.server, 'taken')).user.email;
      await runStored(
        stage.server,
        'update users set email = unverified_email, email_proven = 1 where unverified_email = ?',
        taken,
      );
      const one = await stage.visitor('wrong', options);
      await one.go('/signup');
      await button(one, 'Sign up').click();
      expect(await wrongFields(one)).toEqual(['name', 'email', 'password']);
      expect(await one.page.getByRole('alert').textContent()).toBe('3 fields need your attention.');
      expect(await one.page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('name');
      expect(await saidOf(one, 'Name')).toEqual({ isWrong: true, text: 'Fill this in' });
      expect(await findings(one)).toEqual([]);

      await field(one, 'Name').fill('a\u0430'); // Latin and Cyrillic
      await field(one, 'E-mail').fill('mara@example');
      await field(one, 'Password').fill('short');
      expect((await saidOf(one, 'Name')).text).toStartWith('Up to 100 characters');
      expect((await saidOf(one, 'E-mail')).text).toBe('This does not look like an e-mail address');
      expect((await saidOf(one, 'Password')).text).toContain('8 to 128 characters');

      await field(one, 'Name').fill('Mara Lindqvist');
      expect(await wrongFields(one)).toEqual(['email', 'password']);
      await field(one, 'E-mail').fill(taken);
      expect(await wrongFields(one)).toEqual(['password']);
      const refused: string[] = [];
      one.page.on('response', (response) => {
        if (response.request().method() === 'POST') refused.push(String(response.status()));
      });
      for (const [password, reason] of [
        ['Password123', 'This is one of the passwords that are tried first.'],
        ['Lindqvist2024', 'This is made of a name that others know.'],
      ] as const) {
        await field(one, 'Password').fill(password);
        // In the server's own words, and before anything is sent.
        await eventually(reason, async () => (await saidOf(one, 'Password')).text.includes(reason));
        expect((await saidOf(one, 'Password')).isWrong).toBe(true);
        await button(one, 'Sign up').click();
      }
      expect(refused).toEqual([]);

      await field(one, 'Password').fill(PASSWORD);
      await eventually('it is mended', async () => (await wrongFields(one)).length === 0);
      await button(one, 'Sign up').click();
      await eventually('it is taken', async () => (await wrongFields(one)).join() === 'email');
      expect(refused).toEqual(['409']);
      expect((await saidOf(one, 'E-mail')).text).toBe('This e-mail address has an account already');
      expect(await one.page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('email');
      await field(one, 'E-mail').fill(one.email);
      expect(await wrongFields(one)).toEqual([]);
      await button(one, 'Sign up').click();
      await one.list.waitFor();
      expect(one.failures).toEqual([]);
      await one.context.close();
    });

    test('reaches every field and button while the keyboard of the screen takes half of it', async () => {
      const one = await stage.visitor('keyboard', options);
      const { width } = one.page.viewportSize()!;
      await one.page.setViewportSize({ width, height: 300 });
      for (const path of ['/', '/login', '/signup', '/forgot', '/reset#x', '/verify#x']) {
        await one.go(path);
        await one.page.getByText(`About ${HOST}`).waitFor();
        expect([path, await one.page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([path, width]);
        for (const target of await one.page.locator('.card input, .card button').all()) {
          await target.focus();
          const { top, bottom } = await target.evaluate((element) => {
            const { top, bottom } = element.getBoundingClientRect();
            return { top, bottom };
          });
          expect([path, top >= 0, bottom <= 300]).toEqual([path, true, true]);
        }
      }
      await one.context.close();
    });
  });

  describe.skipIf(!canBrowse)(`${size}, a link to a conversation`, () => {
    test('survives the log-in, from the first page on', async () => {
      const { person, link } = await conversation(stage);
      const one = await stage.visitor('mara', options);
      await one.go(link);
      await one.page.getByText('It opens once you are in').waitFor();
      await button(one, 'Log in').click();
      await logIn(one, person.user.username, 'not this one');
      await one.page.getByText('The account or the password is wrong.').waitFor();
      await one.page.reload();
      await logIn(one, person.user.username);
      await one.composer.waitFor();
      expect(pathOf(one)).toBe(link);
      // Who was here before has the form at once, at the very address.
      await one.context.clearCookies();
      await one.page.evaluate(() =>
        indexedDB.databases().then((all) => {
          for (const { name } of all) indexedDB.deleteDatabase(name!);
        }),
      );
      await one.go(link);
      await heading(one, 'Welcome back').waitFor();
      await logIn(one, person.user.username);
      await one.composer.waitFor();
      expect(pathOf(one)).toBe(link);
      await one.context.close();
    });

    test('survives the sign-up, also by way of the log-in', async () => {
      const one = await stage.visitor('up', options);
      const { link } = await conversation(stage);
      await one.go(link);
      await button(one, 'Log in').click();
      await button(one, 'Sign up').click();
      await one.fillSignUp();
      // Nobody has added them yet, and they are where they wanted to be.
      await one.page.getByText('There is no such conversation').waitFor();
      expect(pathOf(one)).toBe(link);
      await one.context.close();
    });

    test('survives a lost password, whose letter opens in another tab', async () => {
      const { person, link } = await conversation(stage);
      const { email } = person.user;
      const before = box.to(email).length;
      const one = await stage.visitor('lost', options);
      await one.go(link);
      await button(one, 'Log in').click();
      await field(one, 'E-mail, username or phone').fill(email);
      await button(one, 'Forgot your password?').click();
      // What was typed is there already.
      expect(await field(one, 'E-mail').inputValue()).toBe(email);
      await button(one, 'Send the letter').click();
      await heading(one, 'Look into your mail').waitFor();
      const token = tokenIn(
        await eventually('the link', async () =>
          box
            .to(email)
            .slice(before)
            .find(({ text }) => text?.includes('/reset#')),
        ),
        'reset',
      );
      const tab = await one.tab(`/reset#${token}`);
      await field(tab, 'New password').fill('quite another horse');
      await button(tab, 'Change the password').click();
      await tab.composer.waitFor();
      expect(pathOf(tab)).toBe(link);
      // The tab that waited comes along.
      await one.composer.waitFor();
      expect(pathOf(one)).toBe(link);
      await one.context.close();
    });

    test('survives the confirmation, in the tab that waits and in the one that the letter opens', async () => {
      const { link } = await conversation(strict).catch(() => ({ link: '/c/0199a3f0-7c1e-7d44-8a5b-5f0c6f3b2a10' }));
      const one = await strict.visitor('waits', options);
      await one.go(link);
      await button(one, 'Sign up').click();
      await one.fillSignUp();
      await code(one).waitFor();
      expect(pathOf(one)).toBe(link);
      const tab = await one.tab(`/verify#${tokenIn(await box.next(one.email), 'verify')}`);
      await button(tab, 'Confirm this address').click();
      await tab.page.getByText('The address is confirmed').waitFor();
      await button(tab, 'Go on').click();
      for (const each of [tab, one]) {
        await each.page.getByText('There is no such conversation').waitFor();
        expect(pathOf(each)).toBe(link);
      }
      expect([one.failures, tab.failures]).toEqual([[], []]);
      await one.context.close();
    });
  });

  describe.skipIf(!canBrowse)(`${size}, a lost password`, () => {
    test('is answered the same for an address with an account and for one without', async () => {
      const known = await signUp(stage.server, 'known');
      const said: string[] = [];
      for (const email of [known.user.email, known.user.email.replace('known', 'nobody')]) {
        const one = await stage.visitor('forgot', options);
        await one.go('/login');
        await button(one, 'Forgot your password?').click();
        await button(one, 'Send the letter').click();
        expect(await saidOf(one, 'E-mail')).toEqual({ isWrong: true, text: 'Fill this in' });
        await field(one, 'E-mail').fill(email);
        await button(one, 'Send the letter').click();
        await heading(one, 'Look into your mail').waitFor();
        said.push((await one.page.locator('main').innerText()).replace(email, 'the address'));
        expect(await findings(one)).toEqual([]);
        await one.context.close();
      }
      expect(said[0]).toContain('If an account has the address the address, a letter is on its way');
      expect(said[1]).toBe(said[0]!);
    });

    test('is none that a letter could replace where the server has no mail, and it is said whom to ask', async () => {
      const one = await mute.visitor('asks', options);
      await one.go('/forgot');
      await heading(one, 'This server sends no mail').waitFor();
      const { host } = new URL(mute.server.url);
      await one.page.getByText(`Ask whoever runs ${host}`).waitFor();
      expect(await one.page.locator('input').count()).toBe(0);
      // Also where that was not known before it was asked for.
      await one.page.route('**/api/v1/server', (route) => route.abort());
      await one.page.reload();
      await field(one, 'E-mail').fill('mara@example.com');
      await button(one, 'Send the letter').click();
      await heading(one, 'This server sends no mail').waitFor();
      expect(await findings(one)).toEqual([]);
      await one.context.close();
    });
  });

  describe.skipIf(!canBrowse)(`${size}, an address that is not confirmed`, () => {
    test('is asked about above the list, where its code is typed and another letter asked for', async () => {
      const one = await stage.visitor('unsure', options);
      await one.page.clock.install();
      await one.go('/signup');
      await one.fillSignUp();
      await one.page.getByText(`We sent a letter to ${one.email}`).waitFor();
      expect(await findings(one)).toEqual([]);
      const first = codeIn(await box.next(one.email));
      await button(one, 'Confirm').click();
      expect(await saidOf(one, 'Code of six digits')).toEqual({ isWrong: true, text: 'Fill this in' });
      await code(one).fill('12345x');
      expect((await saidOf(one, 'Code of six digits')).text).toBe('A code has six digits');
      await code(one).fill(wrongFor(first));
      expect((await saidOf(one, 'Code of six digits')).isWrong).toBe(false);
      await button(one, 'Confirm').click();
      await one.page.getByText('This is not the code of the newest letter').waitFor();
      expect((await saidOf(one, 'Code of six digits')).isWrong).toBe(true);

      // At once after the first letter nobody asks for a second.
      await one.page.getByText(/You can ask for another letter in \d+ seconds/).waitFor();
      await one.page.clock.fastForward(31_000);
      await button(one, 'Send another letter').click();
      await one.page.getByText('Another letter is on its way').waitFor();
      const second = codeIn(await box.next(one.email, 2));

      await button(one, 'Later').click();
      expect(await code(one).isVisible()).toBe(false);
      await button(one, 'Enter the code').click();
      await code(one).fill(`${second.slice(0, 3)} ${second.slice(3)}`);
      await button(one, 'Confirm').click();
      await code(one).waitFor({ state: 'detached' });
      await one.page.getByText('Your address is confirmed').waitFor();
      await one.page.reload();
      await one.list.waitFor();
      expect(await code(one).count()).toBe(0);
      expect(one.failures).toEqual([]);
      await one.context.close();
    });

    test('is not asked about where there is no mail to confirm it by', async () => {
      const one = await mute.visitor('unasked', options);
      const told = one.page.waitForResponse('**/api/v1/server');
      await one.signUp();
      await told;
      await button(one, 'New conversation').waitFor();
      expect(await code(one).count()).toBe(0);
      await one.context.close();
    });

    test('lets nothing else be done where it has to be, and goes on by itself once another browser confirmed it', async () => {
      const one = await strict.visitor('must', options);
      await one.go('/signup');
      await one.fillSignUp();
      await heading(one, 'Confirm your address').waitFor();
      expect(await findings(one)).toEqual([]);
      expect(await one.list.count()).toBe(0);
      for (const path of ['/', '/login', '/c/0199a3f0-7c1e-7d44-8a5b-5f0c6f3b2a10']) {
        await one.go(path);
        await heading(one, 'Confirm your address').waitFor();
      }
      await one.go('/');
      const phone = await strict.visitor('other-browser', options);
      await phone.go(`/verify#${tokenIn(await box.next(one.email), 'verify')}`);
      await button(phone, 'Confirm this address').click();
      await phone.page.getByText('The address is confirmed').waitFor();
      await one.list.waitFor();
      // Nobody is signed in by a link that confirms an address.
      await button(phone, 'Go on').click();
      await heading(phone, `Parley at ${HOST}`).waitFor();
      expect([one.failures, phone.failures]).toEqual([[], []]);
      await Promise.all([one.context.close(), phone.context.close()]);
    });

    test('that somebody else has is answered like a free one where it has to be confirmed', async () => {
      const owner = await strict.visitor('owner', options);
      await confirmed(owner);
      const one = await strict.visitor('thief', options);
      await one.go('/signup');
      await field(one, 'Name').fill('Mara');
      await field(one, 'E-mail').fill(owner.email);
      await field(one, 'Password').fill(PASSWORD);
      await button(one, 'Sign up').click();
      await one.page.getByText(`We sent a letter to ${owner.email}`).waitFor();
      await code(one).fill('000000');
      await button(one, 'Confirm').click();
      await one.page.getByText('This is not the code of the newest letter').waitFor();
      await Promise.all([owner.context.close(), one.context.close()]);
    });

    test('can be changed for another one, with the password where it is long ago, and left by logging out', async () => {
      const one = await strict.visitor('typo', options);
      await one.go('/signup');
      await one.fillSignUp();
      const wrong = codeIn(await box.next(one.email));
      await button(one, 'Use another address').click();
      await button(one, 'Send the letter there').click();
      expect(await saidOf(one, 'New e-mail')).toEqual({ isWrong: true, text: 'Fill this in' });
      await runStored(strict.server, 'update sessions set proved_at = 0');
      const other = `right-${one.email}`;
      await field(one, 'New e-mail').fill(other);
      await button(one, 'Send the letter there').click();
      await field(one, 'Your password').fill('not this one');
      await button(one, 'Go on').click();
      await eventually('it is wrong', async () => (await saidOf(one, 'Your password')).isWrong);
      expect(await findings(one)).toEqual([]);
      await field(one, 'Your password').fill(PASSWORD);
      await button(one, 'Go on').click();
      await one.page.getByText(`We sent a letter to ${other}`).waitFor();
      const right = codeIn(await box.next(other));
      if (wrong !== right) {
        await code(one).fill(wrong);
        await button(one, 'Confirm').click();
        await one.page.getByText('This is not the code of the newest letter').waitFor();
      }
      await button(one, 'Log out').click();
      await logIn(one, other);
      await code(one).fill(right);
      await button(one, 'Confirm').click();
      await one.list.waitFor();
      expect(one.failures).toEqual([]);
      await one.context.close();
    });
  });
}

describe.skipIf(!canBrowse)('a server that somebody started by hand to try it', () => {
  test('prints the link for a new password, and the screen says where', async () => {
    const local = await Stage.open({ ENV: 'local' });
    const one = await local.visitor('tries');
    await one.signUp();
    await button(one, 'Profile and settings').click();
    await button(one, 'Log out').click();
    await button(one, 'Forgot your password?').click();
    await field(one, 'E-mail').fill(one.email);
    await button(one, 'Send the letter').click();
    await one.page.getByText('its link is shown where the server was started').waitFor();
    const link = await eventually('it is printed', async () => /\/reset#\S+/.exec(local.server.errors)?.[0]);
    await one.go(link);
    await field(one, 'New password').fill('quite another horse');
    await button(one, 'Change the password').click();
    await one.list.waitFor();
    await local.close();
  });
});

describe.skipIf(!canBrowse)('a letter too many', () => {
  test('is refused, and it is said when there can be another', async () => {
    const limits = { RATE_LIMITS: 'on', LIMIT_EMAIL_LETTERS: '1/1h', LIMIT_FORGOT_ACCOUNT: '1/1h' };
    const narrow = await Stage.open({ ...box.environment(), ...limits });
    const one = await narrow.visitor('eager');
    await one.page.clock.install();
    await one.signUp();
    await code(one).waitFor();
    await one.page.clock.fastForward(31_000);
    await button(one, 'Send another letter').click();
    await one.page.getByText('Another letter is on its way').waitFor();
    await one.page.clock.fastForward(31_000);
    await button(one, 'Send another letter').click();
    await one.page.getByText(/You can ask for another letter in (59|60) minutes|in 1 hour/).waitFor();
    expect(await button(one, 'Send another letter').count()).toBe(0);

    const other = await narrow.visitor('forgetful');
    await other.go('/forgot');
    for (const _ of [1, 2]) {
      await field(other, 'E-mail').fill(one.email);
      await button(other, 'Send the letter').click();
      if (_ === 1) await button(other, 'Use another address').click();
    }
    await other.page.getByText(/Try again in (59|60) minutes|in 1 hour/).waitFor();
    await narrow.close();
  });
});

describe.skipIf(!canBrowse)('a door that leads on to another site', () => {
  const EVIL = [
    ...[
      '//evil.example',
      '///evil.example/',
      '/\\evil.example',
      '\\\\evil.example',
      'https:evil.example',
      'https://evil.example',
    ],
    ...[
      'javascript:alert(document.domain)',
      'data:text/html,<script>alert(1)</script>',
      '/%2f%2fevil.example',
      '%2f%2fevil.example',
    ],
    ...[
      '/\t/evil.example',
      ' //evil.example',
      '/c/../..//evil.example',
      '/api/v1/auth/logout',
      '/about',
      '/reset#secret',
    ],
  ];

  test('leads to the list instead, after the log-in and for who is in already', async () => {
    const { person } = await conversation(stage);
    const one = await stage.visitor('lured');
    const left: string[] = [];
    one.page.on('request', (request) => {
      if (request.isNavigationRequest() && !request.url().startsWith(stage.server.url)) left.push(request.url());
    });
    for (const [index, to] of EVIL.entries()) {
      // Once, twice and not encoded.
      const asked = [encodeURIComponent(to), encodeURIComponent(encodeURIComponent(to)), to.replaceAll('#', '')][
        index % 3
      ];
      await one.go(`/login?return_to=${asked}`);
      if (index < 3) {
        await logIn(one, person.user.username);
        await one.list.waitFor();
        expect([to, pathOf(one)]).toEqual([to, '/']);
        await button(one, 'Profile and settings').click();
        await button(one, 'Log out').click();
        await heading(one, 'Welcome back').waitFor();
      } else {
        if (index === 3) await logIn(one, person.user.username);
        await one.list.waitFor();
        expect([to, pathOf(one)]).toEqual([to, '/']);
      }
    }
    expect(left).toEqual([]);
    expect(one.failures).toEqual([]);
    await one.context.close();
  });

  test('is not believed either where it stands in what the browser keeps', async () => {
    const { person } = await conversation(stage);
    const { email } = person.user;
    const before = box.to(email).length;
    const one = await stage.visitor('planted');
    await one.go('/forgot');
    await field(one, 'E-mail').fill(email);
    await button(one, 'Send the letter').click();
    await heading(one, 'Look into your mail').waitFor();
    const until = Date.now() + 60_000;
    await one.page.evaluate(
      (kept) => localStorage.setItem('parley.return-to', kept),
      JSON.stringify({ path: '//evil.example', until }),
    );
    const letter = await eventually('the link', async () =>
      box
        .to(email)
        .slice(before)
        .find(({ text }) => text?.includes('/reset#')),
    );
    await one.go(`/reset#${tokenIn(letter, 'reset')}`);
    await field(one, 'New password').fill('quite another horse');
    await button(one, 'Change the password').click();
    await one.list.waitFor();
    expect(one.page.url()).toBe(`${stage.server.url}/`);
    await one.context.close();
  });
});

describe.skipIf(!canBrowse)('the word lists for passwords', () => {
  test('are fetched when somebody comes to the field, in a thread of their own, and not kept with the shell', async () => {
    const one = await stage.visitor('light');
    const fetched: string[] = [];
    one.context.on('request', (request) => fetched.push(new URL(request.url()).pathname));
    const lists = () => fetched.filter((path) => path.includes('strength-worker'));
    await one.go('/signup');
    await one.page.waitForLoadState('networkidle');
    await one.page.evaluate(() => navigator.serviceWorker.ready);
    expect(lists()).toEqual([]);
    const kept = await one.page.evaluate(async () => {
      const cache = await caches.open((await caches.keys())[0]!);
      return (await cache.keys()).map(({ url }) => new URL(url).pathname);
    });
    expect(kept.length).toBeGreaterThan(5);
    expect(kept.filter((path) => path.includes('strength-worker'))).toEqual([]);
    expect(one.page.workers()).toEqual([]);

    await field(one, 'Password').focus();
    await field(one, 'Password').fill('four quiet herons');
    await one.page.getByText('Strong.').waitFor();
    expect(lists()).toHaveLength(1);
    expect(one.page.workers()).toHaveLength(1);
    // What was typed is there: it may go nowhere from there either.
    const worker = await fetch(stage.server.url + lists()[0]);
    expect(worker.headers.get('content-security-policy')).toContain("default-src 'none'");
    await button(one, 'Log in').click();
    await eventually('its memory is given back', async () => one.page.workers().length === 0);
    await one.context.close();
  });

  test('are missed by nobody who cannot load them', async () => {
    const one = await stage.visitor('without');
    await one.page.route('**/strength-worker*', (route) => route.abort());
    await one.go('/signup');
    await field(one, 'Name').fill('Mara');
    await field(one, 'E-mail').fill(one.email);
    await field(one, 'Password').fill('Password123');
    await button(one, 'Sign up').click();
    await one.page.getByText('This is one of the passwords that are tried first.').waitFor();
    expect((await saidOf(one, 'Password')).isWrong).toBe(true);
    await field(one, 'Password').fill(PASSWORD);
    await button(one, 'Sign up').click();
    await one.list.waitFor();
    await one.context.close();
  });
});
