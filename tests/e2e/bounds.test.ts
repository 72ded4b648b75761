import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { type Person, request, signUp, signUpAll } from '../support/people.ts';
import { endServers, onSqlite, type TestServer } from '../support/server.ts';
import { type NotingServer, planAll, startNotingServer } from '../support/statements/index.ts';
import { openStored } from '../support/stored.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

/** All that people do, once each. */
async function tour(server: TestServer): Promise<void> {
  const [alice, bob, carol, dan] = await signUpAll(server, 'alice', 'bob', 'carol', 'dan');
  const path = (id: string, rest = '') => `/conversations/${id}${rest}`;
  const ok = async (person: Person, method: string, at: string, body?: unknown) => {
    const answer = await person.call(method, at, body);
    expect([method, at, answer.status < 300, answer.body.code]).toEqual([method, at, true, undefined]);
    return answer.body;
  };

  for (const name of [{ email: dan.user.email }, { username: dan.user.username }, { phone_number: '+14155552671' }]) {
    await request(server, 'POST', '/auth/login', { body: { ...name, password: dan.password } });
  }
  const { refresh_token } = dan.tokens;
  await request(server, 'POST', '/auth/refresh', { body: { refresh_token } });
  await ok(dan, 'POST', '/auth/password', { current_password: dan.password, new_password: 'another horse' });
  await ok(dan, 'PATCH', '/users/me', { display_name: 'Dan', status: 'here' });
  await ok(alice, 'GET', '/auth/me');
  await ok(alice, 'GET', `/users/${bob.id}`);

  for (const query of ['', 'alice', 'dan', encodeURIComponent(dan.user.email)]) {
    await ok(alice, 'GET', `/users?query=${query}&limit=1`);
    for (const cursor of CURSORS.users) await ok(alice, 'GET', `/users?query=${query}&limit=1&cursor=${cursor}`);
  }

  const direct = await alice.direct(bob);
  const group = await alice.group([bob]);
  await ok(alice, 'POST', '/conversations', { name: 'By address', participant_emails: [bob.user.email] });
  await ok(alice, 'POST', path(group, '/participants'), { user_ids: [carol.id, dan.id] });
  await ok(alice, 'PATCH', path(group, `/participants/${carol.id}`), { participant_role: 'admin' });
  await ok(alice, 'PATCH', path(group, `/participants/${carol.id}`), { participant_role: 'member' });
  await ok(alice, 'DELETE', path(group, `/participants/${carol.id}`));
  await ok(alice, 'PATCH', path(group), { name: 'Another name' });

  const [hers, his] = await Promise.all([alice.connect(), bob.connect()]);
  const first = await alice.send(group, 'first', 'key');
  await alice.send(group, 'first', 'key');
  await hers.ask({ event: 'message.send', conversation_id: group, content: 'reply', reply_to: first.id });
  await hers.ask({ event: 'message.send', recipient: carol.id, content: 'hello' });
  await ok(alice, 'PATCH', path(group, `/messages/${first.id}`), { content: 'edited' });
  const thumb = path(group, `/messages/${first.id}/reactions/${encodeURIComponent('👍')}`);
  await ok(bob, 'PUT', thumb);
  await ok(alice, 'PUT', thumb);
  await ok(bob, 'DELETE', thumb);
  his.send({ event: 'delivered', conversation_id: group, seq: 5 });
  await ok(bob, 'POST', path(group, '/read'), { seq: 3 });
  his.send({ event: 'typing', conversation_id: group, active: true });
  his.send({ event: 'presence.watch', user_ids: [alice.id, dan.id] });
  await his.find('presence');

  await ok(bob, 'GET', path(group));
  const lists = {
    conversations: '/conversations?limit=1',
    participants: path(group, '/participants?limit=1'),
    messages: path(group, '/messages?limit=1'),
    sync: '/sync?limit=1',
  };
  for (const [list, at] of Object.entries(lists)) {
    await ok(bob, 'GET', at);
    for (const cursor of CURSORS[list as keyof typeof lists]) await ok(bob, 'GET', `${at}&cursor=${cursor}`);
  }
  await ok(bob, 'GET', path(group, `/messages?around=${first.id}`));
  await ok(bob, 'GET', path(group, '/changes?since=0&marks_since=0'));
  const held = [group, direct].map((id) => ({ id, rev: 1, marks_rev: 0 }));
  await ok(bob, 'POST', '/sync', { conversations: held });
  await ok(alice, 'DELETE', path(group, `/messages/${first.id}`));
  await ok(bob, 'DELETE', path(group, `/participants/${bob.id}`));
  const gone = await signUp(server, 'gone');
  await ok(alice, 'POST', path(group, '/participants'), { user_ids: [gone.id] });
  await ok(gone, 'DELETE', '/users/me', { password: gone.password });
  await request(server, 'POST', '/auth/logout', { token: carol.tokens.access_token });
  for (const socket of [hers, his]) socket.raw.close();
  await request(server, 'GET', '/health/ready');
}

