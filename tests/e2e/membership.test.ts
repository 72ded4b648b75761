import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Entry } from '../../protocol/resources.ts';
import { burst, numbered, range } from '../support/burst.ts';
import { type Answer, type Person, signUpAll } from '../support/people.ts';
import { endServers, onCluster, startServer, type TestServer } from '../support/server.ts';
import type { Frame, TestSocket } from '../support/socket.ts';

const NOWHERE = '0199a3f0-8c00-7a00-8000-00000000dead';

let server: TestServer;
let alice: Person;
let bob: Person;
let carol: Person;
let dan: Person;
/** In none of the groups. */
let eve: Person;
const open: TestSocket[] = [];

beforeAll(async () => {
  server = await startServer();
  [alice, bob, carol, dan, eve] = await signUpAll(server, 'alice', 'bob', 'carol', 'dan', 'eve');
});
afterAll(endServers);

/** A ready socket of `parley.v1` for each of them. */
async function connectAll<const P extends Person[]>(...people: P): Promise<{ [K in keyof P]: TestSocket }> {
  const sockets = await Promise.all(people.map((person) => person.connect()));
  open.push(...sockets);
  return sockets as { [K in keyof P]: TestSocket };
}

async function connectPlain(person: Person): Promise<TestSocket> {
  const socket = await person.connectPlain();
  open.push(socket);
  return socket;
}

const add = (admin: Person, group: string, ...people: Person[]) =>
  admin.call<Entry>('POST', `/conversations/${group}/participants`, { user_ids: people.map((person) => person.id) });

const remove = (actor: Person, group: string, person: Person) =>
  actor.call('DELETE', `/conversations/${group}/participants/${person.id}`);

const setRole = (actor: Person, group: string, person: Person, participant_role: unknown) =>
  actor.call<Entry>('PATCH', `/conversations/${group}/participants/${person.id}`, { participant_role });

async function entryOf(person: Person, group: string): Promise<Entry> {
  return (await person.call<Entry>('GET', `/conversations/${group}`)).body;
}

async function rolesIn(person: Person, group: string): Promise<Record<string, string>> {
  const { participants } = await entryOf(person, group);
  return Object.fromEntries(participants.map((one) => [one.id, one.participant_role]));
}

/** All that a socket heard of a conversation, after what is on its way has come. */
async function heard(socket: TestSocket, conversation: string): Promise<Frame[]> {
  await socket.settle();
  return socket.all((frame) => frame.conversation_id === conversation && frame.event !== 'ack');
}

/** Frames tell every change of a stretch, each once: one by one, or some together. */
function expectUnbroken(frames: Frame[], { from, to }: { from: number; to: number }): void {
  let rev = from - 1;
  for (const frame of frames) {
    const since = frame.event === 'changes' ? (frame.reset ? rev : frame.since) : frame.rev - 1;
    expect({ rev: frame.rev, since }).toEqual({ rev: frame.rev, since: rev });
    rev = frame.rev;
  }
  expect(rev).toBe(to);
}

function expectRefusal(answer: Answer, status: number, code: string) {
  expect(answer).toMatchObject({ status, body: { code } });
}

