import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Entry } from '../../protocol/resources.ts';
import { type Person, signUp, signUpAll } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

const NOBODY = '0199a3f0-8c00-7a00-8000-00000000dead';

let server: TestServer;
let alice: Person;
let bob: Person;
let carol: Person;

beforeAll(async () => {
  server = await startServer();
  [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
});
afterAll(endServers);

async function entryOf(person: Person, conversation: string): Promise<Entry> {
  const { status, body } = await person.call<Entry>('GET', `/conversations/${conversation}`);
  expect(status).toBe(200);
  return body;
}

/** All pages of somebody's list, and how many there were. */
async function listAll(person: Person, limit: number, between = async () => {}) {
  const entries: Entry[] = [];
  let pages = 0;
  let cursor = '';
  do {
    const { status, body } = await person.call('GET', `/conversations?limit=${limit}${cursor}`);
    expect(status).toBe(200);
    expect(body.count).toBe(body.conversations.length);
    expect(body.count).toBeLessThanOrEqual(limit);
    entries.push(...body.conversations);
    pages++;
    cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    await between();
  } while (cursor !== '');
  return { entries, ids: entries.map((entry) => entry.conversation.id), pages };
}

describe('a direct conversation', () => {
  test('is one per pair: made once, then found, from either side', async () => {
    const made = await alice.call('POST', '/conversations', { participant_id: bob.id });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      is_new: true,
      conversation: { type: 'direct', created_by: alice.id, seq: 0, rev: 1 },
      participant_count: 2,
      unread_count: 0,
      read_seq: 0,
    });
    expect(made.body.last_message).toBeUndefined();
    expect(made.body.conversation.name).toBeUndefined();

    for (const [person, other] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const found = await person.call('POST', '/conversations', { participant_id: other.id });
      expect(found.status).toBe(200);
      expect(found.body).toMatchObject({ is_new: false, conversation: { id: made.body.conversation.id } });
    }
  });

  test('shows its people as others see them', async () => {
    const { participants } = await entryOf(alice, await alice.direct(bob));
    expect(participants.map(({ id }) => id).sort()).toEqual([alice.id, bob.id].sort());
    for (const participant of participants) {
      expect(participant).toMatchObject({ participant_role: 'member', read_seq: 0, delivered_seq: 0 });
      expect(participant.joined_at).toBeNumber();
      for (const secret of ['email', 'phone_number', 'role', 'password_hash', 'left']) {
        expect(participant).not.toHaveProperty(secret);
      }
    }
  });

  test('is one also when both open it at the same instant, fifty times at once', async () => {
    const [dan, eve] = await signUpAll(server, 'dan', 'eve');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const [one, other] = index % 2 ? [dan, eve] : [eve, dan];
        return one.call('POST', '/conversations', { participant_id: other.id });
      }),
    );
    expect(new Set(answers.map(({ body }) => body.conversation.id)).size).toBe(1);
    expect(answers.filter(({ status, body }) => status === 201 && body.is_new)).toHaveLength(1);
    expect(answers.filter(({ status, body }) => status === 200 && !body.is_new)).toHaveLength(49);
    for (const person of [dan, eve]) expect((await listAll(person, 100)).ids).toHaveLength(1);
  });

  test('is one also when both write to each other first, over their sockets', async () => {
    const [dan, eve] = await signUpAll(server, 'dan', 'eve');
    const [his, hers] = await Promise.all([dan.connect(), eve.connect()]);
    const acks = await Promise.all(
      Array.from({ length: 25 }, (_, index) => [
        his.ask({ event: 'message.send', recipient: eve.id, content: `to her ${index}` }),
        hers.ask({ event: 'message.send', recipient: dan.id, content: `to him ${index}` }),
      ]).flat(),
    );
    expect(acks.every(({ event }) => event === 'ack')).toBe(true);
    expect(new Set(acks.map((ack) => ack.conversation_id)).size).toBe(1);
    expect((await dan.history(acks[0]!.conversation_id)).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
    expect((await listAll(eve, 100)).ids).toEqual([acks[0]!.conversation_id]);
    await Promise.all([his.close(), hers.close()]);
  });

  test('with oneself is a place for notes', async () => {
    const made = await alice.call('POST', '/conversations', { participant_id: alice.id });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ conversation: { type: 'direct' }, participant_count: 1 });
    const id = made.body.conversation.id;
    expect((await alice.call('POST', '/conversations', { participant_id: alice.id })).body).toMatchObject({
      is_new: false,
      conversation: { id },
    });

    const socket = await alice.connect();
    await alice.send(id, 'milk');
    expect(await socket.next('message')).toMatchObject({ content: 'milk', conversation_id: id, seq: 1 });
    await socket.settle();
    expect(socket.all('message')).toHaveLength(1);
    expect(await entryOf(alice, id)).toMatchObject({ unread_count: 0, read_seq: 1 });
    expect((await bob.call('GET', `/conversations/${id}`)).status).toBe(404);
    await socket.close();
  });

  test('is opened by e-mail too, whatever its case', async () => {
    const id = await alice.direct(carol);
    const answer = await alice.call('POST', '/conversations', {
      participant_email: `  ${carol.user.email!.toUpperCase()} `,
    });
    expect(answer).toMatchObject({ status: 200, body: { is_new: false, conversation: { id } } });
  });

  test('cannot be opened with somebody who does not exist', async () => {
    for (const body of [{ participant_id: NOBODY }, { participant_email: 'nobody@example.com' }]) {
      const answer = await alice.call('POST', '/conversations', body);
      expect(answer).toMatchObject({ status: 404, body: { code: 'user_not_found' } });
    }
    const socket = await alice.connect();
    expect(await socket.ask({ event: 'message.send', recipient: NOBODY, content: 'anyone?' })).toMatchObject({
      event: 'error',
      code: 'user_not_found',
      retryable: false,
    });
    await socket.close();
  });

  test('has no name, and nobody can be added to it', async () => {
    const id = await alice.direct(bob);
    const before = await entryOf(alice, id);
    const renamed = await alice.call('PATCH', `/conversations/${id}`, { name: 'ours' });
    const added = await alice.call('POST', `/conversations/${id}/participants`, { user_ids: [carol.id] });
    const promoted = await alice.call('PATCH', `/conversations/${id}/participants/${bob.id}`, {
      participant_role: 'admin',
    });
    for (const answer of [renamed, added, promoted]) {
      expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
    expect(await entryOf(alice, id)).toEqual(before);
  });
});

