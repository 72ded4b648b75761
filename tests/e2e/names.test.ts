import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { passBetweenNodes } from '../support/between-nodes.ts';
import { type Person, request, signUp, signUpAll } from '../support/people.ts';
import { endServers, runParley, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(60_000);

const password = 'correct horse battery';
let server: TestServer;
let people = 0;

beforeAll(async () => {
  server = await startServer({ PUBLIC_URL: 'https://talk.example-corp.org', RESERVED_USERNAMES: 'boss, The.Board' });
});
afterAll(endServers);

/** Signs up under a username, or with other fields, and answers the status and the code or the name that was given. */
async function register(fields: Record<string, unknown>, at = server): Promise<[number, string]> {
  const email = `named-${process.pid}-${++people}@example.com`;
  const { status, body } = await request(at, 'POST', '/auth/register', { body: { email, password, ...fields } });
  return [status, body.code ?? body.user.username];
}

const called = (username: string) => register({ username });
const rename = async (person: Person, username: string): Promise<[number, string]> => {
  const { status, body } = await person.call('PATCH', '/users/me', { username });
  return [status, body.code ?? body.username];
};
const TAKEN: [number, string] = [409, 'username_taken'];

describe('a username that is reserved', () => {
  const RESERVED = [
    ...['admin', 'Admin', 'ADMINISTRATOR', 'root', 'system', 'support', 'help', 'security', 'moderator', 'parley'],
    ...['everyone', 'all', 'here', 'channel', 'null', 'undefined', 'api', 'deleted_user', 'postmaster'],
    // That look like one, or are one with something in between, or are made of some.
    ...[
      'adm1n',
      'adrnin',
      'SUPP0RT',
      'r00t',
      'a.d.m.i.n',
      'ad-min',
      '_admin_',
      'm-e',
      'parley-support',
      'system.admin',
    ],
    // The installation's own, and those that it names.
    ...['talk', 'ta1k', 'example-corp', 'talk.example-corp.org', 'boss', 'b0ss', 'theboard'],
  ];

  test('is given to nobody, neither to who signs up nor to who takes another', async () => {
    const person = await signUp(server);
    for (const username of RESERVED) {
      expect({ username, answer: await called(username) }).toEqual({ username, answer: TAKEN });
      expect({ username, answer: await rename(person, username) }).toEqual({ username, answer: TAKEN });
    }
    // Nobody gets one by asking for more.
    expect(await register({ username: 'admin', may_be_reserved: true, role: 'admin' })).toEqual(TAKEN);
    for (const username of ['administration', 'rooter', 'badmin', 'talker', 'bosses', 'admin4']) {
      expect(await called(username)).toEqual([201, username]);
    }
  });

  test('is not made of an address either', async () => {
    for (const local of ['admin', 'support', 'ROOT', 'post.master', 'boss+me']) {
      const [status, username] = await register({ email: `${local}@from-${local.length}.example.com` });
      expect([status, username]).toEqual([201, expect.stringMatching(/^user\d*$/)]);
    }
  });

  test('can be given by those who run the installation, and stays with whom it is given to', async () => {
    const made = await runParley(
      ['admin', 'create-user', '--email', 'root@example.com', '--username', 'Admin', '--password', password],
      { DATA_DIR: server.dataDir },
    );
    expect(made.code).toBe(0);
    const { body } = await request(server, 'POST', '/auth/login', { body: { username: 'admin', password } });
    expect(body.user.username).toBe('Admin');
    const token = body.tokens.access_token;
    const own = { current_password: password, new_password: 'a horse of my own' };
    expect((await request(server, 'POST', '/auth/password', { body: own, token })).status).toBe(200);
    await passBetweenNodes(server);
    const patch = (given: object) => request(server, 'PATCH', '/users/me', { body: given, token });
    expect((await patch({ username: 'ADMIN', display_name: 'The admin' })).body).toMatchObject({ username: 'ADMIN' });
  });
});

describe('a username that looks like another’s', () => {
  test('is refused, whichever way it does', async () => {
    for (const [name, lookalikes] of [
      ['alice.lim', ['aIice.lim', 'a1ice.lim', 'AL1CE.LIM', 'alice.1im']],
      ['dawn_moore', ['davvn_moore', 'dawn_m0ore', 'DAWN_MOORE', 'dawn_rnoore']],
      ['kern-10', ['kem-10', 'kern-lo', 'KERN-IO']],
    ] as [string, string[]][]) {
      expect(await called(name)).toEqual([201, name]);
      const other = await signUp(server);
      for (const lookalike of lookalikes) {
        expect({ lookalike, answer: await called(lookalike) }).toEqual({ lookalike, answer: TAKEN });
        expect({ lookalike, answer: await rename(other, lookalike) }).toEqual({ lookalike, answer: TAKEN });
      }
    }
    for (const username of ['alice.lam', 'alicelim', 'dawn-moore', 'kern-20'])
      expect((await called(username))[0]).toBe(201);
  });

  test('is one’s own to take', async () => {
    const ann = await signUp(server, 'lola');
    const swapped = ann.user.username.replace('lola', 'l0la');
    expect(await rename(ann, swapped)).toEqual([200, swapped]);
    expect(await rename(ann, ann.user.username)).toEqual([200, ann.user.username]);
  });

  test('is not made of an address', async () => {
    expect(await register({ email: 'look.alike@example.com' })).toEqual([201, 'look.alike']);
    expect(await register({ email: '1ook.a1ike@example.com' })).toEqual([
      201,
      expect.stringMatching(/^1ook\.a1ike\d{4}$/),
    ]);
  });

  test('goes to one of many who ask for such names at the same instant', async () => {
    const spellings = [
      'millie-ol',
      'mi1lie-ol',
      'milIie-0l',
      'rnillie-ol',
      'MILLIE-O1',
      'mllile-ol',
      'mlllle-oi',
      'milli3-ol',
    ];
    const answers = await Promise.all(spellings.map(called));
    expect(answers.filter(([status]) => status === 201).length).toBe(2); // and the last, which looks like none of them
    expect(answers.filter(([, code]) => code === 'username_taken')).toHaveLength(spellings.length - 2);
    expect(answers.at(-1)![0]).toBe(201);
  });
});

describe('a username that somebody gave up', () => {
  const until = (userId: string) =>
    runStored<{ held_until: number }>(
      server,
      'select held_until from username_claims where user_id = ? and held_until is not null',
      userId,
    );

  test('is held back for 90 days, with all that look like it, and may be taken again by who had it', async () => {
    const ann = await signUp(server, 'holding');
    const before = ann.user.username;
    expect(await rename(ann, `${before}-next`)).toEqual([200, `${before}-next`]);
    const days = ((await until(ann.id))[0]!.held_until - Date.now()) / 86_400_000;
    expect(days).toBeWithin(89.9, 90.1);

    const other = await signUp(server);
    for (const name of [before, before.toUpperCase(), before.replace('holding', 'h0ldlng')]) {
      expect(await called(name)).toEqual(TAKEN);
      expect(await rename(other, name)).toEqual(TAKEN);
    }
    const [, derived] = await register({ email: `${before}@elsewhere.example.com` });
    expect(derived).toStartWith(before);
    expect(derived).not.toBe(before);
    expect(await rename(ann, before)).toEqual([200, before]);
    expect(await called(`${before}-next`)).toEqual(TAKEN);
  });

  test('is held back from everybody when the account is deleted, and kept in no readable form', async () => {
    const ann = await signUp(server, 'leaving');
    const { username } = ann.user;
    await ann.call('DELETE', '/users/me', { password });
    expect(await called(username)).toEqual(TAKEN);
    expect(await register({ email: ann.user.email })).toEqual([201, expect.stringMatching(/\d{4}$/)]);
    const claims = await runStored<{ name_hash: string }>(server, 'select * from username_claims');
    expect(JSON.stringify(claims)).not.toContain(username);
  });

  test('is free when the time is over', async () => {
    const ann = await signUp(server, 'passing');
    await rename(ann, `${ann.user.username}-on`);
    expect(await called(ann.user.username)).toEqual(TAKEN);
    await runStored(
      server,
      'update username_claims set held_until = 1 where user_id = ? and held_until is not null',
      ann.id,
    );
    expect(await called(ann.user.username)).toEqual([201, ann.user.username]);
  });

  test('is held for the latest ten of those who change often', async () => {
    const ann = await signUp(server, 'fickle');
    const names = Array.from({ length: 13 }, (_, n) => `${ann.user.username}-${String.fromCharCode(97 + n)}`);
    for (const name of names) expect((await rename(ann, name))[0]).toBe(200);
    expect(await until(ann.id)).toHaveLength(10);
    expect(await called(names[0]!)).toEqual([201, names[0]!]);
    expect(await called(names[11]!)).toEqual(TAKEN);
  });

  test('goes to nobody in the instant in which it is given up', async () => {
    const owners = await signUpAll(server, 'quick', 'quick', 'quick', 'quick', 'quick');
    const taken = await Promise.all(
      owners.flatMap((owner) => [
        rename(owner, `${owner.user.username}-anew`),
        ...Array.from({ length: 6 }, () => called(owner.user.username)),
      ]),
    );
    expect(taken.filter(([status]) => status === 200)).toHaveLength(owners.length);
    expect(taken.filter(([status]) => status === 201)).toEqual([]);
  });

  test('is free at once where the installation says so', async () => {
    const lax = await startServer({ USERNAME_HOLD: '0s' });
    const ann = await signUp(lax, 'brief');
    await rename(ann, `${ann.user.username}-on`);
    expect(await register({ username: ann.user.username }, lax)).toEqual([201, ann.user.username]);
  });
});

test('a username shows something to know it by; of RFC 8265’s examples those of ASCII are taken', async () => {
  const refused = ['___', '...', '-.-', '_-_'];
  // RFC 8265 §3.5: what no profile takes, and what ours leaves out.
  refused.push('foo bar', '', 'henry\u2163', '\u265a', 'fu\u00dfball', '\u03c0\u03c0\u03c0', '\u03a3\u03a3\u03a3');
  refused.push(
    '\u0430dmin',
    'ali\u200bce',
    'ali\u202ece',
    'ali\u0007ce',
    'ali\u0301ce',
    '\uff41\uff4c\uff49',
    '\u05d0\u05d1\u05d2',
  );
  for (const username of refused) {
    expect({ username, answer: await called(username) }).toEqual({ username, answer: [400, 'validation_failed'] });
  }
  expect(await called('fussball')).toEqual([201, 'fussball']);
  expect(await called('Fussball')).toEqual(TAKEN);
  expect(await called('123-456')).toEqual([201, '123-456']);
});

describe('names that are shown', () => {
  let ann: Person;

  beforeAll(async () => {
    ann = await signUp(server, 'shown');
  });

  const shown: [given: string, kept: string][] = [
    // RFC 8266, §3: Nickname. What it maps in NFKC is mapped where names are compared.
    ['Foo', 'Foo'],
    ['foo  bar', 'foo bar'],
    ['\u03a3', '\u03a3'],
    ['\u265a', '\u265a'],
    ['Richard \u2163', 'Richard \u2163'],
    // Spaces, and what is not seen.
    [' \u3000Ann\u00a0\t Lee\u2003', 'Ann Lee'],
    ['Ann\u202egniK', 'AnngniK'],
    ['\u2066Ann\u2069\u200e', 'Ann'],
    ['A\u0000nn'.replace('\u0000', '\u0007'), 'Ann'],
    ['\u009b31mAnn', '31mAnn'],
    ['A\u200bn\u00adn\ufeff\u2060', 'Ann'],
    ['Ann\u2028Lee', 'Ann Lee'],
    ['Ann\u200d\u200cLee', 'AnnLee'],
    ['e\u0301mile', '\u00e9mile'],
    // Emoji, and letters that need what is not seen.
    ['👩🏽‍🚀 Ann', '👩🏽‍🚀 Ann'],
    ['👨‍👩‍👧‍👦', '👨‍👩‍👧‍👦'],
    ['🏳️‍🌈❤️‍🔥👁️‍🗨️', '🏳️‍🌈❤️‍🔥👁️‍🗨️'],
    [
      '🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}🇩🇪1️⃣™️',
      '🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}🇩🇪1️⃣™️',
    ],
    ['می‌خواهم', 'می‌خواهم'],
    ['क्‍ष', 'क्‍ष'],
    ['שָׁלוֹם Shalom', 'שָׁלוֹם Shalom'],
    ['Nguyễn Thị Ánh', 'Nguyễn Thị Ánh'],
    ['李小龍 たなか 한글', '李小龍 たなか 한글'],
    ['Иван (Ivan)', 'Иван (Ivan)'],
  ];
  const refused = [
    ...['\u200b\u200b', '\u3164', '\u2800\u2800', '\u00ad', '\u202e', '   ', '\ufe0f', '\u{E0067}', '...', '--'],
    `Z${'\u0334\u0327\u0321\u031e\u0336'}algo`,
    'x'.repeat(101),
  ];
  const ofPeople = [
    '\u0410dmin',
    'P\u0430ypal',
    '\u03bfmega',
    'A\u13aa',
    'Deleted  USER',
    'deleted user',
    'ｄeleted user',
  ];

  test('are kept as people see them', async () => {
    for (const [given, kept] of shown) {
      const { status, body } = await ann.call('PATCH', '/users/me', { display_name: given });
      expect({ given, status, kept: body.display_name }).toEqual({ given, status: 200, kept });
    }
  });

  test('of groups are kept as they were sent, unless they would act on what stands around them', async () => {
    const names: [given: string, kept: string][] = [
      [' kept as sent ', ' kept as sent '],
      ['\u202eשלום\u202c', '\u202eשלום\u202c'],
      ['\u2067\u202aשלום\u202c\u2069 x', '\u2067\u202aשלום\u202c\u2069 x'],
      ['A \u202egroup', 'A group'],
      ['A \u2067\u202agroup\u2069\u202c', 'A group'],
      ['\u2069A  group', 'A group'],
      ['A\u009b31m group\u0007', 'A31m group'],
      ['A\ngroup\u2028', 'A group'],
      ['👨‍👩‍👧‍👦 \u200d', '👨‍👩‍👧‍👦 \u200d'],
    ];
    for (const [name, kept] of names) {
      const made = await ann.call('POST', '/conversations', { name });
      expect({ name, kept: made.body.conversation.name }).toEqual({ name, kept });
      const renamed = await ann.call('PATCH', `/conversations/${made.body.conversation.id}`, { name: `too: ${name}` });
      expect(renamed.body.conversation.name).toBe(`too: ${kept}`);
      expect(renamed.body.last_message.content).toBe(`${ann.user.username} renamed the group to “too: ${kept}”`);
    }
  });

  test('from before are shown safely', async () => {
    const [old, blank] = await signUpAll(server, 'old', 'blank');
    const group = await old.group([]);
    await runStored(server, 'update users set display_name = ? where id = ?', 'Old\u202e \u009b one\n', old.id);
    await runStored(server, 'update users set display_name = ? where id = ?', '\u200b\u3164', blank.id);
    await runStored(server, 'update conversations set name = ? where id = ?', 'A\u202e group', group);
    expect((await ann.call('GET', `/users/${old.id}`)).body.display_name).toBe('Old one');
    expect((await ann.call('GET', `/users/${blank.id}`)).body.display_name).toBe(blank.user.username);
    expect((await old.call('GET', `/conversations/${group}`)).body.conversation.name).toBe('A group');
  });

  test('are refused where nobody could see them, or take them for what they are', async () => {
    const group = await ann.group([]);
    for (const name of refused) {
      const answers = await Promise.all([
        ann.call('PATCH', '/users/me', { display_name: name }),
        ann.call('POST', '/conversations', { name }),
        ann.call('PATCH', `/conversations/${group}`, { name }),
      ]);
      expect({ name, codes: answers.map(({ body }) => body.code) }).toEqual({
        name,
        codes: Array(3).fill('validation_failed'),
      });
      expect(await register({ display_name: name })).toEqual([400, 'validation_failed']);
    }
    for (const display_name of ofPeople) {
      const { status, body } = await ann.call('PATCH', '/users/me', { display_name });
      expect({ display_name, status, path: body.errors?.[0].path }).toEqual({
        display_name,
        status: 400,
        path: 'display_name',
      });
    }
  });

  test('are found whatever their spaces, case and width', async () => {
    await ann.call('PATCH', '/users/me', { display_name: `Richard  \u2163 of ${process.pid}` });
    for (const query of [`richard iv of ${process.pid}`, `ＲＩＣＨＡＲＤ \u00a0IV of ${process.pid}`]) {
      const { users } = (await ann.call('GET', `/users?query=${encodeURIComponent(query)}`)).body;
      expect(users.map(({ id }: { id: string }) => id)).toEqual([ann.id]);
    }
  });
});

test('accounts from before keep their names, and have them for themselves from the upgrade on', async () => {
  const old = await startServer();
  // The older one first: who is that of some who sign up at once, nobody knows.
  const [ann, ben, gone] = [await signUp(old, 'ann'), await signUp(old, 'ben'), await signUp(old, 'gone')];
  await gone.call('DELETE', '/users/me', { password });
  await old.stop();
  const settings = { DATA_DIR: old.dataDir };
  for (let step = ''; !step.includes('0008-names'); ) {
    step = (await runParley(['migrate', 'down'], settings)).stdout;
    expect(step).toStartWith('down: ');
  }
  // In the version before, names could look alike.
  const call = 'update users set username = ?, username_key = ? where id = ?';
  await runStored(old, call, 'illya', 'illya', ann.id);
  await runStored(old, call, 'ilIya', 'iliya', ben.id);
  await old.start();
  const claims = await runStored<{ user_id: string; held_until: number | null }>(old, 'select * from username_claims');
  expect(claims.map(({ user_id }) => user_id)).toEqual([ann.id]);
  const login = (username: string) => request(old, 'POST', '/auth/login', { body: { username, password } });
  expect((await login('illya')).body.user.id).toBe(ann.id);
  expect((await login('iliya')).body.user.id).toBe(ben.id);
  expect((await ben.call('PATCH', '/users/me', { username: 'ILIYA', display_name: 'Ben' })).body.username).toBe(
    'ILIYA',
  );
  expect(await register({ username: '1l1ya' }, old)).toEqual(TAKEN);
});
