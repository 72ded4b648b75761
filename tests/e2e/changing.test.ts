import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { burst, numbered, range } from '../support/burst.ts';
import { type Answer, Person, request, signUp, signUpAll } from '../support/people.ts';
import { endServers, onCluster, startServer, type TestServer } from '../support/server.ts';

let server: TestServer;
let alice: Person;
let bob: Person;
let carol: Person;
let eve: Person;

beforeAll(async () => {
  server = await startServer();
  [alice, bob, carol, eve] = await signUpAll(server, 'alice', 'bob', 'carol', 'eve');
});
afterAll(endServers);

const path = (conversation: string, rest = '') => `/conversations/${conversation}${rest}`;

describe('a message', () => {
  test('is edited by its sender, and all hear it with its new rev and why', async () => {
    const group = await alice.group([bob]);
    const sent = await alice.send(group, 'helo');
    const socket = await bob.connect();
    const { status, body } = await alice.call('PATCH', path(group, `/messages/${sent.id}`), { content: 'hello' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: sent.id, content: 'hello', seq: sent.seq, rev: sent.rev + 1 });
    expect(body.edited_at).toBeNumber();
    const heard = await socket.next('message.updated');
    expect(heard).toMatchObject({ id: sent.id, content: 'hello', rev: sent.rev + 1 });
    expect(heard.cause).toEqual({ kind: 'edit', user_id: alice.id });
  });

  test('edited to what it says already takes no rev, also with an if_rev of the past', async () => {
    const group = await alice.group([bob]);
    const sent = await alice.send(group, 'same');
    const again = await alice.call('PATCH', path(group, `/messages/${sent.id}`), { content: 'same', if_rev: 1 });
    expect(again.body.rev).toBe(sent.rev);
  });

  test('edited to what looks like an id is quoted by it, live and later', async () => {
    const id = await alice.direct(bob);
    const sent = await alice.send(id, 'an id');
    const content = crypto.randomUUID();
    await alice.call('PATCH', path(id, `/messages/${sent.id}`), { content });
    const socket = await alice.connect();
    const reply = await bob.call('POST', path(id, '/messages'), { content: 'which one?', reply_to: sent.id });
    const quote = { id: sent.id, sender_id: alice.id, sender_username: alice.user.username, excerpt: content };
    expect(reply.body.reply_to).toEqual(quote);
    expect((await socket.next('message')).reply_to).toEqual(quote);
    expect((await alice.history(id)).at(-1)!.reply_to).toEqual(quote);
  });

  test('that changed meanwhile is not edited with an old if_rev', async () => {
    const group = await alice.group([bob]);
    const sent = await alice.send(group, 'one');
    await alice.call('PATCH', path(group, `/messages/${sent.id}`), { content: 'two' });
    const late = await alice.call('PATCH', path(group, `/messages/${sent.id}`), { content: 'three', if_rev: sent.rev });
    expect([late.status, late.body.code]).toEqual([409, 'stale']);
  });

  test('of somebody else cannot be edited, and for an outsider it does not exist', async () => {
    const group = await alice.group([bob]);
    const sent = await alice.send(group, 'mine');
    const byBob = await bob.call('PATCH', path(group, `/messages/${sent.id}`), { content: 'his' });
    const byEve = await eve.call('PATCH', path(group, `/messages/${sent.id}`), { content: 'hers' });
    expect([byBob.status, byBob.body.code]).toEqual([403, 'forbidden']);
    expect([byEve.status, byEve.body.code]).toEqual([404, 'conversation_not_found']);
  });

  test('that is deleted stays as a tombstone without its reactions, and quotes of it are empty', async () => {
    const group = await alice.group([bob]);
    const sent = await bob.send(group, 'regret');
    await alice.call('PUT', path(group, `/messages/${sent.id}/reactions/${encodeURIComponent('👍')}`));
    const reply = await alice.call('POST', path(group, '/messages'), { content: 'what?', reply_to: sent.id });
    expect(reply.body.reply_to).toMatchObject({ id: sent.id, sender_id: bob.id, excerpt: 'regret' });
    const deleted = await alice.call('DELETE', path(group, `/messages/${sent.id}`));
    expect(deleted.status).toBe(200);
    const [, tombstone, answer] = await bob.history(group);
    expect(tombstone).toMatchObject({ id: sent.id, content: '' });
    expect(tombstone!.deleted_at).toBeNumber();
    expect(tombstone!.reactions).toBeUndefined();
    expect(answer!.reply_to!.excerpt).toBe('');
  });

  test('collects one reaction of each kind per user, and says which are the caller’s own', async () => {
    const group = await alice.group([bob]);
    const sent = await alice.send(group, 'nice');
    const socket = await alice.connect();
    const thumb = path(group, `/messages/${sent.id}/reactions/${encodeURIComponent('👍')}`);
    await bob.call('PUT', thumb);
    await bob.call('PUT', thumb);
    const mine = await alice.call('PUT', thumb);
    expect(mine.body.reactions).toEqual([{ emoji: '👍', count: 2, user_ids: [bob.id, alice.id], me: true }]);
    expect(mine.body.rev).toBe(sent.rev + 2);
    const heard = await socket.next('message.updated');
    expect(heard.reactions).toEqual([{ emoji: '👍', count: 1, user_ids: [bob.id] }]);
    const back = await bob.call('DELETE', thumb);
    expect(back.body.reactions).toEqual([{ emoji: '👍', count: 1, user_ids: [alice.id] }]);
  });

  test('can be changed over a socket too, which answers with an ack that carries the client_id', async () => {
    const group = await alice.group([bob]);
    const sent = await alice.send(group, 'first');
    const socket = await alice.connect();
    const key = { conversation_id: group, message_id: sent.id };
    const edited = await socket.ask({ event: 'message.edit', ...key, content: 'second' });
    expect(edited).toMatchObject({ event: 'ack', id: sent.id, rev: sent.rev + 1, seq: sent.seq });
    const reacted = await socket.ask({ event: 'reaction.add', ...key, emoji: '🎉' });
    expect(reacted).toMatchObject({ event: 'ack', rev: sent.rev + 2 });
    const nonsense = await socket.ask({ event: 'reaction.add', ...key, emoji: 'yes' });
    expect(nonsense).toMatchObject({ event: 'error', code: 'validation_failed' });
    const deleted = await socket.ask({ event: 'message.delete', ...key });
    expect(deleted).toMatchObject({ event: 'ack', rev: sent.rev + 3 });
  });

  test('that answers one of another conversation is refused', async () => {
    const [here, there] = [await alice.group([bob]), await alice.group([bob])];
    const elsewhere = await alice.send(there, 'elsewhere');
    const refused = await alice.call('POST', path(here, '/messages'), { content: 'hm', reply_to: elsewhere.id });
    expect([refused.status, refused.body.code]).toEqual([404, 'message_not_found']);
    const outsider = await eve.call('POST', path(there, '/messages'), { content: 'hm', reply_to: elsewhere.id });
    expect([outsider.status, outsider.body.code]).toEqual([404, 'conversation_not_found']);
  });
});