describe('a group', () => {
  test('has its creator as admin, the others as members, and its creation as first message', async () => {
    const made = await alice.call('POST', '/conversations', {
      name: 'Friends',
      participant_ids: [bob.id, bob.id, alice.id],
      participant_emails: [carol.user.email, bob.user.email],
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      is_new: true,
      conversation: { type: 'group', name: 'Friends', created_by: alice.id, seq: 1, rev: 1 },
      participant_count: 3,
      unread_count: 0,
      read_seq: 1,
    });
    const roles = Object.fromEntries(made.body.participants.map((one: any) => [one.id, one.participant_role]));
    expect(roles).toEqual({ [alice.id]: 'admin', [bob.id]: 'member', [carol.id]: 'member' });

    const [first, ...rest] = await bob.history(made.body.conversation.id);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({
      type: 'system',
      seq: 1,
      rev: 1,
      sender_id: alice.id,
      sender_username: alice.user.username,
      content: `${alice.user.username} created the group “Friends”`,
      system: { kind: 'group_created', by: alice.id, name: 'Friends' },
    });
    expect(first!.system!.user_ids?.toSorted()).toEqual([bob.id, carol.id].sort());
    expect(made.body.last_message).toEqual(first);
    expect(await entryOf(carol, made.body.conversation.id)).toMatchObject({ unread_count: 0, read_seq: 1 });
  });

  test('is another one each time, also with the same name and people, and of one person alone', async () => {
    const ids = [await alice.group([bob], 'twins'), await alice.group([bob], 'twins'), await alice.group([], 'alone')];
    expect(new Set(ids).size).toBe(3);
    expect((await entryOf(alice, ids[2]!)).participant_count).toBe(1);
  });

  test('has a name of 1 to 100 characters', async () => {
    const longest = '🎉'.repeat(100);
    for (const name of [longest, 'x', '\u202Eשלום\u202C', "'; drop table users; --", ' kept as sent ']) {
      const made = await alice.call('POST', '/conversations', { name });
      expect(made).toMatchObject({ status: 201, body: { conversation: { name } } });
      const renamed = await alice.call('PATCH', `/conversations/${made.body.conversation.id}`, {
        name: `${name}`.trim(),
      });
      expect(renamed).toMatchObject({ status: 200, body: { conversation: { name: name.trim() } } });
    }
    const id = await alice.group([], 'stays');
    for (const name of [`${longest}x`, '', '   ', 'a\0b', '\ud800', 7, null, ['x'], { toString: 'x' }]) {
      const made = await alice.call('POST', '/conversations', { name });
      expect(made).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
      const renamed = await alice.call('PATCH', `/conversations/${id}`, { name });
      expect(renamed).toMatchObject({ status: 400, body: { code: 'validation_failed', errors: [{ path: 'name' }] } });
    }
    expect((await entryOf(alice, id)).conversation).toMatchObject({ name: 'stays', rev: 1 });
  });

  test('is renamed by its admins, which everybody sees, and by nobody else', async () => {
    const id = await alice.group([bob], 'before');
    const his = await bob.connect();
    const renamed = await alice.call('PATCH', `/conversations/${id}`, { name: 'after' });
    expect(renamed).toMatchObject({ status: 200, body: { conversation: { name: 'after', seq: 2, rev: 2 } } });
    expect(await his.next('conversation.updated')).toMatchObject({
      conversation_id: id,
      rev: 2,
      conversation: { name: 'after' },
      message: { seq: 2, rev: 2, type: 'system', system: { kind: 'renamed', by: alice.id, name: 'after' } },
    });
    expect((await entryOf(bob, id)).conversation.name).toBe('after');

    const refused = await bob.call('PATCH', `/conversations/${id}`, { name: 'mine' });
    expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    for (const nothing of [{}, { name: 'after' }, { role: 'admin', id: NOBODY, seq: 99, type: 'direct' }]) {
      const same = await alice.call('PATCH', `/conversations/${id}`, nothing);
      expect(same).toMatchObject({ status: 200, body: { conversation: { id, name: 'after', seq: 2, rev: 2 } } });
    }
    await his.settle();
    expect(his.all((frame) => frame.conversation_id === id)).toHaveLength(1);
    await his.close();
  });

  test('is not made where one of its people does not exist, and then not in part either', async () => {
    const before = (await listAll(bob, 100)).ids.length;
    for (const people of [
      { participant_ids: [bob.id, NOBODY] },
      { participant_ids: [bob.id], participant_emails: ['nobody@example.com'] },
    ]) {
      const answer = await alice.call('POST', '/conversations', { name: 'ghosts', ...people });
      expect(answer).toMatchObject({ status: 404, body: { code: 'user_not_found' } });
    }
    expect((await listAll(bob, 100)).ids).toHaveLength(before);
  });

  test('and a direct conversation cannot be asked for at once, nor neither of them, nor nonsense', async () => {
    const wrong = [
      {},
      { participant_id: bob.id, name: 'both' },
      { participant_id: bob.id, participant_email: bob.user.email },
      { participant_id: 'bob' },
      { participant_id: { $ne: null } },
      { participant_email: 'not an address' },
      { name: 'group', participant_ids: 'bob' },
      { name: 'group', participant_ids: [bob.id, 7] },
      { name: 'group', participant_ids: Array.from({ length: 1001 }, () => bob.id) },
    ];
    for (const body of wrong) {
      const answer = await alice.call('POST', '/conversations', body);
      expect(answer, JSON.stringify(body)).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    }
  });

  test('takes no id, role or counter from its creator', async () => {
    const { body } = await alice.call('POST', '/conversations', {
      name: 'mine',
      id: NOBODY,
      type: 'direct',
      created_by: bob.id,
      seq: 7,
      rev: 7,
      role: 'admin',
    });
    expect(body.conversation).toMatchObject({ type: 'group', created_by: alice.id, seq: 1, rev: 1 });
    expect(body.conversation.id).not.toBe(NOBODY);
  });

  test('of more than a hundred shows the first hundred, and pages the rest', async () => {
    const crowd = await Promise.all(Array.from({ length: 104 }, () => signUp(server, 'crowd')));
    const id = await alice.group(crowd.slice(0, 102), 'a crowd');
    const late = crowd.slice(102).map((person) => person.id);
    for (const user of late) await alice.call('POST', `/conversations/${id}/participants`, { user_ids: [user] });

    const entry = await entryOf(crowd[0]!, id);
    expect(entry.participant_count).toBe(105);
    expect(entry.participants).toHaveLength(100);

    const pages = [];
    let cursor = '';
    do {
      const { status, body } = await crowd[5]!.call('GET', `/conversations/${id}/participants?limit=40${cursor}`);
      expect(status).toBe(200);
      pages.push(body.participants);
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor !== '');
    expect(pages.map((page) => page.length)).toEqual([40, 40, 25]);
    const all = pages.flat();
    expect(all.map((one) => one.id).sort()).toEqual([alice, ...crowd].map((person) => person.id).sort());
    expect(all.slice(0, 100).map((one) => one.id)).toEqual(entry.participants.map((one) => one.id));
    expect(all.slice(-2).map((one) => one.id)).toEqual(late);
    const times = all.map((one) => one.joined_at);
    expect(times).toEqual(times.toSorted((one, other) => one - other));

    for (const query of ['limit=0', 'limit=501', 'limit=x', 'cursor=nonsense', 'cursor=e30']) {
      const answer = await alice.call('GET', `/conversations/${id}/participants?${query}`);
      expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    }
    expect((await bob.call('GET', `/conversations/${id}/participants`)).status).toBe(404);
  }, 60_000);
});

