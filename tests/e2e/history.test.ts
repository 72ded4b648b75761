import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Entry, Message } from '../../protocol/resources.ts';
import { burst, numbered, range } from '../support/burst.ts';
import { type Person, signUpAll } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

let server: TestServer;
let alice: Person;
let bob: Person;
let carol: Person;

beforeAll(async () => {
  server = await startServer();
  [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
});
afterAll(endServers);

interface HistoryPage {
  messages: Message[];
  has_more: boolean;
  next_cursor?: string;
  rev: number;
}

async function page(person: Person, conversation: string, query = ''): Promise<HistoryPage> {
  const { status, body } = await person.call('GET', `/conversations/${conversation}/messages${query}`);
  expect(status).toBe(200);
  return body;
}

function post(person: Person, conversation: string, body: unknown) {
  return person.call<Message>('POST', `/conversations/${conversation}/messages`, body);
}

const seqs = ({ messages }: { messages: Message[] }) => messages.map(({ seq }) => seq);

describe('history', () => {
  let conversation: string;

  beforeAll(async () => {
    conversation = await alice.group([bob], 'long');
    const socket = await alice.connect();
    await burst(socket, conversation, numbered('message', 249));
    await socket.close();
  });

  test('comes in pages, the newest first, oldest to newest inside a page', async () => {
    let cursor = '';
    for (const [first, last] of [
      [201, 250],
      [151, 200],
      [101, 150],
      [51, 100],
      [1, 50],
    ] as const) {
      const one = await page(bob, conversation, cursor);
      expect(seqs(one)).toEqual(range(first, last));
      expect(one).toMatchObject({ has_more: first > 1, rev: 250 });
      expect(one.next_cursor !== undefined).toBe(one.has_more);
      cursor = `?cursor=${one.next_cursor}`;
    }
  });

  test('is the same whatever the size of its pages', async () => {
    for (const limit of [1, 7, 100]) {
      const seen: Message[] = [];
      let query = `?limit=${limit}`;
      for (;;) {
        const one = await page(alice, conversation, query);
        expect(one.messages.length).toBeLessThanOrEqual(limit);
        seen.unshift(...one.messages);
        if (!one.has_more) break;
        query = `?limit=${limit}&cursor=${one.next_cursor}`;
      }
      expect(seen.map(({ seq }) => seq)).toEqual(range(1, 250));
      expect(seen.slice(1).map(({ content }) => content)).toEqual(numbered('message', 249));
      expect(new Set(seen.map(({ id }) => id)).size).toBe(250);
    }
  }, 60_000);

  test('stays whole for who pages back while new messages come in', async () => {
    const group = await alice.group([bob], 'busy');
    const socket = await alice.connect();
    await burst(socket, group, numbered('old', 60));
    const coming = burst(socket, group, numbered('new', 200));
    const first = await page(bob, group, '?limit=20');
    const seen = [...first.messages];
    let one = first;
    while (one.has_more) {
      one = await page(bob, group, `?limit=20&cursor=${one.next_cursor}`);
      seen.unshift(...one.messages);
    }
    await coming;
    const newest = first.messages.at(-1)!.seq;
    expect(seen.map(({ seq }) => seq)).toEqual(range(1, newest));
    expect(first.rev).toBeLessThanOrEqual(newest);
    expect(seqs(await page(bob, group, '?limit=100'))).toEqual(range(162, 261));
    await socket.close();
  });

  test('is at least as new as the rev that a page names, while new messages come in', async () => {
    const group = await alice.group([bob], 'busy too');
    const socket = await alice.connect();
    let done = false;
    const coming = burst(socket, group, numbered('new', 500)).then(() => {
      done = true;
    });
    let last = 0;
    let pages = 0;
    while (!done) {
      const { messages, rev } = await page(bob, group, '?limit=1');
      expect(messages[0]!.rev).toBeGreaterThanOrEqual(rev);
      expect(rev).toBeGreaterThanOrEqual(last);
      last = rev;
      pages++;
    }
    await coming;
    expect(pages).toBeGreaterThan(2);
    expect((await page(bob, group)).rev).toBe(501);
    await socket.close();
  });

  test('of nobody yet is empty', async () => {
    expect(await page(alice, await alice.direct(carol))).toEqual({ messages: [], has_more: false, rev: 1 });
  });

  test('takes limits of 1 to 100, and no cursor but its own', async () => {
    for (const query of [
      'limit=0',
      'limit=101',
      'limit=-3',
      'limit=1.5',
      'limit=all',
      'limit=1e9',
      'cursor=x',
      'cursor=e30',
      `cursor=${'x'.repeat(600)}`,
    ]) {
      const answer = await alice.call('GET', `/conversations/${conversation}/messages?${query}`);
      expect(answer, query).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    }
  });

  test('is no other for who hands in the cursor of another conversation', async () => {
    const { next_cursor } = await page(alice, conversation);
    const own = await carol.group([], 'own');
    expect((await page(carol, own, `?cursor=${next_cursor}`)).messages).toMatchObject([{ conversation_id: own }]);
    const answer = await carol.call('GET', `/conversations/${conversation}/messages?cursor=${next_cursor}`);
    expect(answer).toMatchObject({ status: 404, body: { code: 'conversation_not_found' } });
  });
});

describe('sending over REST', () => {
  test('answers with the message, which everybody hears as it is in the history', async () => {
    const conversation = await alice.direct(bob);
    const [hers, his] = await Promise.all([alice.connect(), bob.connect()]);
    const { status, body } = await post(alice, conversation, { content: ' as it is\n', client_id: 'first' });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(String),
      conversation_id: conversation,
      sender_id: alice.id,
      sender_username: alice.user.username,
      content: ' as it is\n',
      type: 'text',
      sent_at: expect.any(Number),
      seq: 1,
      rev: 2,
      client_id: 'first',
    });
    expect(Math.abs(body.sent_at - Date.now())).toBeLessThan(10_000);
    for (const socket of [hers, his]) expect(await socket.next('message')).toEqual({ event: 'message', ...body });
    expect((await page(bob, conversation)).messages).toEqual([body]);
    await Promise.all([hers.close(), his.close()]);
  });

  test('again with the same client_id gives the same message, with 200, and nobody hears it twice', async () => {
    const conversation = await alice.group([bob], 'once');
    const his = await bob.connect();
    const first = await post(alice, conversation, { content: 'once', client_id: 'key' });
    const again = await post(alice, conversation, { content: 'once', client_id: 'key' });
    const other = await post(alice, conversation, { content: 'other words', client_id: 'key' });
    expect([first.status, again.status, other.status]).toEqual([201, 200, 200]);
    expect(again.body).toEqual(first.body);
    expect(other.body).toEqual(first.body);
    await his.settle();
    expect(his.all('message')).toHaveLength(1);
    expect((await page(alice, conversation)).rev).toBe(2);
    await his.close();
  });

  test('fifty times at once with one client_id leaves one message', async () => {
    const conversation = await alice.group([bob], 'at once');
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => post(alice, conversation, { content: 'now', client_id: 'now' })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(seqs(await page(alice, conversation))).toEqual([1, 2]);
  });

  test('takes a client_id as its sender’s own, in one conversation', async () => {
    const [one, other] = [await alice.group([bob], 'one'), await alice.group([bob], 'other')];
    const body = { content: 'same key', client_id: 'shared' };
    const answers = [await post(alice, one, body), await post(bob, one, body), await post(alice, other, body)];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(3);
  });

  test('takes a client_id whatever it looks like, up to 64 characters', async () => {
    const conversation = await alice.group([], 'keys');
    const keys = [
      'x',
      'k'.repeat(64),
      crypto.randomUUID(),
      crypto.randomUUID().toUpperCase(),
      '🔑',
      "'; --",
      '__proto__',
    ];
    for (const client_id of keys) {
      const first = await post(alice, conversation, { content: 'key', client_id });
      expect(first).toMatchObject({ status: 201, body: { client_id } });
      expect(await post(alice, conversation, { content: 'key', client_id })).toMatchObject({
        status: 200,
        body: first.body,
      });
    }
    expect((await alice.history(conversation)).slice(1).map(({ client_id }) => client_id)).toEqual(keys);
    for (const client_id of ['', 'k'.repeat(65), 7, null, {}, 'a\0b', '\udc00']) {
      const answer = await post(alice, conversation, { content: 'key', client_id });
      expect(answer).toMatchObject({
        status: 400,
        body: { code: 'validation_failed', errors: [{ path: 'client_id' }] },
      });
    }
  });

  test('without a client_id makes a message each time', async () => {
    const conversation = await alice.group([], 'no keys');
    const [first, second] = [
      await post(alice, conversation, { content: 'a' }),
      await post(alice, conversation, { content: 'a' }),
    ];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(first.body.id).not.toBe(second.body.id);
    expect(first.body).not.toHaveProperty('client_id');
    expect((await page(alice, conversation)).messages.slice(1)).toEqual([first.body, second.body]);
  });

  test('moves the sender’s own marks, and nobody else’s', async () => {
    const conversation = await alice.group([bob], 'marks');
    for (let count = 0; count < 3; count++) await alice.send(conversation, 'hers');
    const { body } = await bob.call<Entry>('GET', `/conversations/${conversation}`);
    const marks = Object.fromEntries(body.participants.map((one) => [one.id, [one.read_seq, one.delivered_seq]]));
    expect(marks).toEqual({ [alice.id]: [4, 4], [bob.id]: [1, 1] });
    expect(body).toMatchObject({ unread_count: 3, read_seq: 1 });
  });

  test('takes only what a person may write', async () => {
    const conversation = await alice.group([bob], 'content');
    const his = await bob.connect();
    const wrong = [
      {},
      { content: '' },
      { content: ' \n\t ' },
      { content: 7 },
      { content: ['x'] },
      { content: { toString: 'x' } },
      { content: null },
      { content: 'x'.repeat(4001) },
      { content: '👍'.repeat(4001) },
      { content: 'a\0b' },
      { content: 'a\ud800b' },
      { content: 'x', type: 'system' },
      { content: 'x', type: 'image' },
      { content: 'x', type: 7 },
      'nonsense',
      '[]',
      '"content"',
      'null',
    ];
    for (const body of wrong) {
      const { status, body: answer } = await post(alice, conversation, body);
      expect([JSON.stringify(body).slice(0, 60), status]).toEqual([JSON.stringify(body).slice(0, 60), 400]);
      expect(['validation_failed', 'invalid_json']).toContain((answer as any).code);
    }
    for (const id of ['x', '7', '%00', "' or 1=1", '0199a3f0-8c00-7a00-8000']) {
      const answer = await post(alice, encodeURIComponent(id), { content: 'x' });
      expect([400, 404]).toContain(answer.status);
    }
    await his.settle();
    expect(his.all('message')).toEqual([]);
    expect((await page(bob, conversation)).rev).toBe(1);
    await his.close();
  });

  test('keeps text of every kind to the letter', async () => {
    const conversation = await alice.direct(bob);
    const texts = [
      'x'.repeat(4000),
      '👩‍👩‍👧‍👦'.repeat(571),
      'שלום \u202Eevil\u202C عالم',
      'e\u0301 Z̸̢̛̲͎͎͓̈́a̶l̴g̷o̵',
      '<script>alert(1)</script> & "quotes" \\ %s {{x}}',
      '  kept  \r\n\t ',
      '\u0001\u001f\u007f\u2028\u2029\ufeff.',
      '0199a3f0-8c00-7a00-8000-000000000001',
      '{"event":"message"}',
    ];
    for (const content of texts) {
      expect((await post(alice, conversation, { content })).body.content).toBe(content);
    }
    expect((await bob.history(conversation)).slice(-texts.length).map(({ content }) => content)).toEqual(texts);
  });

  test('ignores what is not the sender’s to say', async () => {
    const conversation = await alice.group([bob], 'mass assignment');
    const { body } = await post(alice, conversation, {
      content: 'mine',
      id: carol.id,
      sender_id: bob.id,
      sender_username: 'bob',
      seq: 99,
      rev: 99,
      sent_at: 1,
      deleted_at: 1,
      system: { kind: 'renamed' },
    });
    expect(body).toMatchObject({ sender_id: alice.id, sender_username: alice.user.username, seq: 2, rev: 2 });
    for (const field of ['deleted_at', 'system']) expect(body).not.toHaveProperty(field);
    expect(body.id).not.toBe(carol.id);
    expect(body.sent_at).toBeGreaterThan(1);
  });
});