describe('history around a message', () => {
  test('opens with that message in its middle', async () => {
    const group = await alice.group([bob]);
    const sent = [];
    for (let index = 0; index < 30; index++) sent.push(await alice.send(group, `number ${index}`));
    const middle = sent[15]!;
    const { body } = await bob.call('GET', path(group, `/messages?limit=10&around=${middle.id}`));
    const seqs = body.messages.map((message: any) => message.seq);
    expect(seqs).toHaveLength(10);
    expect(seqs).toContain(middle.seq);
    expect(seqs[0]).toBeLessThan(middle.seq);
    expect(seqs.at(-1)).toBeGreaterThan(middle.seq);
  });
});

describe('changes since a rev', () => {
  test('hold each message once as it now stands, who changed, and the conversation where it did', async () => {
    const group = await alice.group([bob, carol], 'Before');
    const since = (await bob.call('GET', path(group))).body.conversation.rev;
    const sent = await alice.send(group, 'one');
    await alice.send(group, 'two');
    await alice.call('PATCH', path(group, `/messages/${sent.id}`), { content: 'one, better' });
    await alice.call('PATCH', path(group), { name: 'After' });
    await alice.call('DELETE', path(group, `/participants/${carol.id}`));
    const { body } = await bob.call('GET', path(group, `/changes?since=${since}`));
    expect(body.messages.map((message: any) => message.content)).toEqual([
      'two',
      'one, better',
      `${alice.user.username} renamed the group to “After”`,
      `${alice.user.username} removed ${carol.user.username}`,
    ]);
    expect(body.conversation.name).toBe('After');
    expect(body.participants).toHaveLength(1);
    expect(body.participants[0]).toMatchObject({ id: carol.id, left: true, rev: body.rev });
    expect(body.rev).toBe(since + 5);
    expect(body.has_more).toBe(false);
  });

  test('come in pages, each covering up to its rev', async () => {
    const group = await alice.group([bob]);
    for (let index = 0; index < 7; index++) await alice.send(group, `number ${index}`);
    const seen: number[] = [];
    let since = 1;
    for (let hasMore = true; hasMore; ) {
      const { body } = await bob.call('GET', path(group, `/changes?since=${since}&limit=3`));
      seen.push(...body.messages.map((message: any) => message.seq));
      [since, hasMore] = [body.rev, body.has_more];
    }
    expect(seen).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(since).toBe(8);
  });

  test('are refused beyond the end, for nonsense, and to outsiders', async () => {
    const group = await alice.group([bob]);
    const codes = [];
    for (const since of ['99', '-1', 'x', '1e400', '']) {
      const { status, body } = await bob.call('GET', path(group, `/changes?since=${since}`));
      codes.push([since, status, body.code]);
    }
    expect(codes.slice(0, 4)).toEqual([
      ['99', 409, 'resync_required'],
      ['-1', 400, 'validation_failed'],
      ['x', 400, 'validation_failed'],
      ['1e400', 400, 'validation_failed'],
    ]);
    const outsider = await eve.call('GET', path(group, '/changes?since=0'));
    expect([outsider.status, outsider.body.code]).toEqual([404, 'conversation_not_found']);
  });

  test('more than a thousand behind say reset', async () => {
    const group = await alice.group([bob]);
    const socket = await alice.connect();
    for (let round = 0; round < 21; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, index) => socket.say(group, `${round}/${index}`)));
    }
    const { body } = await bob.call('GET', path(group, '/changes?since=1'));
    expect(body).toMatchObject({ reset: true, rev: 1051, messages: [] });
  });
});

