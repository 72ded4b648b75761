import { afterEach, beforeEach, expect, test } from 'bun:test';
import { type Kysely, sql } from 'kysely';
import { addUser, type TestDatabase } from '../../tests/support/databases.ts';
import { COLUMN_KINDS, COLUMNS, type ColumnKind, type ColumnKinds } from './columns.ts';
import type { Executor } from './database.ts';
import type { Schema } from './schema.ts';

/** A table beside the schema's, with a column of bytes. */
interface Pictures {
  id: string;
  caption: string;
  pixels: Uint8Array | null;
}

const KINDS: ColumnKinds = { ...COLUMN_KINDS, caption: 'text', pixels: 'blob' };
const UUID = '0199a3f0-8c00-7a00-8000-0000000000aa';
const BYTES = Uint8Array.from({ length: 16 }, (_, index) => index * 17);

/** Which types the engines declare for a kind. */
const DECLARED: Record<ColumnKind, string[]> = {
  id: ['blob', 'uuid'],
  text: ['text'],
  compact: ['text'],
  blob: ['blob', 'bytea'],
  number: ['integer', 'smallint', 'int2', 'int8'],
};

/** What Database promises of columns and their kinds, to be run on every driver. */
export function columnsContract(make: (kinds: ColumnKinds) => Promise<TestDatabase>): void {
  let world: TestDatabase;

  beforeEach(async () => {
    world = await make(KINDS);
  });
  afterEach(() => world.close());

  /** The same tables, with the one of pictures. */
  const withPictures = (executor: Executor) => executor as unknown as Kysely<Schema & { pictures: Pictures }>;
  const makePictures = async () => {
    const { engine, write } = world.database;
    const [id, pixels] = engine === 'sqlite' ? ['blob', 'blob'] : ['uuid', 'bytea'];
    await sql`create table pictures (id ${sql.raw(id)}, caption text, pixels ${sql.raw(pixels)})`.execute(write);
    return { write: withPictures(write), read: withPictures(world.database.read) };
  };
  /** A driver may have a class of its own for bytes. */
  const plain = (row: Pictures): Pictures => ({ ...row, pixels: row.pixels && Uint8Array.from(row.pixels) });

  test('every column of the schema has the kind that the database declares', async () => {
    const tables = await world.database.read.introspection.getTables();
    expect(tables.map(({ name }) => name).sort()).toEqual(Object.keys(COLUMNS).sort());
    for (const { name: table, columns } of tables) {
      // PostgreSQL keeps in `txid`, for itself, which transaction wrote a row.
      const declared = columns.filter(({ name }) => name !== 'txid').map(({ name, dataType }) => ({ name, dataType }));
      const kinds: ColumnKinds = COLUMNS[table as keyof Schema];
      expect(declared.map(({ name }) => name).sort()).toEqual(Object.keys(kinds).sort());
      for (const { name, dataType } of declared) expect(DECLARED[kinds[name]!]).toContain(dataType.toLowerCase());
    }
  });

  test('bytes come back as they were, also where they are as many as a UUID has, and a text that looks like one stays text', async () => {
    const { read, write } = await makePictures();
    const rows: Pictures[] = [
      { id: UUID, caption: UUID, pixels: BYTES },
      { id: Bun.randomUUIDv7(), caption: 'none', pixels: null },
      { id: Bun.randomUUIDv7(), caption: 'long', pixels: crypto.getRandomValues(new Uint8Array(50_000)) },
    ];
    const put = await write.insertInto('pictures').values(rows).returningAll().execute();
    expect(put.map(plain)).toEqual(rows);
    const all = read.selectFrom('pictures').selectAll().orderBy('id');
    expect((await all.execute()).map(plain)).toEqual(rows);
    const byValue = [
      read.selectFrom('pictures').selectAll().where('caption', '=', UUID),
      read.selectFrom('pictures').selectAll().where('pixels', '=', BYTES),
      read.selectFrom('pictures as p').selectAll('p').where('p.id', 'in', [UUID]),
      read.selectFrom(read.selectFrom('pictures').selectAll().as('p')).selectAll().where('p.id', '=', UUID),
    ].map((query) => query.compile());
    const [together, ...found] = await world.database.readTogether([all.compile(), ...byValue]);
    expect(together!.map(plain)).toEqual(rows);
    expect(found.map((one) => one.map(plain))).toEqual(byValue.map(() => [rows[0]!]));

    await write.updateTable('pictures').set({ caption: UUID, pixels: BYTES }).where('id', '=', rows[1]!.id).execute();
    const changed = await read.selectFrom('pictures').selectAll().where('id', '=', rows[1]!.id).execute();
    expect(changed.map(plain)).toEqual([{ ...rows[1]!, caption: UUID, pixels: BYTES }]);
  });

  test('a text column of the schema keeps a UUID as text, and a name of that form is found', async () => {
    const { read, write } = world.database;
    const id = await addUser(world.database);
    await write.updateTable('users').set({ status: UUID, display_name: UUID }).where('id', '=', id).execute();
    const kept = { status: UUID, display_name: UUID, username_key: id, display_name_key: id };
    const columns = ['status', 'display_name', 'username_key', 'display_name_key'] as const;
    const found = read.selectFrom('users').select(columns).where('status', '=', UUID).where('username_key', '=', id);
    expect(await found.execute()).toEqual([kept]);
    const prefix = read.selectFrom('users').select(columns).where('display_name_key', '>=', id.slice(0, 8));
    expect(await prefix.where('display_name_key', '<', `${id.slice(0, 8)}~`).execute()).toEqual([kept]);
  });
}
