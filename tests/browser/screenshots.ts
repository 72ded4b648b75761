import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Person, request, signUp } from '../support/people.ts';
import { endServers } from '../support/server.ts';
import { canBrowse, Stage, type Visitor } from './support.ts';

/** Draws the main screens into docs/screenshots: run it with Bun after a change of how the client looks, and look at them. */

const FOLDER = join(import.meta.dir, '../../docs/screenshots');
const WIDE = { viewport: { width: 1200, height: 740 } };
const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
];
const NAMES = ['Mara Lindqvist', 'Tomás Rivera', 'Aiko Tanaka', 'Jonas Weber', 'Priya Nair', 'Noor Haddad'];

async function main(): Promise<void> {
  if (!canBrowse) return;
  mkdirSync(FOLDER, { recursive: true });
  const stage = await Stage.open({ PUBLIC_URL: 'https://chat.example.com' });
  const { mara, weekend } = await tell(stage);
  for (const colorScheme of ['light', 'dark'] as const) {
    await shoot(
      stage,
      mara,
      `/c/${weekend}`,
      { ...WIDE, colorScheme },
      `conversation-${colorScheme}`,
      async ({ page }) => {
        await page.getByRole('button', { name: 'Details' }).last().click();
      },
    );
    await shoot(stage, mara, `/c/${weekend}`, { ...PHONE, colorScheme }, `phone-conversation-${colorScheme}`);
  }
  await shoot(stage, mara, '/', { ...PHONE, colorScheme: 'light' }, 'phone-list-light');
  await shoot(stage, mara, '/', { ...WIDE, colorScheme: 'dark' }, 'find-people-dark', async ({ page }) => {
    await page.getByRole('button', { name: 'New conversation' }).click();
    await page.getByRole('dialog').getByText('Group', { exact: true }).click();
    await page.getByLabel('Group name').fill('Book club');
    await page.getByRole('dialog').getByRole('searchbox').fill('a');
    await page.waitForTimeout(600);
  });
  await mara.call('DELETE', '/auth/sessions');
  for (const agent of AGENTS) {
    const body = { email: mara.user.email, password: mara.password };
    await request(stage.server, 'POST', '/auth/login', { body, headers: { 'User-Agent': agent } });
  }
  await shoot(
    stage,
    mara,
    '/settings/security',
    { ...WIDE, colorScheme: 'light' },
    'security-light',
    async ({ page }) => {
      await page.getByText('this device').waitFor();
    },
  );
  const stranger = await stage.visitor('stranger', { ...WIDE, colorScheme: 'light' });
  await stranger.go('/signup');
  await stranger.page.getByLabel('Name').fill('Mara Lindqvist');
  await stranger.page.getByLabel('E-mail').fill('mara@example.com');
  await stranger.page.getByLabel('Password', { exact: true }).fill('four quiet herons');
  await stranger.page.getByText('Strong.').waitFor();
  await stranger.page.waitForTimeout(500);
  await save(stranger, 'sign-up-light');
  await stage.close();
  await endServers();
}

/** Some people, and what they have said. */
async function tell(stage: Stage): Promise<{ mara: Person; weekend: string }> {
  const people: Person[] = [];
  for (const name of NAMES) {
    const person = await signUp(stage.server, name.split(' ')[0]!.normalize('NFD').replace(/\W/g, '').toLowerCase());
    await person.call('PATCH', '/users/me', {
      display_name: name,
      status: name.startsWith('Tom') ? 'On the road' : '',
    });
    people.push(person);
  }
  const [mara, tomas, aiko, jonas, priya, noor] = people as [Person, Person, Person, Person, Person, Person];
  await noor.send(await noor.direct(mara), 'The scans are in the shared folder 📎');
  await mara.send(await mara.direct(priya), 'See you at the station at 6');
  await jonas.send(await jonas.direct(mara), 'Could you look at the **draft** when you have a minute?');
  await jonas.send(await jonas.direct(mara), 'No hurry!');
  const design = await aiko.group([mara, jonas, priya], 'Design review');
  await aiko.send(design, 'New colours are up, tell me what you think');
  const weekend = await mara.group([tomas, aiko, priya], 'Lake weekend');
  const question = await tomas.send(weekend, 'Who brings what? I have the **tent** and the stove.');
  await aiko.send(weekend, 'Bread, cheese, and a cake if the oven is kind 🍰');
  await aiko.send(weekend, 'And my camera');
  await mara.send(weekend, 'Perfect. I can drive: three seats left');
  const plan = await priya.send(
    weekend,
    'The forecast says sun ☀️ Packing list:\n\n- swimwear\n- warm jumper for the evening\n- `torch` with fresh batteries',
  );
  for (const person of [mara, tomas, aiko]) await react(person, weekend, plan.id, '👍');
  await react(mara, weekend, plan.id, '☀️');
  await mara.call('POST', `/conversations/${weekend}/messages`, {
    content: 'Do we need a second one?',
    reply_to: question.id,
  });
  await tomas.send(weekend, 'One is enough for four, I slept six in it once');
  await react(priya, weekend, (await mara.send(weekend, 'Then it is settled. Friday at five, my place.')).id, '🎉');
  for (const person of [tomas, aiko, priya]) {
    const { body } = await person.call('GET', `/conversations/${weekend}`);
    await person.call('POST', `/conversations/${weekend}/read`, { seq: body.conversation.seq });
    await person.connect();
  }
  return { mara, weekend };
}

async function react(person: Person, conversation: string, message: string, emoji: string): Promise<void> {
  await person.call('PUT', `/conversations/${conversation}/messages/${message}/reactions/${encodeURIComponent(emoji)}`);
}

async function shoot(
  stage: Stage,
  person: Person,
  path: string,
  options: Parameters<Stage['enter']>[1],
  name: string,
  prepare?: (visitor: Visitor) => Promise<void>,
): Promise<void> {
  const visitor = await stage.enter(person, options);
  await visitor.go(path);
  await visitor.page.locator('.title, main h2').filter({ hasText: 'Lake weekend', visible: true }).first().waitFor();
  await visitor.page.waitForTimeout(1500);
  await prepare?.(visitor);
  await visitor.page.waitForTimeout(400);
  await save(visitor, name);
  await visitor.context.close();
}

async function save({ page }: Visitor, name: string): Promise<void> {
  await page.screenshot({ path: join(FOLDER, `${name}.png`), scale: 'css', animations: 'disabled', caret: 'hide' });
}

await main();