describe('marks', () => {
  test('of reading are written, told once, and never go back or beyond the end', async () => {
    const conversation = await alice.direct(bob);
    const socket = await alice.connect();
    const sent = await alice.send(conversation, 'read me');
    const read = await bob.call('POST', path(conversation, '/read'), { seq: sent.seq + 1000 });
    expect(read.body).toMatchObject({ read_seq: sent.seq, delivered_seq: sent.seq });
    const receipts = await socket.next('receipts');
    expect(receipts.marks).toEqual([{ user_id: bob.id, read_seq: sent.seq, delivered_seq: sent.seq }]);
    const back = await bob.call('POST', path(conversation, '/read'), { seq: 0 });
    expect(back.body.read_seq).toBe(sent.seq);
    expect((await bob.call('GET', path(conversation))).body.unread_count).toBe(0);
  });

  test('of many at once come in one frame', async () => {
    const group = await alice.group([bob, carol]);
    const { seq } = await alice.send(group, 'hello');
    // Gathered by one node.
    const there = ({ user, tokens, password }: Person) => new Person(server.nodes[0]!, user, tokens, password);
    const sockets = await Promise.all([alice.connect(), there(bob).connect(), there(carol).connect()]);
    for (const socket of sockets.slice(1)) {
      for (let mark = 1; mark <= seq; mark++) socket.send({ event: 'read', conversation_id: group, seq: mark });
    }
    const receipts = await sockets[0].next((frame) => frame.event === 'receipts' && frame.marks.length === 2);
    expect(receipts.marks.map((mark: any) => mark.read_seq)).toEqual([seq, seq]);
    const { body } = await alice.call('GET', path(group, '/changes?since=2&marks_since=0'));
    expect(body.marks).toHaveLength(2);
    expect(body.marks_rev).toBe(receipts.marks_rev);
  });

  test('of one request after the other come in as few frames as those of a socket, and all are answered once they are written', async () => {
    const group = await alice.group([bob, carol]);
    for (let n = 0; n < 20; n++) await alice.send(group, `message ${n}`);
    const hers = await carol.connect();
    const reading: Promise<Answer>[] = [];
    for (let seq = 2; seq <= 21; seq++) {
      reading.push(bob.call('POST', path(group, '/read'), { seq }));
      await Bun.sleep(10);
    }
    const answers = await Promise.all(reading);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    for (const [n, { body }] of answers.entries()) expect(body.read_seq).toBeGreaterThanOrEqual(2 + n);
    await hers.find((frame) => frame.event === 'receipts' && frame.marks[0].read_seq === 21);
    expect(hers.all('receipts').length).toBeLessThanOrEqual(3 * server.nodes.length);
  });

  test('of a large group reach each of its sockets, in an order in which nothing is missing', async () => {
    const members = await Promise.all(Array.from({ length: 109 }, () => signUp(server, 'reader')));
    const group = await alice.group(members, 'readers');
    const { seq } = await alice.send(group, 'hello');
    // Gathered by one node, which has all the sockets: two of each.
    const node = server.nodes[0]!;
    const readers = members.map((person) => person.at(node));
    const sockets = await Promise.all([...readers, ...readers].map((reader) => reader.connect()));
    for (const socket of sockets.slice(0, members.length)) socket.send({ event: 'read', conversation_id: group, seq });

    for (const socket of [sockets[0]!, sockets.at(-1)!]) {
      const heard = new Map<string, number>();
      let rev = 0;
      while (heard.size < members.length) {
        const { marks, marks_rev, since = marks_rev - 1 } = await socket.next('receipts');
        expect(since).toBe(rev);
        rev = marks_rev;
        for (const mark of marks) heard.set(mark.user_id, mark.read_seq);
      }
      expect(new Set(heard.values())).toEqual(new Set([seq]));
      const { body } = await alice.call('GET', path(group, '/changes?since=2&marks_since=0'));
      expect(rev).toBe(body.marks_rev);
    }
  });

  test('in a foreign conversation are refused', async () => {
    const group = await alice.group([bob]);
    const socket = await eve.connect();
    socket.send({ event: 'read', conversation_id: group, seq: 1 });
    expect(await socket.next('error')).toMatchObject({ code: 'conversation_not_found' });
  });
});

