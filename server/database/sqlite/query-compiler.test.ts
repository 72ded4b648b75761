import { expect, test } from 'bun:test';
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, sql } from 'kysely';
import { COLUMN_KINDS } from '../columns.ts';
import type { Schema } from '../schema.ts';
import { UuidMarkingCompiler } from './query-compiler.ts';
import { uuidPlaces } from './uuid-marks.ts';

const db = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new UuidMarkingCompiler(COLUMN_KINDS),
  },
});

/** What a query binds to columns that keep UUIDs as bytes; the values here say it themselves. */
function marked(query: { compile(): { sql: string; parameters: readonly unknown[] } }): unknown[] {
  const { sql: text, parameters } = query.compile();
  const places = uuidPlaces(text);
  expect(parameters.filter((value) => String(value).startsWith('id'))).toEqual(
    places.map((place) => parameters[place]),
  );
  return places.map((place) => parameters[place]);
}

test('a query says which of its parameters are for columns of ids, wherever they stand', () => {
  const messages = db.selectFrom('messages').select('content');
  expect(marked(messages.where('conversation_id', '=', 'id 1').where('content', '=', 'text'))).toEqual(['id 1']);
  expect(marked(messages.where('content', 'in', ['a', 'b']).where('id', 'in', ['id 1', 'id 2']))).toHaveLength(2);
  expect(marked(messages.where('client_id', '=', 'id 1').limit(3))).toEqual(['id 1']);
  expect(marked(db.selectFrom('messages as m').where('m.id', '>', 'id 1').select('m.seq'))).toEqual(['id 1']);
  expect(
    marked(
      messages.where(({ eb, and, or }) =>
        or([eb('type', '=', 'text'), and([eb('system', '=', 'a'), eb('sender_id', '!=', 'id 1')])]),
      ),
    ),
  ).toEqual(['id 1']);
  const texts = db.selectFrom('users').select('id').where('status', '=', 'text').where('id', '=', 'id 1').limit(1);
  expect(marked(messages.where('sender_id', 'in', texts).where('content', '=', 'text'))).toEqual(['id 1']);
  expect(
    marked(
      messages.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('content', 'id'), 'in', [tuple('a', 'id 1'), tuple('b', 'id 2')]),
      ),
    ),
  ).toEqual(['id 1', 'id 2']);
  expect(marked(db.updateTable('conversations').set({ name: 'a' }).where('id', '=', 'id 1'))).toEqual(['id 1']);
  expect(marked(db.updateTable('job_cursors').set({ owner: 'a' }).where('owner', '=', 'b'))).toEqual([]);
  expect(marked(db.deleteFrom('last_seen').where('user_id', '=', 'id 1'))).toEqual(['id 1']);
});

test('rows that are inserted say it value by value, and what replaces them too', () => {
  const row = { message_id: 'id 2', emoji: 'text', user_id: 'id 3', created_at: 1 };
  const rows = [
    { conversation_id: 'id 1', ...row },
    { conversation_id: sql<string>`lower(${'text'})`, ...row },
  ];
  expect(marked(db.insertInto('reactions').values(rows))).toEqual(['id 1', 'id 2', 'id 3', 'id 2', 'id 3']);
  const put = db.insertInto('meta').values({ key: 'a', value: 'b' });
  expect(marked(put.onConflict((conflict) => conflict.column('key').doUpdateSet({ value: 'c' })))).toEqual([]);
  const seen = db.insertInto('last_seen').values({ user_id: 'id 1', at: 5 });
  expect(
    marked(seen.onConflict((c) => c.column('user_id').doUpdateSet({ at: 6 }).where('last_seen.user_id', '=', 'id 2'))),
  ).toEqual(['id 1', 'id 2']);
});

test('a column that is kept as bytes is not read under a name that does not say so', () => {
  const conversations = db.selectFrom('conversations');
  expect(() => conversations.select('id as name').compile()).toThrow('id cannot be read as name');
  expect(() => conversations.select('conversations.id as key').compile()).toThrow('id cannot be read as key');
  expect(conversations.select(['id as conversation_id', 'name as title']).compile().parameters).toEqual([]);
});