describe('the list of conversations', () => {
  test('has the latest activity first, with the last message and what is unread', async () => {
    const [dan, eve] = await signUpAll(server, 'dan', 'eve');
    expect((await dan.call('GET', '/conversations')).body).toEqual({ conversations: [], count: 0 });
    const direct = await dan.direct(eve);
    const group = await dan.group([eve], 'a group');
    expect((await listAll(dan, 100)).ids).toEqual([group, direct]);

    for (const content of ['one', 'two', 'three']) await eve.send(direct, content);
    const { entries } = await listAll(dan, 100);
    expect(entries.map((entry) => entry.conversation.id)).toEqual([direct, group]);
    expect(entries[0]).toMatchObject({
      conversation: { seq: 3, rev: 4 },
      unread_count: 3,
      read_seq: 0,
      last_message: { content: 'three', sender_id: eve.id, seq: 3 },
    });
    expect(entries[0]!.conversation.updated_at).toBeGreaterThanOrEqual(entries[1]!.conversation.updated_at);
    expect(await entryOf(dan, direct)).toEqual(entries[0]!);
    expect(await entryOf(eve, direct)).toMatchObject({ unread_count: 0, read_seq: 3 });

    await dan.send(direct, 'read it all');
    expect(await entryOf(dan, direct)).toMatchObject({ unread_count: 0, read_seq: 4 });
    expect(await entryOf(eve, direct)).toMatchObject({ unread_count: 1, read_seq: 3 });
  });

  test('is paged without a hole or a double, also where many changed in the same millisecond', async () => {
    const dan = await signUp(server, 'dan');
    const ids = await Promise.all(Array.from({ length: 23 }, (_, index) => dan.group([], `group ${index}`)));
    const ties = ids.slice(0, 15);
    const places = ties.map(() => '?').join(', ');
    await runStored(server, `update conversations set updated_at = 1900000000000 where id in (${places})`, ...ties);

    const whole = await listAll(dan, 100);
    expect(whole.pages).toBe(1);
    expect(whole.ids.toSorted()).toEqual(ids.toSorted());
    for (const limit of [1, 4, 5, 23]) {
      const { ids: paged, pages } = await listAll(dan, limit);
      expect(paged).toEqual(whole.ids);
      expect(pages).toBe(Math.ceil(23 / limit));
    }
  });

  test('is paged without a double while it moves; what did not move is there', async () => {
    const dan = await signUp(server, 'dan');
    const ids: string[] = [];
    for (let index = 0; index < 12; index++) ids.unshift(await dan.group([], `group ${index}`));
    // Between the pages, the last one but those that come still moves to the top.
    const moving = [ids[11]!, ids[10]!, ids[9]!];
    const still = ids.slice(0, 9);
    const { ids: paged } = await listAll(dan, 3, async () => {
      const next = moving.shift();
      if (next) await dan.send(next, 'up');
    });
    expect(new Set(paged).size).toBe(paged.length);
    expect(paged.filter((id) => still.includes(id))).toEqual(still);
  });

  test('has pages of 1 to 100, and takes no cursor but its own', async () => {
    for (const query of ['limit=0', 'limit=101', 'limit=-1', 'limit=1.5', 'limit=many', 'cursor=x', 'cursor=bnVsbA']) {
      const answer = await alice.call('GET', `/conversations?${query}`);
      expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    }
  });
});