describe('a client_id is known for ever', () => {
  test('also to somebody who was removed since: their retry is answered, a new message is not taken', async () => {
    const group = await alice.group([bob], 'removed');
    const his = await bob.connect();
    const first = await post(bob, group, { content: 'sent', client_id: 'mine' });
    const ack = await his.ask({ event: 'message.send', conversation_id: group, content: 'sent too', client_id: 'too' });
    await alice.call('DELETE', `/conversations/${group}/participants/${bob.id}`);

    expect(await post(bob, group, { content: 'sent', client_id: 'mine' })).toMatchObject({
      status: 200,
      body: first.body,
    });
    const retried = { event: 'message.send', conversation_id: group, content: 'sent too', client_id: 'too' };
    his.send(retried);
    his.forget(); // the same answer again, not the one of before
    expect(await his.find('ack')).toEqual(ack);
    expect(await post(bob, group, { content: 'new', client_id: 'new' })).toMatchObject({
      status: 404,
      body: { code: 'conversation_not_found' },
    });
    // Somebody else's key opens nothing.
    expect((await post(carol, group, { content: 'sent', client_id: 'mine' })).status).toBe(404);
    expect((await alice.history(group)).filter(({ type }) => type === 'text')).toHaveLength(2);
    await his.close();
  });

  test('also after a restart of the server', async () => {
    const own = await startServer();
    const [dan, eve] = await signUpAll(own, 'dan', 'eve');
    const conversation = await dan.direct(eve);
    const first = await post(dan, conversation, { content: 'before', client_id: 'before' });
    const socket = await dan.connect();
    const sent = { event: 'message.send', conversation_id: conversation, content: 'live', client_id: 'live' };
    const ack = await socket.ask(sent);

    expect(await own.stop()).toBe(0);
    await own.start();
    expect(await post(dan, conversation, { content: 'before', client_id: 'before' })).toMatchObject({
      status: 200,
      body: first.body,
    });
    const again = await dan.connect();
    expect(await again.ask(sent)).toEqual(ack);
    await dan.send(conversation, 'after');
    expect((await eve.history(conversation)).map(({ seq, content }) => [seq, content])).toEqual([
      [1, 'before'],
      [2, 'live'],
      [3, 'after'],
    ]);
    await again.close();
  });
});