describe('sync', () => {
  test('names all conversations in id order, page by page, with the caller’s own marks', async () => {
    const dora = (await signUpAll(server, 'dora'))[0];
    const groups: string[] = [];
    for (let index = 0; index < 5; index++) groups.push(await dora.group([alice], `group ${index}`));
    await alice.send(groups[2]!, 'unread');
    const heads: any[] = [];
    let cursor = '';
    do {
      const { body } = await dora.call('GET', `/sync?limit=2${cursor}`);
      expect(body.epoch).toBeString();
      heads.push(...body.conversations);
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor !== '');
    expect(heads.map((head) => head.id)).toEqual(groups.toSorted());
    expect(heads.find((head) => head.id === groups[2])).toMatchObject({ seq: 2, rev: 2, read_seq: 1, marks_rev: 0 });
  });
});

describe('sync with what is held', () => {
  test('asked for many times at once by one account that missed much costs little more memory than once', async () => {
    const [one] = await signUpAll(server, 'greedy');
    const socket = await one.connect();
    const groups = await Promise.all(Array.from({ length: 20 }, (_, index) => one.group([], `group ${index}`)));
    const long = 'я'.repeat(4000);
    for (const group of groups) {
      await burst(
        socket,
        group,
        numbered('', 200).map((number) => long.slice(number.length) + number),
      );
      socket.forget();
    }
    await socket.close();
    // No two ask for the same, so that no answer is shared.
    const ask = (rev: number) =>
      sync(
        one,
        groups.map((id) => ({ id, rev })),
      );
    await ask(1);
    const before = await server.memory();
    let most = before;
    const weighing = setInterval(async () => {
      most = Math.max(most, await server.memory());
    }, 50);
    const answers = await Promise.all(range(1, 24).map((rev) => ask(rev)));
    clearInterval(weighing);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    // Each tells something, and little more than is enough.
    for (const { body } of answers) {
      const told = body.conversations.flatMap((head: any) => head.changes?.messages ?? []).length;
      expect(told).toBeGreaterThan(0);
      expect(told).toBeLessThan(500);
    }
    expect((most - before) / 2 ** 20).toBeLessThan(400 * server.nodes.length);
  }, 120_000);

  const sync = (person: Person, conversations: unknown, rest: object = {}) =>
    person.call('POST', '/sync', { conversations, ...rest });

  test('brings what changed with the heads, the same as changes does', async () => {
    const [jo, kim] = await signUpAll(server, 'jo', 'kim');
    const [busy, quiet] = [await jo.group([kim], 'busy'), await jo.group([kim], 'quiet')];
    const first = await jo.send(busy, 'one');
    await kim.send(busy, 'two');
    await kim.call('PUT', path(busy, `/messages/${first.id}/reactions/%F0%9F%91%8D`));
    await kim.call('POST', path(busy, '/read'), { seq: 3 });
    const held = [
      { id: busy, rev: 1, marks_rev: 0 },
      { id: quiet, rev: 1, marks_rev: 0 },
    ];
    const answers = await Promise.all([sync(jo, held), sync(kim, held)]);
    for (const [index, { status, body }] of answers.entries()) {
      expect(status).toBe(200);
      const [hers] = body.conversations.filter((head: any) => head.id === busy);
      const [other] = body.conversations.filter((head: any) => head.id === quiet);
      const { body: changes } = await [jo, kim][index]!.call('GET', path(busy, '/changes?since=1&marks_since=0'));
      for (const { reactions = [] } of changes.messages) for (const reaction of reactions) delete reaction.me;
      expect(hers.changes).toEqual(changes);
      expect(hers).toMatchObject({ seq: 3, rev: 4 });
      expect(other.changes).toBeUndefined();
    }
    const { body: after } = await sync(jo, [{ id: busy, rev: 4 }]);
    expect(after.conversations.every((head: any) => head.changes === undefined)).toBe(true);
  });

  test('goes page by page, and leaves long absences to changes', async () => {
    const [lou, max] = await signUpAll(server, 'lou', 'max');
    const ids: string[] = [];
    for (let index = 0; index < 3; index++) ids.push(await lou.group([max], `page ${index}`));
    for (const id of ids) await max.send(id, 'missed');
    const held = ids.map((id) => ({ id, rev: 1 }));
    const { body: first } = await sync(lou, held, { limit: 2 });
    const { body: second } = await sync(lou, held, { limit: 2, cursor: first.next_cursor });
    const heads = [...first.conversations, ...second.conversations];
    expect(heads.map((head) => head.id)).toEqual(ids.toSorted());
    expect(heads.map((head) => head.changes.messages.length)).toEqual([1, 1, 1]);
    const { body: zero } = await sync(lou, [{ id: ids[0], rev: 0 }]);
    expect(zero.conversations.find((head: any) => head.id === ids[0]).changes.rev).toBe(2);
  });

  test('tells of no conversation that the caller is not in, whatever they name', async () => {
    const [nia, oli] = await signUpAll(server, 'nia', 'oli');
    const group = await nia.group([oli], 'a secret name');
    await nia.send(group, 'a secret text');
    const asOutsider = await sync(eve, [{ id: group, rev: 0 }]);
    expect(JSON.stringify(asOutsider.body)).not.toContain(group);
    await nia.call('DELETE', path(group, `/participants/${oli.id}`));
    await nia.send(group, 'said when oli was out');
    // Asked for by a member first, so that the answer is there for whoever may have it.
    const hers = await sync(nia, [{ id: group, rev: 1 }]);
    expect(JSON.stringify(hers.body)).toContain('said when oli was out');
    const his = await sync(oli, [{ id: group, rev: 1 }]);
    expect(his.body.conversations).toEqual([]);
  });

  test('refuses nonsense, and takes what is ahead of the log for what it is', async () => {
    const group = await alice.group([bob]);
    const many = Array.from({ length: 1001 }, () => ({ id: group, rev: 1 }));
    const bad: unknown[] = [
      undefined,
      'all',
      [{ id: 'x', rev: 1 }],
      [{ id: group }],
      [{ id: group, rev: -1 }],
      [{ id: group, rev: 1.5 }],
      [{ id: group, rev: '1' }],
      [{ id: group, rev: 1, marks_rev: -1 }],
      many,
    ];
    for (const conversations of bad) expect((await sync(alice, conversations)).body.code).toBe('validation_failed');
    for (const rest of [{ limit: 0 }, { limit: 1001 }, { cursor: 'nowhere' }]) {
      expect((await sync(alice, [], rest)).body.code).toBe('validation_failed');
    }
    const ahead = await sync(alice, [{ id: group, rev: Number.MAX_SAFE_INTEGER, marks_rev: Number.MAX_SAFE_INTEGER }]);
    expect(ahead.body.conversations.find((head: any) => head.id === group)).not.toHaveProperty('changes');
    expect((await request(server, 'POST', '/sync', { body: { conversations: [] } })).status).toBe(401);
  });
});