/** All that the audit trail is asked for. */
async function readTrail({ server, run }: NotingServer): Promise<void> {
  const { id } = await signUp(server, 'erin');
  const read = async (...options: string[]) => {
    const { code, stdout } = await run(['audit', '--json', '--limit', '1', ...options]);
    expect([options, code]).toEqual([options, 0]);
    return JSON.parse(stdout).id as string;
  };
  const newest = await read();
  const times = ['--since', '1d', '--until', '2999-01-01'];
  for (const whose of [[], ['--account', id]]) {
    for (const which of [[], ['--kind', 'account.created'], ['--result', 'done']]) {
      for (const place of [[], times]) await read(...whose, ...which, ...place);
    }
  }
  await read('--before', newest, '--kind', 'login');
}

const encoded = (place: unknown) => Buffer.from(JSON.stringify(place)).toString('base64url');
const [LOWEST, HIGHEST] = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];
const MOST = Number.MAX_SAFE_INTEGER;

/** Places that somebody made by hand: before, within and behind everything that there is. */
const CURSORS = {
  users: [
    { username_key: '' },
    { username_key: 'alice\u{10FFFE}' },
    { username_key: '\u{10FFFF}' },
    { display_name_key: '', id: LOWEST },
    { display_name_key: 'alice\u{10FFFE}', id: HIGHEST },
    { display_name_key: '\u{10FFFF}', id: HIGHEST },
  ].map(encoded),
  conversations: [
    { updatedAt: -MOST, id: LOWEST },
    { updatedAt: MOST, id: HIGHEST },
  ].map(encoded),
  participants: [
    { joinedAt: -MOST, userId: LOWEST },
    { joinedAt: MOST, userId: HIGHEST },
  ].map(encoded),
  messages: [{ before: 1 }, { before: MOST }].map(encoded),
  sync: [{ after: LOWEST }, { after: HIGHEST }].map(encoded),
};

/** People whose names all begin alike. */
const PEOPLE = 200_000;
/** Twins by their usernames; people of the large group. */
const TWINS = 2000;
const LARGE = 20_000;

