import { afterEach, beforeEach, expect, test } from 'bun:test';
import { silentLog } from '../../tests/support/chat-world.ts';
import { SETTLED_AT, sqliteDatabase, type TestDatabase } from '../../tests/support/databases.ts';
import { OutboxSource } from './outbox-source.ts';
import { SharedOutbox } from './shared-outbox.ts';

let world: TestDatabase;
let outbox: SharedOutbox;

beforeEach(async () => {
  world = await sqliteDatabase({ inMemory: true });
  outbox = new SharedOutbox(world.database, silentLog);
});
afterEach(() => world.close());

/** So many conversations advance; answers their ids. */
async function advance(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => Bun.randomUUIDv7());
  const told = { kind: 'conversation' as const, rev: 1, created_at: SETTLED_AT };
  await world.database.write
    .insertInto('outbox')
    .values(ids.map((conversation_id) => ({ conversation_id, ...told })))
    .execute();
  return ids;
}

/** All that a source has now. */
async function takeAll(source: OutboxSource): Promise<string[]> {
  const taken: string[] = [];
  for (;;) {
    const hints = await source.take(100, 300);
    if (hints.length === 0) return taken;
    taken.push(...hints.map(({ conversationId }) => conversationId));
  }
}

/** A source, and how often it has compared cursors; each comparison finds these. */
function open(behind: string[] = []) {
  let comparisons = 0;
  const source = new OutboxSource({
    outbox,
    async *findBehind() {
      comparisons++;
      if (behind.length > 0) yield [...behind];
    },
  });
  return { source, comparisons: () => comparisons };
}

test('what one consumer has the outbox read for, the others are told of too, each once', async () => {
  const [asks, waits] = [open(), open()];
  await Promise.all([asks.source.start(), waits.source.start()]);
  await takeAll(asks.source);
  const before = waits.comparisons();
  const ids = [...(await advance(50)), ...(await advance(50))];
  expect((await takeAll(asks.source)).sort()).toEqual(ids.toSorted());
  // The rows are gone: what it takes now it was told then.
  await world.database.write.deleteFrom('outbox').execute();
  expect((await takeAll(waits.source)).sort()).toEqual(ids.toSorted());
  expect(waits.comparisons() - before).toBeLessThanOrEqual(1);
});

test('a consumer that takes nothing holds a bounded set, and compares cursors for the rest', async () => {
  const lost: string[] = [];
  const [asks, hangs] = [open(), open(lost)];
  await Promise.all([asks.source.start(), hangs.source.start()]);
  await Promise.all([takeAll(asks.source), takeAll(hangs.source)]);
  const before = hangs.comparisons();
  for (let page = 0; page < 3; page++) {
    lost.push(...(await advance(900)));
    await takeAll(asks.source);
  }
  const held = (await hangs.source.take(10_000, 0)).length;
  expect(held).toBe(2000);
  expect(new Set(await takeAll(hangs.source))).toEqual(new Set(lost));
  expect(hangs.comparisons() - before).toBe(1);
});

test('where more has advanced than is read at once, everybody compares cursors', async () => {
  const lost: string[] = [];
  const sources = [open(lost), open(lost)];
  for (const { source } of sources) await source.start();
  for (const { source } of sources) await takeAll(source);
  lost.push(...(await advance(1001)));
  for (const { source } of sources) expect(new Set(await takeAll(source))).toEqual(new Set(lost));
});

test('one that has paused is told nothing, and begins anew by a comparison', async () => {
  const [asks, paused] = [open(), open()];
  await Promise.all([asks.source.start(), paused.source.start()]);
  await Promise.all([takeAll(asks.source), takeAll(paused.source)]);
  paused.source.pause();
  const ids = await advance(5);
  expect((await takeAll(asks.source)).sort()).toEqual(ids.toSorted());
  const before = paused.comparisons();
  await paused.source.start();
  expect(await takeAll(paused.source)).toEqual([]);
  expect(paused.comparisons()).toBeGreaterThan(before);
});
