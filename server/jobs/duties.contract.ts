import { afterEach, beforeEach, expect, test } from 'bun:test';
import type { TestDatabase } from '../../tests/support/databases.ts';
import { eventually } from '../../tests/support/eventually.ts';
import { JobsStage } from '../../tests/support/jobs.ts';
import type { Duty } from './duties.ts';
import { DutyRepository } from './duty-repository.ts';

/** What duties by the clock promise, to be run on every engine. */
export function dutiesContract(make: () => Promise<TestDatabase>): void {
  let world: TestDatabase;
  let stage: JobsStage;

  beforeEach(async () => {
    world = await make();
    stage = new JobsStage(world.database);
  });
  afterEach(async () => {
    await stage.end();
    await world.close();
  });

  const row = () => world.database.read.selectFrom('duties').selectAll().executeTakeFirstOrThrow();

  /** A duty whose runs are held until they are let go, or broken off. */
  function holding(everyMs: number) {
    const began: { signal: AbortSignal; letGo(): void }[] = [];
    const duty: Duty = {
      name: 'sweep',
      everyMs,
      run(signal) {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        signal.addEventListener('abort', () => reject(signal.reason));
        began.push({ signal, letGo: resolve });
        return promise;
      },
    };
    const nth = (count: number) => eventually(`run ${count} begins`, async () => began[count - 1]);
    return { duty, began, nth };
  }

  test('a duty is done again and again, on one node at a time', async () => {
    let running = 0;
    let runs = 0;
    let isApart = true;
    const duty: Duty = {
      name: 'sweep',
      everyMs: 60,
      async run() {
        if (++running > 1) isApart = false;
        runs++;
        await Bun.sleep(20);
        running--;
      },
    };
    for (let node = 0; node < 3; node++) stage.startDuties([duty]);
    const before = performance.now();
    await eventually('it is done again and again', async () => runs >= 6);
    // However many nodes there are, it is done once for each of its times.
    expect(performance.now() - before).toBeGreaterThan(5 * 60);
    expect(isApart).toBe(true);
    expect((await row()).last_run_at).toBeGreaterThan(0);
  });

  test('a run that takes longer than its lease is renewed, and nobody begins another', async () => {
    const held = holding(50);
    const leaseMs = 1000;
    for (let node = 0; node < 2; node++) stage.startDuties([held.duty], leaseMs);
    const first = await held.nth(1);
    const [{ lease_until: before }, { owner }] = [await row(), await row()];
    await eventually('three leases', async () => (await row()).lease_until! > before! + 3 * leaseMs);
    expect([held.began.length, (await row()).owner]).toEqual([1, owner]);
    first.letGo();
    (await held.nth(2)).letGo();
  });

  test('a duty moves on when its node dies', async () => {
    const held = holding(100);
    const dead = new DutyRepository(world.database);
    const before = performance.now();
    expect(await dead.claim(held.duty, 'dead', 500)).toBe(true);
    stage.startDuties([held.duty], 500);
    (await held.nth(1)).letGo();
    expect(performance.now() - before).toBeGreaterThan(490);
    expect(await dead.renew('sweep', 'dead', 500)).toBe(false);
    expect(await dead.finish('sweep', 'dead', 100, true)).toBe(false);
    (await held.nth(2)).letGo();
  });

  test('a run whose lease another took is told to end, and leaves the duty to that one', async () => {
    const held = holding(3_600_000);
    stage.startDuties([held.duty], 200);
    const { signal } = await held.nth(1);
    await world.database.write.updateTable('duties').set({ owner: 'another', lease_until: 9e15 }).execute();
    await eventually('it is told', async () => signal.aborted);
    const [other] = [await row()];
    expect([other.owner, other.lease_until]).toEqual(['another', 9e15]);
  });

  test('a run that fails is logged, and made up for at the next time', async () => {
    let runs = 0;
    const run = async () => {
      if (++runs === 1) throw new Error('no room');
    };
    stage.startDuties([{ name: 'sweep', everyMs: 300, run }]);
    const before = performance.now();
    await eventually('it is done', async () => runs === 2);
    expect(performance.now() - before).toBeGreaterThan(290);
    const told = stage.lines.filter(({ msg }) => msg.startsWith('a duty failed'));
    expect(told).toMatchObject([{ duty: 'sweep', err: { message: 'no room' } }]);
  });

  test('a stop waits for a run, and leaves to others what does not end in time', async () => {
    const held = holding(3_600_000);
    const first = stage.startDuties([held.duty]);
    await held.nth(1);
    await first.stop(50);
    expect(held.began[0]!.signal.aborted).toBe(true);
    const second = stage.startDuties([held.duty]);
    const run = await held.nth(2);
    const stopped = second.stop(10_000);
    run.letGo();
    await stopped;
    expect(run.signal.aborted).toBe(false);
    const { owner, last_run_at, next_at } = await row();
    expect([owner, next_at - last_run_at!]).toEqual([null, 3_600_000]);
    expect(stage.lines).toEqual([]);
  });

  test('a next time that lies further ahead than it ever should holds nothing up: the clock was set back', async () => {
    const held = holding(1000);
    stage.startDuties([held.duty]);
    (await held.nth(1)).letGo();
    await eventually('it is over', async () => (await row()).owner === null);
    await world.database.write
      .updateTable('duties')
      .set({ next_at: Date.now() + 3_600_000 })
      .execute();
    (await held.nth(2)).letGo();
  });
}
