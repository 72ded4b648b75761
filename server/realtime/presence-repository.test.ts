import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import {
  addGroup,
  addUsers,
  postgresDatabase,
  sqliteDatabase,
  type TestDatabase,
} from '../../tests/support/databases.ts';
import { canTestPostgres } from '../../tests/support/postgres.ts';
import { PresenceRepository } from './presence-repository.ts';

setDefaultTimeout(60_000);

function presenceRepositoryContract(make: () => Promise<TestDatabase>): void {
  /** Somebody who shares conversations with some, of whom one has left; and is in many others, alone. */
  async function build(many: number) {
    const { database, close } = await make();
    const people = await addUsers(database, 300);
    const [me, other, gone, stranger, ...crowd] = people as [string, string, string, string, ...string[]];
    await addGroup(database, [me, other]);
    const left = await addGroup(database, [me, gone, stranger]);
    await addGroup(database, [stranger, ...crowd.slice(250)]);
    await addGroup(database, [me, ...crowd.slice(0, 250)]);
    for (let count = 0; count < many; count++) await addGroup(database, [me]);
    await database.write.updateTable('participants').set({ left_rev: 2 }).where('user_id', '=', gone).execute();
    await database.write
      .updateTable('participants')
      .set({ left_rev: 2 })
      .where('user_id', '=', stranger)
      .where('conversation_id', '=', left)
      .execute();
    const everybody = [...people, crypto.randomUUID()];
    return { repository: new PresenceRepository(database), me, other, crowd, stranger, everybody, close };
  }

  test.each([0, 250])('shares with all who are in one of its conversations now, and is in %i others', async (many) => {
    const { repository, me, other, crowd, stranger, everybody, close } = await build(many);
    expect(await repository.sharers(me, everybody)).toEqual(new Set([me, other, ...crowd.slice(0, 250)]));
    expect(await repository.sharers(me, [])).toEqual(new Set());
    expect(await repository.sharers(other, everybody)).toEqual(new Set([me, other]));
    expect(await repository.sharers(stranger, everybody)).toEqual(new Set([stranger, ...crowd.slice(250)]));
    await close();
  });
}

describe('presence in SQLite', () => {
  presenceRepositoryContract(() => sqliteDatabase());

  test('finds out quickly with whom somebody shares, who is in very many conversations', async () => {
    const { database, close } = await sqliteDatabase();
    const [me, ...others] = (await Promise.all([addUsers(database, 500), addUsers(database, 501)])).flat();
    const at = { created_at: 1, updated_at: 1, created_by: me! };
    const seat = { user_id: me!, role: 'member', joined_at: 1, rev: 1, read_seq: 0, delivered_seq: 0 } as const;
    for (let batch = 0; batch < 50; batch++) {
      const ids = Array.from({ length: 200 }, () => Bun.randomUUIDv7());
      const groups = ids.map((id) => ({ id, type: 'group' as const, name: 'g', ...at, seq: 0, rev: 1, meta_rev: 1 }));
      await database.write.insertInto('conversations').values(groups).execute();
      const seats = ids.map((conversation_id) => ({ conversation_id, ...seat }));
      await database.write.insertInto('participants').values(seats).execute();
    }
    const began = performance.now();
    expect(await new PresenceRepository(database).sharers(me!, others)).toEqual(new Set());
    // To look for each of a thousand in each of ten thousand takes some two seconds.
    expect(performance.now() - began).toBeLessThan(500);
    await close();
  });
});

describe.skipIf(!canTestPostgres('presence in PostgreSQL'))('presence in PostgreSQL', () => {
  presenceRepositoryContract(() => postgresDatabase());
});
