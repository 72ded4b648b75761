import { afterEach, beforeEach, expect, test } from 'bun:test';
import { sql } from 'kysely';
import type { TestDatabase } from '../../tests/support/databases.ts';
import { onlyIf } from './database.ts';

const ID = '0199a3f0-8c00-7a00-8000-0000000000aa';
/** Rows that a query counts so that it takes a while: many commits long. */
const MANY = 300_000;

/** What Database promises of reads that belong together, to be run on every driver. */
export function readTogetherContract(make: () => Promise<TestDatabase>): void {
  let world: TestDatabase;

  beforeEach(async () => {
    world = await make();
  });
  afterEach(() => world.close());

  const put = (key: string, value: string) =>
    world.database.write
      .insertInto('meta')
      .values({ key, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute();
  const ask = (key: string) => world.database.read.selectFrom('meta').selectAll().where('key', '=', key).compile();

  test('answers the rows of each query in its place, values as a single query answers them', async () => {
    await put('one', 'Grüße \u{1F600} "quoted"\n');
    await world.database.write.insertInto('last_seen').values({ user_id: ID, at: 1_700_000_000_123 }).execute();
    const seen = world.database.read.selectFrom('last_seen').selectAll();
    const [one, nothing, [row]] = await world.database.readTogether([ask('one'), ask('nothing'), seen.compile()]);
    expect(one).toEqual([{ key: 'one', value: 'Grüße \u{1F600} "quoted"\n' }]);
    expect(nothing).toEqual([]);
    expect(row).toEqual(await seen.executeTakeFirstOrThrow());
    expect(row).toEqual({ user_id: ID, at: 1_700_000_000_123 });
    expect(await world.database.readTogether([])).toEqual([]);
  });

  test('sees what was committed before it was asked', async () => {
    for (let number = 1; number <= 50; number++) {
      await put('counter', String(number));
      const [counter] = await world.database.readTogether([ask('counter')]);
      expect(counter[0]?.value).toBe(String(number));
    }
  });

  test('sees one moment, however long it takes and whatever is committed meanwhile', async () => {
    const slow = sql<{ count: number }>`
      with recursive numbers(number) as (select 1 union all select number + 1 from numbers where number < ${sql.lit(MANY)})
      select count(*) as count from numbers`.compile(world.database.read);
    await put('counter', '0');
    let commits = 0;
    let isDone = false;
    const writing = (async () => {
      while (!isDone) await put('counter', String(++commits));
    })();
    for (let round = 0; round < 3; round++) {
      const [before, [counted], after] = await world.database.readTogether([ask('counter'), slow, ask('counter')]);
      expect(Number(counted?.count)).toBe(MANY);
      expect(after).toEqual(before);
    }
    isDone = true;
    await writing;
    expect(commits).toBeGreaterThan(1);
  });

  test('answers a query with a condition where the one that it looks at found something', async () => {
    await put('one', '1');
    const flagged = (flag: number) => sql`select ${sql.lit(flag)} as flag`.compile(world.database.read);
    /** As the condition wants it: it finds nothing by itself where the flag is down. */
    const dependent = (flag: number) => onlyIf('flag', ask(flag ? 'one' : 'nothing'));
    const queries = [flagged(0), dependent(0), flagged(1), dependent(1), dependent(1), flagged(0), dependent(0)];
    const found = await world.database.readTogether(queries);
    const one = [{ key: 'one', value: '1' }];
    expect(found).toEqual([[{ flag: 0 }], [], [{ flag: 1 }], one, one, [{ flag: 0 }], []]);
  });

  test('fails as a whole where one query fails, and goes on', async () => {
    await put('one', '1');
    const wrong = sql`select * from a_table_that_is_not_there`.compile(world.database.read);
    expect(await world.database.readTogether([ask('one'), wrong]).catch((error) => error)).toBeInstanceOf(Error);
    const [one] = await world.database.readTogether([ask('one')]);
    expect(one).toEqual([{ key: 'one', value: '1' }]);
  });

  test('answers each query as itself after one failed that stood before it', async () => {
    const named = (name: string) => sql<{ name: string }>`select ${sql.lit(name)} as name`.compile(world.database.read);
    const wrong = sql`select * from another_table_that_is_not_there`.compile(world.database.read);
    const failed = world.database.readTogether([wrong, named('a'), named('b')]);
    expect(await failed.catch((error) => error)).toBeInstanceOf(Error);
    for (const name of ['c', 'a', 'b', 'c', 'a', 'b']) {
      expect(await world.database.readTogether([named(name)])).toEqual([[{ name }]]);
    }
  });
}