describe('typing', () => {
  test('is told to the others, and stops when the message comes', async () => {
    const group = await alice.group([bob]);
    const [hers, his, outsider] = await Promise.all([alice.connect(), bob.connect(), eve.connect()]);
    hers.send({ event: 'typing', conversation_id: group, active: true });
    expect(await his.next('typing')).toMatchObject({ user_id: alice.id, username: alice.user.username, active: true });
    await hers.say(group, 'done');
    expect(await his.next('typing')).toMatchObject({ active: false });
    outsider.send({ event: 'typing', conversation_id: group, active: true });
    expect(await outsider.next('error')).toMatchObject({ code: 'conversation_not_found' });
    await outsider.settle();
    expect(outsider.all('typing')).toEqual([]);
  });
});

describe('presence', () => {
  test('is told to who watches and shares a conversation, and to nobody else', async () => {
    const [fay, gus] = await signUpAll(server, 'fay', 'gus');
    await fay.direct(gus);
    const [watcher, stranger] = await Promise.all([fay.connect(), eve.connect()]);
    watcher.send({ event: 'presence.watch', user_ids: [gus.id] });
    stranger.send({ event: 'presence.watch', user_ids: [gus.id, fay.id] });
    expect(await watcher.next('presence')).toMatchObject({ user_id: gus.id, status: 'offline' });
    const his = await gus.connect();
    expect(await watcher.next('presence')).toMatchObject({ user_id: gus.id, status: 'online' });
    his.send({ event: 'presence.set', status: 'dnd' });
    expect(await watcher.next('presence')).toMatchObject({ user_id: gus.id, status: 'dnd' });
    await stranger.settle();
    expect(stranger.all('presence')).toEqual([]);
  });

  test('does not flicker when somebody comes back within ten seconds', async () => {
    const [hal, ida] = await signUpAll(server, 'hal', 'ida');
    await hal.direct(ida);
    const watcher = await hal.connect();
    const first = await ida.connect();
    watcher.send({ event: 'presence.watch', user_ids: [ida.id] });
    await watcher.next(({ event, status }) => event === 'presence' && status === 'online');
    const told = () => watcher.all('presence').map((frame) => frame.status);
    const before = told();
    // Another node may be asked a moment before it is told.
    if (!onCluster) expect(before).toEqual(['online']);
    await first.close();
    await ida.connect();
    await watcher.settle();
    expect(told()).toEqual(before);
  });
});