describe('one change is one rev and one frame:', () => {
  test('somebody is added', async () => {
    const group = await alice.group([bob]);
    const sockets = await connectAll(alice, bob, carol);
    const answer = await add(alice, group, carol, dan);
    expect(answer).toMatchObject({ status: 200, body: { conversation: { seq: 2, rev: 2 }, participant_count: 4 } });

    for (const socket of sockets) {
      const frames = await heard(socket, group);
      expect(frames).toHaveLength(1);
      expect(frames[0]).toMatchObject({
        event: 'participant.joined',
        rev: 2,
        conversation: { id: group, seq: 2, rev: 2 },
        message: {
          seq: 2,
          rev: 2,
          type: 'system',
          sender_id: alice.id,
          content: `${alice.user.username} added ${carol.user.username} and ${dan.user.username}`,
          system: { kind: 'participant_joined', by: alice.id, user_ids: [carol.id, dan.id] },
        },
      });
      const joined = frames[0]!.participants.map((one: any) => [one.id, one.participant_role, one.read_seq]);
      expect(joined.toSorted()).toEqual(
        [
          [carol.id, 'member', 2],
          [dan.id, 'member', 2],
        ].toSorted(),
      );
    }
    expect((await bob.history(group)).at(-1)).toEqual((await heard(sockets[0], group))[0]!.message);
  });

  test('somebody is promoted and demoted, which leaves no message', async () => {
    const group = await alice.group([bob]);
    const [his] = await connectAll(bob);
    expect(await setRole(alice, group, bob, 'admin')).toMatchObject({
      status: 200,
      body: { conversation: { rev: 2 } },
    });
    expect(await setRole(bob, group, alice, 'member')).toMatchObject({
      status: 200,
      body: { conversation: { rev: 3 } },
    });
    expect(await rolesIn(bob, group)).toEqual({ [alice.id]: 'member', [bob.id]: 'admin' });

    const frames = await heard(his, group);
    expect(frames.map(({ event, rev, message }) => [event, rev, message])).toEqual([
      ['participant.updated', 2, undefined],
      ['participant.updated', 3, undefined],
    ]);
    expect(frames[0]!.participants).toMatchObject([{ id: bob.id, participant_role: 'admin' }]);
    expect(frames[1]!.participants).toMatchObject([{ id: alice.id, participant_role: 'member' }]);
    expect(await bob.history(group)).toHaveLength(1);
  });

  test('somebody is removed, leaves, and the group is renamed', async () => {
    const group = await alice.group([bob, carol]);
    const [hers] = await connectAll(alice);
    expect((await remove(alice, group, bob)).body).toEqual({ success: true });
    expect((await remove(carol, group, carol)).status).toBe(200);
    await alice.call('PATCH', `/conversations/${group}`, { name: 'just me' });

    const frames = await heard(hers, group);
    expect(frames.map(({ event, rev }) => [event, rev])).toEqual([
      ['participant.left', 2],
      ['participant.left', 3],
      ['conversation.updated', 4],
    ]);
    expect(frames[0]).toMatchObject({
      participants: [{ id: bob.id, left: true }],
      message: {
        content: `${alice.user.username} removed ${bob.user.username}`,
        system: { kind: 'participant_removed', by: alice.id, user_ids: [bob.id] },
      },
    });
    expect(frames[1]).toMatchObject({
      participants: [{ id: carol.id, left: true }],
      message: { content: `${carol.user.username} left`, system: { kind: 'participant_left', by: carol.id } },
    });
    expect(frames.map((frame) => frame.message)).toEqual((await alice.history(group)).slice(1));
    expect((await entryOf(alice, group)).participants.map(({ id }) => id)).toEqual([alice.id]);
  });

  test('and what changes nothing takes no rev and says nothing', async () => {
    const group = await alice.group([bob]);
    const [his] = await connectAll(bob);
    expect((await add(alice, group, bob, alice)).status).toBe(200);
    expect((await setRole(alice, group, bob, 'member')).status).toBe(200);
    expect((await setRole(alice, group, alice, 'admin')).status).toBe(200);
    expect((await entryOf(alice, group)).conversation).toMatchObject({ seq: 1, rev: 1 });
    expect(await heard(his, group)).toEqual([]);
  });

  test('also when twenty come at once', async () => {
    const group = await alice.group([bob, carol, dan]);
    await setRole(alice, group, bob, 'admin');
    const [his] = await connectAll(bob);
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        index % 2
          ? alice.call('PATCH', `/conversations/${group}`, { name: `name ${index}` })
          : bob.send(group, `message ${index}`),
      ),
    );
    const frames = await heard(his, group);
    // What other nodes told too late for its turn is told in one frame, from the log.
    const isGap = ({ event }: Frame) => onCluster && event === 'changes';
    const revs = frames.flatMap((frame) => (isGap(frame) ? range(frame.since + 1, frame.rev) : frame.rev));
    expect(revs).toEqual(range(3, 22));
    const messages = frames.flatMap((frame) => (isGap(frame) ? frame.messages : (frame.message ?? frame)));
    expect(messages.map(({ seq }) => seq)).toEqual(range(2, 21));
    expect((await entryOf(bob, group)).conversation).toMatchObject({ seq: 21, rev: 22 });
  });
});

