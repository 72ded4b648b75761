import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import {
  MARKS_AT_ONCE,
  MAX_ANSWER_BYTES,
  MAX_CHANGES_FRAME_BYTES,
  MAX_NAMED_ERRORS,
  MAX_PARTICIPANTS_AT_ONCE,
} from '../../protocol/limits.ts';
import type { Changes, Entry, Message, Participant } from '../../protocol/resources.ts';
import { burst, range } from '../support/burst.ts';
import { type Person, signUp, signUpAll } from '../support/people.ts';
import { endServers, onCluster, startServer, type TestServer } from '../support/server.ts';
import { openStored, type Stored } from '../support/stored.ts';

setDefaultTimeout(120_000);
afterAll(endServers);

/** The longest message that a person can send, in bytes: characters outside of the basic plane take four each. */
const LONGEST = '𝕄'.repeat(4000);
const MESSAGES = 150;
const REACTIONS = ['👍', '🎉', '❤️', '😀', '🚀'];

/** An answer with the number of its bytes, which is never more than any answer may have. */
async function read<T = any>(person: Person, path: string, body?: unknown): Promise<T> {
  const { status, text } = await ask(person, path, body);
  expect(status).toBe(200);
  return JSON.parse(text);
}

async function ask(person: Person, path: string, body?: unknown) {
  const response = await fetch(`${person.server.url}/api/v1${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${person.tokens.access_token}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const bytes = await response.bytes();
  expect(bytes.length).toBeLessThanOrEqual(MAX_ANSWER_BYTES);
  return { status: response.status, text: new TextDecoder().decode(bytes) };
}

/** All that changed, page after page, as a client that holds `rev` and `marks_rev` asks for it. */
async function readChanges(person: Person, id: string, held: { rev: number; marks_rev?: number }, limit = 1000) {
  const pages: Changes[] = [];
  let { rev, marks_rev } = held;
  let hasMore = true;
  while (hasMore) {
    const marks = marks_rev === undefined ? '' : `&marks_since=${marks_rev}`;
    const page = await read<Changes>(person, `/conversations/${id}/changes?since=${rev}&limit=${limit}${marks}`);
    expect(page.reset).toBeUndefined();
    const hasMoved = page.rev > rev || (marks_rev !== undefined && page.marks_rev > marks_rev);
    expect({ hasMoved: hasMoved || !page.has_more }).toEqual({ hasMoved: true });
    for (const one of [...page.messages, ...(page.participants ?? [])]) {
      expect(one.rev).toBeGreaterThan(rev);
      expect(one.rev).toBeLessThanOrEqual(page.rev);
    }
    pages.push(page);
    ({ rev, has_more: hasMore } = page);
    if (marks_rev !== undefined) marks_rev = page.marks_rev;
  }
  return pages;
}

describe('messages as long as they can be', () => {
  let alice: Person;
  let bob: Person;
  let group: string;
  let stored: Message[];

  beforeAll(async () => {
    const server = await startServer();
    [alice, bob] = await signUpAll(server, 'alice', 'bob');
    group = await alice.group([bob]);
    const socket = await alice.connect();
    await burst(
      socket,
      group,
      range(1, MESSAGES).map((n) => `${n} ${LONGEST.slice(10)}`),
    );
    await socket.close();
    stored = await alice.history(group);
    // Some change again: their order in `changes` is another than in the history.
    for (const { id } of stored.slice(20, 60)) {
      for (const emoji of REACTIONS) await bob.call('PUT', `/conversations/${group}/messages/${id}/reactions/${emoji}`);
    }
    stored = await alice.history(group);
  });

  test('come in pages of the history that end early, each message once, in order', async () => {
    expect(stored.map(({ seq }) => seq)).toEqual(range(1, MESSAGES + 1));
    const page = await read(alice, `/conversations/${group}/messages?limit=100`);
    expect(page.messages.length).toBeWithin(20, 100);
    expect(page).toMatchObject({ has_more: true, next_cursor: expect.any(String) });
    expect(page.messages.at(-1).seq).toBe(MESSAGES + 1);
  });

  test('come around the one that was asked for, wherever it is', async () => {
    for (const at of [0, 1, 40, 100, MESSAGES]) {
      const { id, seq } = stored[at]!;
      const { messages } = await read(alice, `/conversations/${group}/messages?limit=100&around=${id}`);
      const seqs: number[] = messages.map((message: Message) => message.seq);
      expect(seqs).toContain(seq);
      expect(seqs).toEqual(range(seqs[0]!, seqs.at(-1)!));
      expect(seqs.length).toBeGreaterThan(20);
    }
  });

  test.each([1000, 500, 37, 1])('come in pages of changes that end early, %d asked for', async (limit) => {
    const pages = await readChanges(alice, group, { rev: 0, marks_rev: 0 }, limit);
    const told = pages.flatMap(({ messages }) => messages);
    expect(told.map(({ rev }) => rev)).toEqual(told.map(({ rev }) => rev).toSorted((a, b) => a - b));
    expect(told.toSorted((a, b) => a.seq - b.seq)).toEqual(stored);
    expect(pages.length).toBeGreaterThanOrEqual(3);
    for (const { messages } of pages) expect(messages.length).toBeLessThanOrEqual(limit);
  });

  test('are left out of a sync where they do not fit, and are asked for then', async () => {
    const groups = await Promise.all(range(1, 20).map((n) => alice.group([bob], `Group ${n}`)));
    for (const id of groups) for (const n of range(1, 6)) await alice.send(id, `${n} ${LONGEST.slice(10)}`);
    const held = [group, ...groups].map((id) => ({ id, rev: 1, marks_rev: 0 }));
    const { conversations } = await read(alice, '/sync', { conversations: held });
    expect(conversations).toHaveLength(held.length);
    let missing = 0;
    for (const { id, rev, changes } of conversations) {
      if (changes?.reset) throw new Error('nobody is so far behind that a copy is to be loaded anew');
      if (changes?.rev !== rev) missing++;
      const pages = await readChanges(alice, id, { rev: changes?.rev ?? 1 });
      const told = [...(changes?.messages ?? []), ...pages.flatMap(({ messages }) => messages)];
      expect(new Set(told.map((message: Message) => message.id)).size).toBe(id === group ? MESSAGES : 6);
    }
    expect(missing).toBeWithin(1, held.length);
  });

  test('come in a list of conversations that ends early', async () => {
    const everybody: string[] = [];
    let cursor = '';
    let pages = 0;
    do {
      const page = await read(alice, `/conversations?limit=100${cursor}`);
      everybody.push(...page.conversations.map(({ conversation }: Entry) => conversation.id));
      expect(page.count).toBe(page.conversations.length);
      cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : '';
      pages++;
    } while (cursor !== '');
    expect(new Set(everybody).size).toBe(everybody.length);
    expect(everybody.length).toBe(21);
    expect(pages).toBeGreaterThanOrEqual(1);
  });
});

test('a request that is wrong in a hundred thousand places is told of some of them', async () => {
  const alice = await signUp(await startServer());
  const { status, text } = await ask(alice, '/sync', { conversations: Array(100_000).fill(1) });
  expect(status).toBe(400);
  expect(JSON.parse(text).errors.length).toBeWithin(1, MAX_NAMED_ERRORS + 1);
});

describe('a large group', () => {
  const PEOPLE = 3 * MAX_PARTICIPANTS_AT_ONCE;
  let server: TestServer;
  let alice: Person;
  let group: string;
  let stored: Stored;
  let ids: string[];

  beforeAll(async () => {
    server = await startServer({ MAX_GROUP_SIZE: '3500' });
    alice = await signUp(server, 'alice');
    stored = await openStored(server);
    ids = await addUsers(stored, PEOPLE + 600);
    group = await alice.group([]);
    for (let from = 0; from < PEOPLE; from += MAX_PARTICIPANTS_AT_ONCE) {
      const user_ids = ids.slice(from, from + MAX_PARTICIPANTS_AT_ONCE);
      expect((await alice.call('POST', `/conversations/${group}/participants`, { user_ids })).status).toBe(200);
    }
    await alice.send(group, 'hello, all of you');
    // Marks as batches write them: each has a marks_rev of its own.
    for (let from = 0; from < PEOPLE; from += MARKS_AT_ONCE) {
      const marked = ids.slice(from, from + MARKS_AT_ONCE);
      const places = marked.map(() => '?').join(', ');
      await stored.run(
        `update participants set read_seq = 5, delivered_seq = 5, marks_rev = ?
         where conversation_id = ? and user_id in (${places})`,
        ...[from / MARKS_AT_ONCE + 1, group, ...marked],
      );
    }
    await stored.run('update conversations set marks_rev = ? where id = ?', PEOPLE / MARKS_AT_ONCE, group);
  });
  afterAll(() => stored.close());

  test('comes in pages of changes that end at a whole rev, and at a whole marks_rev', async () => {
    const pages = await readChanges(alice, group, { rev: 0, marks_rev: 0 });
    expect(pages.length).toBeGreaterThan(2);
    const people = pages.flatMap(({ participants = [] }) => participants);
    expect(new Set(people.map(({ id }) => id)).size).toBe(PEOPLE + 1);
    expect(people).toHaveLength(PEOPLE + 1);
    for (const [index, page] of pages.entries()) {
      const below = pages[index - 1]?.rev ?? 0;
      const hers = people.filter((one) => one.rev > below && one.rev <= page.rev);
      expect(page.participants?.length ?? 0).toBe(hers.length);
    }
    const marks = pages.flatMap(({ marks }) => marks ?? []);
    expect(new Set(marks.map(({ user_id }) => user_id)).size).toBe(PEOPLE);
    for (const page of pages) {
      expect((page.marks?.length ?? 0) % MARKS_AT_ONCE).toBe(0);
    }
    expect(pages.at(-1)).toMatchObject({ marks_rev: PEOPLE / MARKS_AT_ONCE, has_more: false });
    const asked = pages.findIndex(({ marks_rev }) => marks_rev < PEOPLE / MARKS_AT_ONCE);
    expect({ someMarksWereLeft: pages[asked]?.has_more }).toEqual({ someMarksWereLeft: true });
  });

  test('comes in a sync as a head alone, or as much of it as fits', async () => {
    const held = [{ id: group, rev: 1, marks_rev: 0 }];
    const { conversations } = await read(alice, '/sync', { conversations: held });
    expect(conversations).toMatchObject([{ id: group, marks_rev: PEOPLE / MARKS_AT_ONCE }]);
    expect(conversations[0].changes?.reset).toBeUndefined();
  });

  test('comes whole in pages of its people', async () => {
    const people: Participant[] = [];
    let cursor = '';
    do {
      const page = await read(alice, `/conversations/${group}/participants?limit=500${cursor}`);
      people.push(...page.participants);
      cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : '';
    } while (cursor !== '');
    expect(new Set(people.map(({ id }) => id)).size).toBe(PEOPLE + 1);
    expect(people).toHaveLength(PEOPLE + 1);
  });

  test('takes nobody more than a group may have, and nobody of them where not all have room', async () => {
    const add = (count: number) =>
      alice.call('POST', `/conversations/${group}/participants`, { user_ids: ids.slice(PEOPLE, PEOPLE + count) });
    const { status, body } = await add(500);
    expect([status, body.code]).toEqual([409, 'group_full']);
    expect((await read<Entry>(alice, `/conversations/${group}`)).participant_count).toBe(PEOPLE + 1);
    expect((await add(499)).status).toBe(200);
    // Who is in already takes no room.
    expect((await add(499)).status).toBe(200);
    expect((await add(500)).body.code).toBe('group_full');
  });
});

/** People as the database keeps them, who never sign in, with the longest names and lines that there are. */
async function addUsers(stored: Stored, count: number): Promise<string[]> {
  const ids = range(1, count).map(() => Bun.randomUUIDv7());
  const COLUMNS = 'id, email, username, username_key, display_name, display_name_key, role, is_active, created_at';
  for (let from = 0; from < count; from += 100) {
    const rows = ids.slice(from, from + 100).flatMap((id, index) => {
      const name = `person-${from + index}`;
      return [id, `${name}@example.com`, name, name, `${'n'.repeat(80)} ${name}`, name, 'user', 1, 1_795_195_800_000];
    });
    const places = ids.slice(from, from + 100).map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?)');
    await stored.run(`insert into users (${COLUMNS}) values ${places.join(', ')}`, ...rows);
  }
  return ids;
}

// One server, whose outbox can be made to tell what its sockets did not hear.
if (!onCluster) {
  test('what a socket is told of late comes in frames that no reader is cut for', async () => {
    const server = await startServer();
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const group = await alice.group([bob]);
    const socket = await bob.connect();
    const stored = await openStored(server);
    // Written behind the server's back, with the outbox row that says so.
    const first = 2;
    const count = 100;
    for (const n of range(first, first + count - 1)) {
      const id = Bun.randomUUIDv7();
      const values = [group, n, n, n, id, alice.id, id, 'text', LONGEST, 1_795_195_800_000];
      await stored.run(
        `insert into messages (conversation_id, seq, rev, created_rev, id, sender_id, client_id, type, content, sent_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...values,
      );
    }
    const end = first + count - 1;
    await stored.run('update conversations set seq = ?, rev = ? where id = ?', end, end, group);
    await stored.run(
      `insert into outbox (kind, conversation_id, rev, created_at) values ('conversation', ?, ?, ?)`,
      ...[group, end, Date.now()],
    );
    await stored.close();
    const told: number[] = [];
    while (told.at(-1) !== end) {
      const frame = await socket.next('changes');
      expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThanOrEqual(MAX_CHANGES_FRAME_BYTES + 4096);
      told.push(...frame.messages.map(({ seq }: Message) => seq));
    }
    expect(told).toEqual(range(first, end));
  });
}
