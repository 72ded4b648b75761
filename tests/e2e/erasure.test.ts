import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { type Person, request, signUp, signUpAll } from '../support/people.ts';
import { endServers, onSqlite, runParley, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);

let server: TestServer;

beforeAll(async () => {
  if (onSqlite) server = await startServer({ MAX_MESSAGE_LENGTH: '15000' });
});
afterAll(endServers);

let made = 0;
/** A word that stands nowhere else. */
const unheardOf = () => `wx${process.pid}q${++made}zz`;

/** Which of some words any file of the server's folder holds: the database, what lies beside it, whatever there is. */
function held(words: string[]): string[] {
  const files = readdirSync(server.dataDir, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const bytes = files.map((file) => readFileSync(join(file.parentPath, file.name)));
  return words.filter((word) => bytes.some((one) => one.includes(word)));
}

const areGone = (words: string[]) => eventually(`gone: ${words}`, async () => held(words).length === 0);

/** Texts of one row, and of one that needs pages of its own. */
const texts = () => [unheardOf(), `${unheardOf()} ${'long '.repeat(2500)} ${unheardOf()}`];
const wordsOf = (all: string[]) => all.flatMap((text) => text.match(/wx\w+zz/g) ?? []);

async function sendAll(person: Person, conversation: string, contents: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const content of contents) ids.push((await person.send(conversation, content)).id);
  return ids;
}

// Of SQLite's own files; docs/OPERATIONS.md says what PostgreSQL leaves, and for how long.
const onFiles = onSqlite ? test : () => {};

onFiles('nothing of a deleted message, or of what an edit replaced, is left in any file', async () => {
  const [ann, ben] = await signUpAll(server, 'ann', 'ben');
  const [group, direct] = [await ann.group([ben]), await ann.direct(ben)];
  const [kept, deleted, replaced] = [texts(), [...texts(), ...texts()], [...texts(), ...texts()]];
  await sendAll(ann, group, kept);
  const gone = await sendAll(ann, group, deleted);
  const edited = await sendAll(ann, direct, replaced);
  expect(held(wordsOf(deleted))).toEqual(wordsOf(deleted));

  // A reply quotes what it answers; the quote is nowhere kept.
  await ann.call('POST', `/conversations/${group}/messages`, { content: 'why?', reply_to: gone[0] });
  for (const id of gone) await ann.call('DELETE', `/conversations/${group}/messages/${id}`);
  for (const id of edited) await ann.call('PATCH', `/conversations/${direct}/messages/${id}`, { content: 'less' });
  await areGone([...wordsOf(deleted), ...wordsOf(replaced)]);
  expect(held(wordsOf(kept))).toEqual(wordsOf(kept));
  expect((await ben.history(group)).map(({ content }) => content)).toEqual(expect.arrayContaining(kept));
});

onFiles('nothing of a deleted account is left in any file, nor of names that were replaced', async () => {
  const ann = await signUp(server, 'ann');
  const words = Array.from({ length: 8 }, unheardOf);
  const [email, username, display_name, status, later, group, renamed, by] = words as [string, ...string[]];
  const body = { email: `${email}@example.com`, username, display_name, password: 'correct horse battery' };
  const { tokens, user } = (await request(server, 'POST', '/auth/register', { body })).body;
  const ghost = (method: string, path: string, given?: unknown) =>
    request(server, method, path, { body: given, token: tokens.access_token });
  await ghost('PATCH', '/users/me', { status });
  const { conversation } = (await ghost('POST', '/conversations', { name: `The ${group}`, participant_ids: [ann.id] }))
    .body;
  expect(held(words).sort()).toEqual([email, username, display_name, status, group].sort() as string[]);

  await ghost('PATCH', '/users/me', { username: later, display_name: by });
  await areGone([username!, display_name!]);
  await ghost('PATCH', `/conversations/${conversation.id}`, { name: `The ${renamed}` });
  expect((await ghost('DELETE', '/users/me', { password: body.password })).status).toBe(200);
  await areGone([email, username, display_name, status, later, by] as string[]);
  expect((await ann.call('GET', `/users/${user.id}`)).body.username).toBe('deleted user');
});

onFiles('a crash right after a deletion leaves nothing of it either, once the server is back', async () => {
  const ann = await signUp(server, 'ann');
  const notes = await ann.direct(ann);
  const said = texts();
  const ids = await sendAll(ann, notes, said);
  await Promise.all(ids.map((id) => ann.call('DELETE', `/conversations/${notes}/messages/${id}`)));
  await server.kill();
  await server.start();
  await areGone(wordsOf(said));
  expect((await ann.at(server).history(notes)).map(({ content }) => content)).toEqual(said.map(() => ''));
});

onFiles('what a command replaces beside a running server is gone when it has ended', async () => {
  const word = unheardOf();
  const made = await runParley(['admin', 'create-user', '--email', `${word}@example.com`, '--username', word], {
    DATA_DIR: server.dataDir,
  });
  expect(made.code).toBe(0);
  expect(held([word])).toEqual([word]);
  const password = /^password: (.*)$/m.exec(made.stdout)![1]!;
  const { tokens } = (await request(server, 'POST', '/auth/login', { body: { username: word, password } })).body;
  await request(server, 'DELETE', '/users/me', { body: { password }, token: tokens.access_token });
  await areGone([word]);
});