describe('admins', () => {
  test('only may add, remove and give roles', async () => {
    const group = await alice.group([bob, carol]);
    const before = await entryOf(bob, group);
    expectRefusal(await add(bob, group, dan), 403, 'forbidden');
    expectRefusal(await remove(bob, group, carol), 403, 'forbidden');
    expectRefusal(await remove(bob, group, alice), 403, 'forbidden');
    expectRefusal(await setRole(bob, group, bob, 'admin'), 403, 'forbidden');
    expectRefusal(await setRole(bob, group, alice, 'member'), 403, 'forbidden');
    expect(await entryOf(bob, group)).toEqual(before);
    expect((await dan.call('GET', `/conversations/${group}`)).status).toBe(404);
  });

  test('who were demoted may no more', async () => {
    const group = await alice.group([bob]);
    await setRole(alice, group, bob, 'admin');
    await setRole(bob, group, alice, 'member');
    expectRefusal(await add(alice, group, carol), 403, 'forbidden');
    expect((await add(bob, group, carol)).status).toBe(200);
  });

  test('are never none: the last one cannot step down, and when they leave the longest member follows', async () => {
    const group = await alice.group([]);
    await add(alice, group, carol);
    await add(alice, group, bob);
    await add(alice, group, dan);
    expectRefusal(await setRole(alice, group, alice, 'member'), 403, 'forbidden');

    const [his] = await connectAll(bob);
    expect((await remove(alice, group, alice)).status).toBe(200);
    expect(await rolesIn(bob, group)).toEqual({ [carol.id]: 'admin', [bob.id]: 'member', [dan.id]: 'member' });
    const frames = await heard(his, group);
    expect(frames).toHaveLength(1);
    const told = frames[0]!.participants.map((one: any) => [one.id, one.participant_role, one.left]);
    expect(told.toSorted()).toEqual(
      [
        [alice.id, 'admin', true],
        [carol.id, 'admin', undefined],
      ].toSorted(),
    );
    expect((await add(carol, group, eve)).status).toBe(200);
    expect((await remove(carol, group, eve)).status).toBe(200);
  });

  test('leave no heir where another admin stays', async () => {
    const group = await alice.group([]);
    await add(alice, group, carol);
    await add(alice, group, bob);
    await setRole(alice, group, bob, 'admin');
    await remove(alice, group, alice);
    expect(await rolesIn(carol, group)).toEqual({ [carol.id]: 'member', [bob.id]: 'admin' });
  });

  test('who leave both at the same instant leave one behind', async () => {
    const group = await alice.group([bob, carol]);
    await setRole(alice, group, bob, 'admin');
    const answers = await Promise.all([remove(alice, group, alice), remove(bob, group, bob)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await rolesIn(carol, group)).toEqual({ [carol.id]: 'admin' });
  });

  test('the very last one leaves an empty group behind', async () => {
    const group = await alice.group([]);
    expect((await remove(alice, group, alice)).status).toBe(200);
    expectRefusal(await alice.call('GET', `/conversations/${group}`), 404, 'conversation_not_found');
    expectRefusal(await remove(alice, group, alice), 404, 'conversation_not_found');
  });

  test('can add and remove only people that there are', async () => {
    const group = await alice.group([bob]);
    expectRefusal(
      await alice.call('POST', `/conversations/${group}/participants`, { user_ids: [carol.id, NOWHERE] }),
      404,
      'user_not_found',
    );
    expectRefusal(await remove(alice, group, carol), 404, 'user_not_found');
    expectRefusal(await setRole(alice, group, carol, 'admin'), 404, 'user_not_found');
    for (const user_ids of [undefined, [], 'bob', ['bob'], [7], Array.from({ length: 1001 }, () => bob.id)]) {
      const answer = await alice.call('POST', `/conversations/${group}/participants`, { user_ids });
      expectRefusal(answer, 400, 'validation_failed');
    }
    for (const role of [undefined, 'owner', 'Admin', 1, null, {}]) {
      expectRefusal(await setRole(alice, group, bob, role), 400, 'validation_failed');
    }
    expect(await entryOf(alice, group)).toMatchObject({ participant_count: 2, conversation: { rev: 1 } });
  });
});

describe('a direct conversation', () => {
  test('cannot be left, and nobody is removed from it', async () => {
    const conversation = await alice.direct(bob);
    const before = await entryOf(alice, conversation);
    expectRefusal(await remove(alice, conversation, alice), 409, 'cannot_leave_direct');
    expectRefusal(await remove(alice, conversation, bob), 403, 'forbidden');
    expectRefusal(await add(alice, conversation, carol), 403, 'forbidden');
    expect(await entryOf(alice, conversation)).toEqual(before);
  });
});

describe('who is removed', () => {
  test('hears participant.left and then nothing more, on any socket, while a burst is being sent', async () => {
    const [hers, carols, phone, laptop] = await connectAll(alice, carol, bob, bob);
    const plain = await connectPlain(bob);
    for (let round = 1; round <= 3; round++) {
      const group = await alice.group([bob, carol]);
      const sent = burst(hers, group, numbered(`round ${round},`, 400));
      // Once he hears the burst running.
      await phone.find((frame) => frame.content === `round ${round}, 50`);
      expect((await remove(alice, group, bob)).status).toBe(200);
      await sent;

      const all = await heard(carols, group);
      const left = all.find(({ event }) => event === 'participant.left')!;
      expect(all.map(({ rev }) => rev)).toEqual(range(1, 402));
      expect(left.rev).toBeLessThan(402);
      for (const socket of [phone, laptop]) {
        expect(await heard(socket, group)).toEqual(all.slice(0, all.indexOf(left) + 1));
      }
      const flat = await heard(plain, group);
      expect(flat.map(({ seq }) => seq)).toEqual(range(2, left.message.seq - 1));
    }
  }, 60_000);

  test('hears nothing of what follows, of any kind, and a message to them directly still comes', async () => {
    const group = await alice.group([bob, carol]);
    const [his] = await connectAll(bob);
    const plain = await connectPlain(bob);
    await remove(alice, group, bob);
    await alice.send(group, 'gone?');
    await alice.call('PATCH', `/conversations/${group}`, { name: 'without him' });
    await add(alice, group, dan);
    await setRole(alice, group, dan, 'admin');
    await remove(dan, group, alice);
    // Another node may still tell them of the beginning.
    const later = (await heard(his, group)).filter(({ rev }) => rev > 1);
    expect(later.map(({ event }) => event)).toEqual(['participant.left']);
    expect(await heard(plain, group)).toEqual([]);

    const direct = await carol.direct(bob);
    await carol.send(direct, 'still here');
    expect(await heard(his, direct)).toMatchObject([{ event: 'conversation.created' }, { content: 'still here' }]);
    expect(await heard(plain, direct)).toMatchObject([{ content: 'still here' }]);
  });

  test('can neither read nor write it, nor come back by themselves', async () => {
    const group = await alice.group([bob, carol]);
    const [his] = await connectAll(bob);
    await his.say(group, 'before');
    await remove(alice, group, bob);
    await expectNoWayIn(bob, group);
    expect(
      (await bob.call('GET', '/conversations')).body.conversations.map((one: Entry) => one.conversation.id),
    ).not.toContain(group);
    const refused = await his.ask({ event: 'message.send', conversation_id: group, content: 'after' });
    expect(refused).toMatchObject({ event: 'error', code: 'conversation_not_found' });
    expect((await alice.history(group)).filter(({ type }) => type === 'text')).toHaveLength(1);
  });

  test('while they write themselves: what is acknowledged came before, what came after is refused', async () => {
    const group = await alice.group([bob, carol]);
    const [his, carols] = await connectAll(bob, carol);
    const answers = burst(his, group, numbered('his', 400));
    await carols.find((frame) => frame.content === 'his 50');
    await remove(alice, group, bob);
    const all = await answers;

    const left = await carols.find('participant.left');
    const acks = all.filter(({ event }) => event === 'ack');
    const errors = all.filter(({ event }) => event === 'error');
    expect(acks.length).toBeGreaterThanOrEqual(50);
    expect(errors.length).toBeGreaterThan(0);
    expect(acks.every(({ seq }) => seq < left.message.seq)).toBe(true);
    expect(errors.every(({ code }) => code === 'conversation_not_found')).toBe(true);
    // In order: the first refusal ends it.
    expect(all.map(({ event }) => event)).toEqual([...acks.map(() => 'ack'), ...errors.map(() => 'error')]);
    expect((await alice.history(group)).filter(({ type }) => type === 'text')).toHaveLength(acks.length);
  });

  test('while a socket of theirs is only just opening hears nothing of what follows either', async () => {
    for (let round = 0; round < 20; round++) {
      const group = await alice.group([bob]);
      const [socket] = await Promise.all([bob.connect(), remove(alice, group, bob)]);
      await alice.send(group, 'between us');
      // Another node may tell him late that there was a group; then it tells him that he left.
      const all = await heard(socket, group);
      const told = all.filter(({ event }) => event !== 'conversation.created').map(({ event }) => event);
      expect(['', 'participant.left']).toContain(told.join());
      expect(all.findIndex(({ event }) => event === 'conversation.created')).toBeLessThan(1);
      await socket.close();
    }
  }, 60_000);
});

describe('who is added', () => {
  test('hears their joining first, and every message from the next one on', async () => {
    const group = await alice.group([bob]);
    const [hers, phone, laptop] = await connectAll(alice, dan, dan);
    const plain = await connectPlain(dan);
    await alice.send(group, 'before he came');
    const sent = burst(hers, group, numbered('burst', 300));
    await hers.find((frame) => frame.event === 'message' && frame.content === 'burst 40');
    expect((await add(alice, group, dan)).status).toBe(200);
    await sent;

    const all = await heard(hers, group);
    const history = await alice.history(group);
    const joined = history.find(({ system }) => system?.kind === 'participant_joined')!;
    for (const socket of [phone, laptop]) {
      const theirs = await heard(socket, group);
      expectUnbroken(theirs, { from: joined.rev, to: history.at(-1)!.rev });
      // One by one it is what she hears; what a busy node was late to hear from another it tells together, from the log.
      const isOneByOne = [...all, ...theirs].every(({ event }) => event !== 'changes');
      if (!onCluster) expect(isOneByOne).toBe(true);
      if (isOneByOne) expect(theirs).toEqual(all.slice(all.findIndex(({ event }) => event === 'participant.joined')));
    }
    const flat = await heard(plain, group);
    expect(flat.map(({ seq }) => seq)).toEqual(range(joined.seq + 1, history.at(-1)!.seq));
    expect(flat.length).toBeGreaterThan(0);
  });

  test('hears it also where nobody else of the group is connected', async () => {
    const group = await alice.group([bob]);
    const [dans] = await connectAll(dan);
    for (const content of ['one', 'two']) await alice.send(group, content);
    await add(alice, group, dan);
    await alice.send(group, 'three');
    expect((await heard(dans, group)).map(({ rev }) => rev)).toEqual([4, 5]);
  });

  test('while their socket is only just opening misses nothing after its ready', async () => {
    for (let round = 0; round < 20; round++) {
      const group = await alice.group([bob]);
      const [socket] = await Promise.all([dan.connect(), add(alice, group, dan)]);
      await alice.send(group, 'welcome');
      await socket.find((frame) => frame.conversation_id === group && frame.content === 'welcome');
      await socket.close();
    }
  }, 60_000);

  test('again has all of the history, and marks that never went back', async () => {
    const group = await alice.group([bob]);
    const [his] = await connectAll(bob);
    for (const content of ['one', 'two', 'three']) await alice.send(group, content);
    await bob.send(group, 'read'); // seq 5
    await remove(alice, group, bob);
    await alice.send(group, 'while he was away');
    const answer = await add(alice, group, bob);
    expect(answer.body.conversation).toMatchObject({ seq: 8, rev: 8 });

    expect((await bob.history(group)).map(({ seq }) => seq)).toEqual(range(1, 8));
    const entry = await entryOf(bob, group);
    expect(entry).toMatchObject({ unread_count: 0, read_seq: 8, participant_count: 2 });
    const me = entry.participants.find(({ id }) => id === bob.id)!;
    expect(me).toMatchObject({ participant_role: 'member', read_seq: 8, delivered_seq: 8 });
    expect(me.left).toBeUndefined();
    await alice.send(group, 'welcome back');
    expect(await entryOf(bob, group)).toMatchObject({ unread_count: 1, read_seq: 8 });
    expect((await heard(his, group)).map(({ event, rev }) => [event, rev])).toEqual([
      ...range(2, 5).map((rev) => ['message', rev]),
      ['participant.left', 6],
      ['participant.joined', 8],
      ['message', 9],
    ]);
  });

  test('again after having been an admin is a member', async () => {
    const group = await alice.group([bob]);
    await setRole(alice, group, bob, 'admin');
    await remove(alice, group, bob);
    await add(alice, group, bob);
    expect(await rolesIn(alice, group)).toEqual({ [alice.id]: 'admin', [bob.id]: 'member' });
  });
});

describe('an outsider', () => {
  test('hears nothing of a conversation, on any socket', async () => {
    const [hers, his] = await connectAll(eve, bob);
    const plain = await connectPlain(eve);
    const group = await alice.group([bob]);
    const direct = await carol.direct(dan);
    await alice.send(group, 'among us');
    await carol.send(direct, 'between us');
    await add(alice, group, carol);
    await setRole(alice, group, bob, 'admin');
    await remove(bob, group, carol);
    await alice.call('PATCH', `/conversations/${group}`, { name: 'still among us' });
    expect(await heard(his, group)).toHaveLength(6);
    await Promise.all([hers.settle(), plain.settle()]);
    expect(new Set(hers.frames.map(({ event }) => event))).toEqual(new Set(['ready', 'pong']));
    expect(plain.frames).toEqual([]);
  });

  test('is told that it does not exist, wherever they ask, in the same words as of one that does not', async () => {
    const group = await alice.group([bob]);
    const direct = await alice.direct(bob);
    await expectNoWayIn(eve, group);
    await expectNoWayIn(eve, direct);
    await expectNoWayIn(eve, NOWHERE);
    expect(await entryOf(alice, group)).toMatchObject({ participant_count: 2, conversation: { seq: 1, rev: 1 } });
  });
});

/** Every way to a conversation answers as if there were none. */
async function expectNoWayIn(person: Person, conversation: string): Promise<void> {
  const at = `/conversations/${conversation}`;
  const { request_id: _, ...unknown } = (await person.call('GET', `/conversations/${NOWHERE}`)).body;
  const tries: [method: string, path: string, body?: unknown][] = [
    ['GET', at],
    ['PATCH', at, { name: 'mine' }],
    ['GET', `${at}/participants`],
    ['POST', `${at}/participants`, { user_ids: [person.id] }],
    ['DELETE', `${at}/participants/${person.id}`],
    ['DELETE', `${at}/participants/${alice.id}`],
    ['PATCH', `${at}/participants/${person.id}`, { participant_role: 'admin' }],
    ['GET', `${at}/messages`],
    ['POST', `${at}/messages`, { content: 'let me in' }],
  ];
  for (const [method, path, sent] of tries) {
    const { status, body } = await person.call(method, path, sent);
    const { request_id, ...rest } = body;
    expect(request_id).toBeString();
    expect([method, path, status, rest]).toEqual([method, path, 404, unknown]);
  }
  const socket = await person.connect();
  const plain = await person.connectPlain();
  expect(await socket.ask({ event: 'message.send', conversation_id: conversation, content: 'hi' })).toMatchObject({
    event: 'error',
    code: 'conversation_not_found',
    message: unknown.message,
  });
  plain.send({ conversation_id: conversation, content: 'hi' });
  expect(await plain.next(() => true)).toEqual({ error: true, code: unknown.code, message: unknown.message });
  await Promise.all([socket.close(), plain.close()]);
}
