import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import type { Entry } from '../../protocol/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type Person, signUpAll } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(60_000);

let server: TestServer;
let alice: Person;
let bob: Person;

beforeAll(async () => {
  server = await startServer();
});
afterAll(endServers);

const membersOf = async (person: Person, group: string) => {
  const { participants } = (await person.call<Entry>('GET', `/conversations/${group}`)).body;
  return participants.map(({ id, participant_role }) => [id, participant_role]);
};

const groups = (admin: Person, others: Person[], count: number) =>
  Promise.all(Array.from({ length: count }, (_, n) => admin.group(others, `group ${n}`)));

const deleteAccount = (person: Person) => person.call('DELETE', '/users/me', { password: person.password });

test('who deletes their account while an admin removes them is out of every group', async () => {
  [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const ids = await groups(alice, [bob], 30);
  const hers = await alice.connect();
  const deleting = deleteAccount(bob);
  // The deletion goes through the groups one by one: it meets some that he was removed from meanwhile.
  await hers.next('participant.left');
  const remove = (id: string) => alice.call('DELETE', `/conversations/${id}/participants/${bob.id}`);
  const [deleted, ...removed] = await Promise.all([deleting, ...ids.slice(10, 20).map(remove)]);
  expect(deleted.status).toBe(200);
  expect(removed.filter(({ status }) => status !== 200 && status !== 404)).toEqual([]);
  for (const id of ids) expect(await membersOf(alice, id)).toEqual([[alice.id, 'admin']]);
});

test('nobody is added, named in a new group or written to while their account goes', async () => {
  [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const ids = await groups(alice, [], 60);
  const add = (id: string) => alice.call('POST', `/conversations/${id}/participants`, { user_ids: [bob.id] });
  const deleting = deleteAccount(bob);
  const adding: Promise<{ status: number }>[] = [];
  for (const id of ids) {
    adding.push(add(id));
    await Bun.sleep(3);
  }
  expect((await deleting).status).toBe(200);
  const statuses = (await Promise.all(adding)).map(({ status }) => status);
  expect(statuses.filter((status) => status !== 200 && status !== 404)).toEqual([]);
  // Who came in before the deletion went with it; nobody came in after.
  for (const id of ids) expect(await membersOf(alice, id)).toEqual([[alice.id, 'admin']]);
});

test('what a crash left undone of a deletion is done at the next start, with an heir', async () => {
  const [carol, dan, eve] = await signUpAll(server, 'carol', 'dan', 'eve');
  const [group, untouched] = [await carol.group([dan]), await carol.group([dan])];
  const direct = await carol.direct(dan);
  await deleteAccount(carol);
  const active = await eve.group([dan]);
  await server.stop();
  // As it stands when the account is gone and the groups come next.
  const seat = (role: string, user: Person) =>
    runStored(
      server,
      'update participants set left_rev = null, role = ? where conversation_id = ? and user_id = ?',
      role,
      group,
      user.id,
    );
  await seat('admin', carol);
  await seat('member', dan);
  await server.start();

  await eventually('carol is out', async () => (await membersOf(dan, group)).length === 1);
  expect(await membersOf(dan, group)).toEqual([[dan.id, 'admin']]);
  expect((await dan.history(group)).at(-1)).toMatchObject({
    sender_username: 'deleted user',
    system: { kind: 'participant_left', by: carol.id },
  });
  // Those who are not gone, and direct conversations, stay as they are.
  expect(await membersOf(dan, untouched)).toEqual([[dan.id, 'admin']]);
  expect(await membersOf(dan, active)).toHaveLength(2);
  expect(await membersOf(dan, direct)).toHaveLength(2);
});
