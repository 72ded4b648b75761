import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { type Person, signUp } from '../support/people.ts';
import { endServers } from '../support/server.ts';
import { keptInBrowser } from './kept-in-page.ts';
import { canBrowse, Stage, type Visitor } from './support.ts';

setDefaultTimeout(60_000);

const SECRET = 'the key is under the mat';
const NEXT_PASSWORD = 'another password';

/** A notification as the page made it; a browser without a screen shows none. */
interface Told {
  body: string;
  isClosed: boolean;
}
declare const told: Told[];

describe.skipIf(!canBrowse)('a device whose session ends elsewhere', () => {
  let stage: Stage;
  let alice: Person;
  let bob: Person;
  let device: Visitor;
  let other: Visitor;
  let id: string;

  beforeAll(async () => {
    stage = await Stage.open();
    [alice, bob] = await Promise.all([signUp(stage.server, 'alice'), signUp(stage.server, 'bob')]);
    id = await bob.group([alice], 'Household');
    device = await stage.enter(alice);
    await device.context.addInitScript(() => {
      class FakeNotification extends EventTarget {
        static readonly permission = 'granted';
        readonly one: Told;
        constructor(_title: string, { body }: { body: string }) {
          super();
          this.one = { body, isClosed: false };
          told.push(this.one);
        }
        close() {
          this.one.isClosed = true;
        }
      }
      localStorage.setItem('parley.notifications', 'true');
      Object.assign(window, { told: [], Notification: FakeNotification });
    });
    await device.go('/');
    await device.conversation('Household').waitFor();
    await bob.send(id, SECRET);
    await eventually('it is told', () => device.page.evaluate(() => told.length > 0));
    other = await device.tab(`/c/${id}`);
    await other.message(SECRET).waitFor();
    await other.page.getByRole('button', { name: 'Details' }).last().click();
    await other.composer.fill('half a thought');
    await device.stored(SECRET);
    const body = { current_password: alice.password, new_password: NEXT_PASSWORD };
    expect((await alice.call('POST', '/auth/password', body)).status).toBe(200);
    for (const tab of [device, other]) await tab.page.getByRole('button', { name: 'Log in' }).first().waitFor();
  });
  afterAll(async () => {
    await stage?.close();
    await endServers();
  });

  test('shows nothing of it any more, in no tab and no notification', async () => {
    for (const tab of [device, other]) {
      const page = await tab.page.content();
      for (const word of [SECRET, 'half a thought', 'Household', bob.user.username, alice.user.email]) {
        expect({ word, isThere: page.includes(word) }).toEqual({ word, isThere: false });
      }
    }
    const notes = await device.page.evaluate(() => told);
    expect(notes.map(({ body }) => body)).toContain(SECRET);
    expect(notes.every(({ isClosed }) => isClosed)).toBe(true);
  });

  test('keeps nothing of it that came from the server', async () => {
    const kept = () => device.page.evaluate(keptInBrowser, `parley ${stage.server.url}`);
    await eventually('it is wiped', async () => !(await kept()).includes(SECRET));
    const left = await kept();
    for (const word of ['Household', bob.user.username, bob.id, alice.user.email]) {
      expect({ word, isThere: left.includes(word) }).toEqual({ word, isThere: false });
    }
  });

  test('has all of it again, and what was half written, once the same person signs in', async () => {
    await other.page.getByLabel('E-mail, username or phone').fill(alice.user.email);
    await other.page.getByLabel('Password', { exact: true }).fill(NEXT_PASSWORD);
    await other.page.getByRole('button', { name: 'Log in' }).click();
    await other.message(SECRET).waitFor();
    expect(await other.composer.inputValue()).toBe('half a thought');
    expect([device.failures, other.failures]).toEqual([[], []]);
  });
});
