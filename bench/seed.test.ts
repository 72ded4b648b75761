import { Database } from 'bun:sqlite';
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seed } from './seed.ts';
import { crowdWorld, pairsWorld } from './world.ts';

const dir = mkdtempSync(join(tmpdir(), 'parley-seed-'));
afterAll(() => rmSync(dir, { recursive: true }));

function count(database: Database, sql: string): number {
  return (database.query(sql).get() as { n: number }).n;
}

describe('a seeded database', () => {
  test('holds the log that its heads promise, without holes', async () => {
    await seed(pairsWorld(5, 123), join(dir, 'pairs'));
    const database = new Database(join(dir, 'pairs', 'parley.db'), { readonly: true });
    expect(count(database, 'select count(*) n from messages')).toBe(123);
    const heads = `select count(*) n from conversations c where seq =
      (select count(*) from messages where conversation_id = c.id and seq between 1 and c.seq)
      and rev = (select max(rev) from messages where conversation_id = c.id)`;
    expect(count(database, heads)).toBe(5);
    expect(count(database, 'select count(*) n from sessions s join users u on u.id = s.user_id')).toBe(10);
    database.close();
  });

  test('begins each group with the message of its creation', async () => {
    await seed(crowdWorld(1, 20, 2, 10), join(dir, 'crowd'));
    const database = new Database(join(dir, 'crowd', 'parley.db'), { readonly: true });
    expect(count(database, "select count(*) n from messages where type = 'system' and seq = 1 and rev = 1")).toBe(4);
    expect(count(database, "select count(*) n from participants where role = 'admin'")).toBe(4);
    expect(count(database, 'select count(*) n from participants')).toBe(40);
    database.close();
  });
});