/** The id of the `n`-th of a kind, in the order of `n`. */
function idOf(n: number, kind: number): string {
  return `${String(kind).padStart(8, '0')}-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

/** Very many people, a group of many of them and one of few, each with a message to which all in it reacted. */
async function seed(server: TestServer, { id: own }: Person): Promise<void> {
  const isSqlite = server.databaseUrl === undefined;
  const ids = (kind: number) =>
    isSqlite
      ? `unhex(printf('%08d000070008000%012x', ${kind}, n))`
      : `('${String(kind).padStart(8, '0')}-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
  const literal = (id: string) => (isSqlite ? `x'${id.replaceAll('-', '')}'` : `'${id}'::uuid`);
  const upTo = (count: number) =>
    isSqlite
      ? `(with recursive s (n) as (select 1 union all select n + 1 from s where n < ${count}) select n from s) as s`
      : `generate_series(1, ${count}) as s (n)`;
  const people = (kind: number, count: number, username: string, display: string, isActive = 1) => `
    insert into users (id, username, username_key, display_name, display_name_key, role, is_active, created_at)
    select ${ids(kind)}, ${username}, ${username}, ${display}, ${display}, 'user', ${isActive}, 1 from ${upTo(count)}`;
  const group = (n: number, size: number) => [
    `insert into conversations (id, type, name, created_by, created_at, updated_at, seq, rev, meta_rev, marks_rev)
     values (${literal(idOf(n, 2))}, 'group', 'many', ${literal(own)}, 1, 1, 1, 2, 1, 1)`,
    `insert into participants (conversation_id, user_id, role, joined_at, rev, read_seq, delivered_seq, marks_rev)
     select ${literal(idOf(n, 2))}, ${ids(1)}, 'member', 1, 1, 0, 0, 0 from ${upTo(size)}`,
    `insert into participants (conversation_id, user_id, role, joined_at, rev, read_seq, delivered_seq, marks_rev)
     values (${literal(idOf(n, 2))}, ${literal(own)}, 'admin', 2, 1, 0, 0, 1)`,
    `insert into messages (conversation_id, seq, rev, created_rev, id, sender_id, client_id, type, content, sent_at)
     values (${literal(idOf(n, 2))}, 1, 2, 2, ${literal(idOf(n, 3))}, ${literal(own)}, 'key', 'text', 'words', 1)`,
    `insert into reactions (conversation_id, message_id, emoji, user_id, created_at)
     select ${literal(idOf(n, 2))}, ${literal(idOf(n, 3))}, '👍', ${ids(1)}, n from ${upTo(size)}`,
  ];
  const stored = await openStored(server);
  for (const statement of [
    people(1, PEOPLE, `'crowd' || n`, `'crowd' || n`),
    people(4, TWINS, `'twin' || (n - 1)`, `case when n % 2 = 0 then 'twin' else 'crowd' end`),
    people(5, 3, `'other' || (n - 1)`, `'twinned'`),
    people(6, 150_000, `'closed' || n`, `'closed' || n`, 0),
    ...group(1, LARGE),
    ...group(2, 100),
    ...(isSqlite ? [] : ['analyze']),
  ]) {
    await stored.run(statement);
  }
  await stored.close();
}

describe('what a server asks its database', () => {
  let noting: NotingServer;

  beforeAll(async () => {
    noting = await startNotingServer({
      WEBHOOK_URL: 'http://127.0.0.1:9/nobody',
      WEBHOOK_SECRET: crypto.randomUUID() + crypto.randomUUID(),
      WEBHOOK_ALLOW_PRIVATE: 'true',
      WEBHOOK_EVENTS: 'message.created,message.updated,participant.joined',
    });
    await tour(noting.server);
    await readTrail(noting);
    // What comes by the clock.
    const asked = (...words: string[]) =>
      eventually(`a statement of ${words}`, async () =>
        noting.statements().some((text) => words.every((word) => text.includes(word))),
      );
    await asked('delete from', 'sessions', 'expires_at');
    await asked('delete from', 'sessions', 'ended_at');
    await asked('delete from', 'conversation_events');
    await asked('from "outbox"', 'max("rev")');
    await asked('job_cursors', 'waiting_since');
  });

  test('leads along an index to what it answers, and sorts only what has a bound', async () => {
    const plans = await planAll(noting.server, noting.statements());
    expect(plans.length).toBeGreaterThan(80);
    const isBounded = (visit: string, statement: string) =>
      BOUNDED.some(([what, words]) => visit.startsWith(what) && words.test(statement));
    const unbounded = plans.map(({ statement, visits }) => {
      return { statement, visits: visits.filter((visit) => !isBounded(visit, statement)) };
    });
    expect(unbounded.filter(({ visits }) => visits.length > 0)).toEqual([]);
  });

  test('of which each exception is still asked', async () => {
    const plans = await planAll(noting.server, noting.statements());
    const visited = (what: string, words: RegExp) =>
      plans.some(({ statement, visits }) => words.test(statement) && visits.some((visit) => visit.startsWith(what)));
    const idle = BOUNDED.filter(([what, words, , engine]) => (engine ?? ENGINE) === ENGINE && !visited(what, words));
    expect(idle.map(([what, words]) => `${what} ${words}`)).toEqual([]);
  });
});

describe('what is asked of much', () => {
  let noting: NotingServer;
  let alice: Person;

  beforeAll(async () => {
    noting = await startNotingServer();
    alice = await signUp(noting.server, 'alice');
    await seed(noting.server, alice);
  });

  /** The shortest of some times that a call takes, in milliseconds. */
  async function shortest(path: string): Promise<number> {
    const times: number[] = [];
    for (let n = 0; n < 7; n++) {
      const began = performance.now();
      const { status } = await alice.call('GET', path);
      times.push(performance.now() - began);
      expect(status).toBe(200);
    }
    return Math.min(...times);
  }

  /** It costs what another call costs, within what a busy machine adds: not what it would if all were looked at. */
  async function expectLike(path: string, other: string): Promise<void> {
    const [time, usual] = [await shortest(path), await shortest(other)];
    expect({ path, time, isBounded: time < 6 * usual + 8 }).toEqual({ path, time, isBounded: true });
  }

  test.each(CURSORS.users)('a search from a place made by hand costs what its first page does', async (cursor) => {
    await expectLike(`/users?query=crowd&cursor=${cursor}`, '/users?query=crowd');
    await expectLike(`/users?query=twin&cursor=${cursor}`, '/users?query=crowd');
    await expectLike(`/users?cursor=${cursor}`, '/users?query=crowd');
  });

  test('and its last pages, and those of people of one name, do too', async () => {
    const last = encoded({ username_key: `crowd${PEOPLE - 1}` });
    await expectLike(`/users?query=crowd&cursor=${last}`, '/users?query=crowd');
    const twins = encoded({ display_name_key: 'twin', id: idOf(PEOPLE, 1) });
    await expectLike(`/users?query=twin&cursor=${twins}`, '/users?query=crowd');
  });

  test('people whose accounts are closed are passed over, so many for a page', async () => {
    await expectLike('/users?query=closed', '/users?query=crowd');
    const { users, next_cursor } = (await alice.call('GET', '/users?query=closed')).body;
    expect(users).toEqual([]);
    await expectLike(`/users?query=closed&cursor=${next_cursor}`, '/users?query=crowd');
  });

  test('whoever reads on finds everybody once, whatever is passed over', async () => {
    const found: string[] = [];
    let cursor = '';
    let pages = 0;
    do {
      const { body } = await alice.call('GET', `/users?query=twin&limit=100${cursor}`);
      found.push(...body.users.map((user: { username: string }) => user.username));
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
      pages++;
    } while (cursor !== '');
    // Two thousand by their username, of whom every second has a display name that begins so too; then three by that alone.
    expect(found.length).toBe(TWINS + 3);
    expect(new Set(found).size).toBe(found.length);
    expect(found.slice(-3)).toEqual(['other0', 'other1', 'other2']);
    expect(pages).toBeLessThan(TWINS / 100 + 8);
  });

  test('a place before all that is looked for shows nobody else', async () => {
    const { body } = await alice.call('GET', `/users?query=twin&limit=3&cursor=${encoded({ username_key: 'crowd' })}`);
    const names = body.users.map((user: { username: string }) => user.username);
    expect(names).toEqual(['twin0', 'twin1', 'twin10']);
  });

  test('a group of many costs what one of few does: its entry, its participants, and marks that moved', async () => {
    const [large, small] = [`/conversations/${idOf(1, 2)}`, `/conversations/${idOf(2, 2)}`];
    await expectLike(large, small);
    const deep = encoded({ joinedAt: 1, userId: idOf(LARGE - 50, 1) });
    await expectLike(`${large}/participants?limit=100&cursor=${deep}`, `${small}/participants?limit=100`);
    await expectLike(`${large}/changes?since=1&marks_since=0`, `${small}/participants?limit=100`);
    const { body } = await alice.call('GET', large);
    expect(body.participant_count).toBe(LARGE + 1);
    const ids = body.participants.map((one: { id: string }) => one.id);
    expect(ids).toEqual(Array.from({ length: 100 }, (_, n) => idOf(n + 1, 1)));
  });

  test('a message to which all of them reacted costs what one does to which few did', async () => {
    const messages = (n: number) => `/conversations/${idOf(n, 2)}/messages`;
    await expectLike(messages(1), messages(2));
    const { body } = await alice.call('GET', messages(1));
    const thumbs = Array.from({ length: 20 }, (_, n) => idOf(n + 1, 1));
    expect(body.messages.at(-1).reactions).toEqual([{ emoji: '👍', count: LARGE, user_ids: thumbs }]);
  });
});

const ENGINE = onSqlite ? 'sqlite' : 'postgres';

/** What visits more than an index leads to, and has a bound all the same: where, and which. */
const BOUNDED: [what: 'scan' | 'sort', words: RegExp, bound: string, engine?: 'sqlite' | 'postgres'][] = [
  ['scan', /^select 1 from meta$/, 'a few rows'],
  [
    'scan',
    /select \* from "totp" where .* order by "user_id" limit/,
    'a small row of each account with a second factor, once in ten minutes, in the order of the key',
  ],
  [
    'sort',
    /select "name_hash" from "username_claims" where "user_id" = .* order by "held_until" desc/,
    'ten names that somebody gave up, and the one that they give up now',
  ],
  [
    'scan',
    /select \* from "audit" (where "outcome" = \S+ )?order by "at" desc/,
    'an operator reads back from now, to a limit',
  ],
  [
    'scan',
    /select "id" from "users" where "deleted_at" is not null order by "id" limit/,
    'a partial index, to its limit',
  ],
  [
    'scan',
    /select "id", "seq", "rev" from "conversations" order by "id" limit/,
    'in the order of the key, to its limit',
  ],
  [
    'scan',
    /delete from "outbox" where "id" in \(select "id" from \(select .* order by "id" limit/,
    'in the order of the key, to its limit',
  ],
  ['scan', /from "parked_jobs" where "consumer" = \S+ limit/, 'what an operator has yet to look at', 'sqlite'],
  ['sort', /"outbox" .*(group by|order by "id"$)/, 'what was written since the last look'],
  ['sort', /"participants" where .*"rev" > \S+ order by "rev", "user_id"/, 'those of one change', 'postgres'],
  ['sort', /with claimed as/, 'what is written of a batch', 'postgres'],
  [
    'sort',
    /from "participants" as "p" inner join "conversations" as "c" .* order by "c"."updated_at" desc/,
    'MAX_CONVERSATIONS',
  ],
];
