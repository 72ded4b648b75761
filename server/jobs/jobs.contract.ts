import { afterEach, beforeEach, expect, test } from 'bun:test';
import type { TestDatabase } from '../../tests/support/databases.ts';
import { eventually } from '../../tests/support/eventually.ts';
import { JobsStage } from '../../tests/support/jobs.ts';
import { runJobs } from '../admin/jobs/commands.ts';
import type { Outcome } from '../shared/outcome.ts';
import { ParkedJobsRepository } from '../worker/parked-jobs-repository.ts';
import type { JobRun } from './handlers.ts';
import { MAX_PAYLOAD_BYTES } from './job-queue.ts';
import { ParkedRepository } from './parked-repository.ts';

const DONE: Outcome = { kind: 'done' };
const failed = (reason: string, afterMs?: number): Outcome => ({ kind: 'failed', reason, afterMs });

/** What the queue of jobs promises, to be run on every engine. */
export function jobsContract(make: () => Promise<TestDatabase>): void {
  let world: TestDatabase;
  let stage: JobsStage;
  let texts: string[];

  beforeEach(async () => {
    world = await make();
    stage = new JobsStage(world.database);
    texts = [];
  });
  afterEach(async () => {
    await stage.end();
    await world.close();
  });

  /** A handler that notes what it is given. */
  const note = ({ text }: { text: string }) => {
    texts.push(text);
    return DONE;
  };

  /** A handler that holds each try until it is let go, or broken off. */
  function holding() {
    const began: { text: string; run: JobRun; letGo(outcome?: Outcome): void }[] = [];
    const handle = ({ text }: { text: string }, run: JobRun) => {
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      run.signal.addEventListener('abort', () => reject(run.signal.reason));
      began.push({ text, run, letGo: (outcome = DONE) => resolve(outcome) });
      return promise;
    };
    const nth = (count: number) => eventually(`try ${count} begins`, async () => began[count - 1]);
    return { handle, began, nth };
  }

  /** A runner that took a job and died: its lease ends after so long. */
  const dieWith = async (leaseMs: number) => (await stage.repository.claim(new Map([['note', leaseMs]]), 1))[0]!;

  test('a job is done once its cause is committed, and goes; one whose cause is rolled back never is', async () => {
    const rolledBack = world.database.transaction(async (tx) => {
      await stage.queue.enqueue(tx, { kind: 'note', payload: { text: 'no' }, priority: 'high' });
      throw new Error('the cause failed');
    });
    await expect(rolledBack).rejects.toThrow('the cause failed');
    await stage.add('yes');
    stage.run({ handle: note });
    await stage.settled();
    expect([texts, await stage.rows(), stage.observed]).toEqual([['yes'], [], ['done']]);
  });

  test('a hint after the commit has a job done at once, not at the next look', async () => {
    stage.run({ handle: note });
    const before = performance.now();
    for (let count = 1; count <= 5; count++) {
      await stage.add(`${count}`);
      await stage.settled();
    }
    // Without hints each waits up to half a second for the next look, and begins right after the last one.
    expect(performance.now() - before).toBeLessThan(1500);
    expect(texts).toEqual(['1', '2', '3', '4', '5']);
  });

  test('a job with a delay waits for it, and others do not wait behind', async () => {
    const at: Record<string, number> = {};
    const before = performance.now();
    await stage.add('later', { delayMs: 700, priority: 'high' });
    await stage.add('now', { priority: 'low' });
    stage.run({
      handle({ text }) {
        at[text] = performance.now() - before;
        return DONE;
      },
    });
    await stage.settled();
    expect(at.later).toBeGreaterThan(690);
    expect(at.now).toBeLessThan(at.later!);
  });

  test('jobs go by priority, and by time among equals', async () => {
    for (const text of ['low', 'normal', 'high'] as const) await stage.add(text, { priority: text });
    await Bun.sleep(2); // so that their times differ
    for (const text of ['low', 'normal', 'high'] as const) await stage.add(`${text} 2`, { priority: text });
    stage.run({ handle: note, concurrency: 1 });
    await stage.settled();
    expect(texts).toEqual(['high', 'high 2', 'normal', 'normal 2', 'low', 'low 2']);
  });

  test('of a key one job waits: the first is kept, or the last replaces it', async () => {
    const kept = [await stage.add('first', { dedupeKey: 'k' }), await stage.add('second', { dedupeKey: 'k' })];
    const replaced = [
      await stage.add('third', { dedupeKey: 'r' }),
      await stage.add('fourth', { dedupeKey: 'r', onDuplicate: 'replace' }),
    ];
    expect([kept[0], replaced[0]]).toEqual([kept[1], replaced[1]]);
    await stage.add('fifth');
    await stage.add('sixth');
    stage.run({ handle: note });
    await stage.settled();
    expect(texts.sort()).toEqual(['fifth', 'first', 'fourth', 'sixth']);
    // Done jobs are no duplicates.
    await stage.add('again', { dedupeKey: 'k' });
    await stage.settled();
    expect(texts).toContain('again');
  });

  test('a job that is kept is due at the earlier of two times, one that is replaced at the new one', async () => {
    await stage.add('a', { dedupeKey: 'kept', delayMs: 3_600_000 });
    await stage.add('b', { dedupeKey: 'kept' });
    await stage.add('c', { dedupeKey: 'replaced' });
    await stage.add('d', { dedupeKey: 'replaced', onDuplicate: 'replace', delayMs: 3_600_000 });
    stage.run({ handle: note });
    await eventually('the one', async () => (await stage.rows()).length === 1);
    expect([texts, (await stage.rows()).map(({ payload }) => payload)]).toEqual([['a'], ['{"text":"d"}']]);
  });

  test('a job that is asked for once more while it runs goes again after that, and never beside itself', async () => {
    const held = holding();
    const id = await stage.add('old', { dedupeKey: 'k' });
    stage.run({ handle: held.handle });
    const first = await held.nth(1);
    expect(await stage.add('new', { dedupeKey: 'k', onDuplicate: 'replace' })).toBe(id);
    expect(await stage.add('kept out', { dedupeKey: 'k' })).toBe(id);
    await stage.add('other');
    (await held.nth(2)).letGo();
    expect(held.began.map(({ text }) => text)).toEqual(['old', 'other']);
    first.letGo();
    const second = await held.nth(3);
    expect([second.text, second.run.attempt, second.run.jobId]).toEqual(['new', 1, id]);
    second.letGo();
    await stage.settled();
    expect(await stage.rows()).toEqual([]);
  });

  test('a job that is asked for once more while its last try fails is not parked, but goes again', async () => {
    const held = holding();
    await stage.add('old', { dedupeKey: 'k' });
    stage.run({ handle: held.handle });
    const first = await held.nth(1);
    await stage.add('new', { dedupeKey: 'k', onDuplicate: 'replace' });
    first.letGo({ kind: 'hopeless', reason: 'gone' });
    const second = await held.nth(2);
    expect([second.text, second.run.attempt]).toEqual(['new', 1]);
    second.letGo();
    await stage.settled();
    expect(stage.observed).toEqual(['failed', 'done']);
  });

  test('a job that fails is tried again, later each time and not before it was asked for', async () => {
    const tries: { attempt: number; at: number }[] = [];
    await stage.add('x');
    stage.run({
      waitsMs: [600, 10_000],
      handle(_, { attempt }) {
        tries.push({ attempt, at: performance.now() });
        if (attempt === 1) return failed('not yet', 100);
        return attempt === 2 ? failed('still not', 1700) : DONE;
      },
    });
    await stage.settled();
    const [first, second, third] = tries;
    expect(tries.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    // The policy says 600 ms, then 1200; the other side asks for 100, then for 1700.
    expect(second!.at - first!.at).toBeGreaterThan(590);
    expect(third!.at - second!.at).toBeGreaterThan(1690);
    expect([stage.observed, await stage.rows()]).toEqual([['failed', 'failed', 'done'], []]);
  });

  test('a job is parked with its reason after the last try, and at once where it is hopeless', async () => {
    await stage.add('fails');
    await stage.add('throws');
    await stage.add('hopeless');
    const misshapen = await stage.database.transaction((tx) =>
      stage.queue.enqueue(tx, { kind: 'note', payload: { words: 'secret' } as never }),
    );
    stage.run({
      handle({ text }) {
        texts.push(text);
        if (text === 'fails') return failed('no answer');
        if (text === 'throws') throw new Error('a fault');
        return { kind: 'hopeless', reason: 'no such address' };
      },
    });
    await stage.settled();
    const rows = await stage.rows();
    expect(rows.map(({ reason, attempts, owner }) => [reason, attempts, owner])).toEqual([
      ['no answer', 3, null],
      ['an error of the program: see its log', 3, null],
      ['no such address', 1, null],
      ['the payload has another shape than the handler takes', 1, null],
    ]);
    expect(rows[3]!.id).toBe(misshapen);
    expect(texts.sort()).toEqual(['fails', 'fails', 'fails', 'hopeless', 'throws', 'throws', 'throws']);
    expect(JSON.stringify(stage.lines)).not.toContain('secret');
    await eventually('the count', async () => (await stage.repository.counts()).parked === 4);
  });

  test('a try ends at its time, whether or not the handler heeds its signal', async () => {
    await stage.add('heeds');
    await stage.add('goes on');
    const never = new Promise<Outcome>(() => {});
    stage.run({
      timeoutMs: 50,
      handle({ text }, { signal }) {
        if (text === 'goes on') return never;
        const { promise, reject } = Promise.withResolvers<Outcome>();
        signal.addEventListener('abort', () => reject(signal.reason));
        return promise;
      },
    });
    await stage.settled();
    expect((await stage.rows()).map(({ reason }) => reason)).toEqual(Array(2).fill('it took longer than 50 ms'));
  });

  test('a job whose runner died comes again when the lease ends, and the dead one can change nothing any more', async () => {
    await stage.add('x');
    const before = performance.now();
    const dead = await dieWith(800);
    const held = holding();
    stage.run({ handle: held.handle });
    const { run, letGo } = await held.nth(1);
    expect(performance.now() - before).toBeGreaterThan(790);
    expect(run.attempt).toBe(2);
    expect(await stage.repository.done(dead)).toBe('lost');
    expect(await stage.repository.park(dead, 'dead')).toBe('lost');
    expect(await stage.repository.postpone(dead, 'dead', 0)).toBe(false);
    await stage.repository.giveBack(dead);
    const [row] = await stage.rows();
    expect([row!.attempts, row!.reason, row!.owner === null]).toEqual([2, null, false]);
    letGo();
    await stage.settled();
    expect(held.began).toHaveLength(1);
  });

  test('a job that takes its process with it at every try is parked, and not tried for ever', async () => {
    await stage.add('deadly');
    for (let tries = 1; tries <= 3; tries++) {
      const dead = await eventually('the lease ends', () => dieWith(1));
      expect(dead.attempts).toBe(tries);
    }
    stage.run({ handle: note });
    await stage.settled();
    expect(texts).toEqual([]);
    expect((await stage.rows())[0]!.reason).toBe('no try was seen to end: its process died, or hung');
  });

  test('what a process held when it died is free at once where it is alone', async () => {
    await stage.add('x');
    await dieWith(3_600_000);
    await stage.repository.releaseAll();
    stage.run({ handle: note });
    await stage.settled();
    expect(texts).toEqual(['x']);
  });

  test('several runners share the jobs, each is done once, and none by two at a time', async () => {
    const COUNT = 150;
    await world.database.transaction(async (tx) => {
      for (let n = 0; n < COUNT; n++) await stage.queue.enqueue(tx, { kind: 'note', payload: { text: `${n}` } });
    });
    const running = new Set<string>();
    const done: string[] = [];
    const by = [0, 0, 0];
    let isApart = true;
    const handleAs =
      (runner: number) =>
      async (_: unknown, { jobId }: JobRun) => {
        if (running.has(jobId)) isApart = false;
        running.add(jobId);
        await Bun.sleep(2);
        running.delete(jobId);
        done.push(jobId);
        by[runner]!++;
        return DONE;
      };
    for (const runner of [0, 1, 2]) stage.run({ handle: handleAs(runner), concurrency: 5 });
    await stage.settled();
    expect([isApart, done.length, new Set(done).size]).toEqual([true, COUNT, COUNT]);
    expect(Math.min(...by)).toBeGreaterThan(0);
  });

  test('no more run at once than may', async () => {
    const held = holding();
    for (let n = 0; n < 5; n++) await stage.add(`${n}`);
    const runner = stage.run({ handle: held.handle, concurrency: 2 });
    await held.nth(2);
    await eventually('it is known', async () => runner.state()?.running === 2);
    expect(held.began).toHaveLength(2);
    held.began[0]!.letGo();
    await held.nth(3);
    expect(runner.state()!.running).toBe(2);
    for (let n = 2; n <= 5; n++) (await held.nth(n)).letGo();
    await stage.settled();
    expect(held.began).toHaveLength(5);
  });

  test('a stop takes nothing new, waits for what runs, and gives back what does not end in time', async () => {
    const held = holding();
    for (const text of ['quick', 'slow', 'next']) await stage.add(text);
    const runner = stage.run({ handle: held.handle, concurrency: 2 });
    await held.nth(2);
    const stopped = runner.stop(300);
    held.began[0]!.letGo();
    await stopped;
    expect((await stage.rows()).map(({ payload, attempts, owner }) => [payload, attempts, owner])).toEqual([
      ['{"text":"slow"}', 0, null],
      ['{"text":"next"}', 0, null],
    ]);
    stage.run({ handle: note });
    await stage.settled();
    expect([texts.sort(), held.began.length]).toEqual([['next', 'slow'], 2]);
  });

  test('a kind that nobody here handles is left alone', async () => {
    await world.database.transaction((tx) =>
      stage.queue.enqueue(tx, { kind: 'of a newer version' as 'note', payload: { text: 'x' }, priority: 'high' }),
    );
    await stage.add('mine');
    stage.run({ handle: note });
    await eventually('mine', async () => (await stage.rows()).length === 1);
    const [row] = await stage.rows();
    expect([row!.kind, row!.attempts, row!.owner]).toEqual(['of a newer version', 0, null]);
    expect((await stage.repository.counts()).waiting).toBe(1);
  });

  test('a payload that is too large is refused, and its cause with it', async () => {
    await expect(stage.add('x'.repeat(MAX_PAYLOAD_BYTES))).rejects.toThrow('too large');
    await expect(stage.add('x', { dedupeKey: 'k'.repeat(257) })).rejects.toThrow('too long');
    expect(await stage.rows()).toEqual([]);
  });

  test('for how long the oldest has waited is known', async () => {
    await stage.add('later', { delayMs: 3_600_000, priority: 'high' });
    expect((await stage.repository.counts()).oldestMs).toBe(0);
    await stage.add('now');
    const { oldestMs } = await eventually('it is a while', async () => {
      const counts = await stage.repository.counts();
      return counts.oldestMs > 20 && counts;
    });
    expect(oldestMs).toBeLessThan(10_000);
    await dieWith(3_600_000);
    expect(await stage.repository.counts()).toMatchObject({ waiting: 1, oldestMs: 0 });
  });

  test('parked jobs go after their time', async () => {
    await stage.add('old');
    await stage.add('young');
    stage.run({ handle: () => ({ kind: 'hopeless', reason: 'no' }) });
    await stage.settled();
    await world.database.write
      .updateTable('jobs')
      .set({ parked_at: Date.now() - 100_000 })
      .where('payload', '=', '{"text":"old"}')
      .execute();
    expect(await stage.repository.deleteParked(90_000, 10)).toBe(1);
    expect((await stage.rows()).map(({ payload }) => payload)).toEqual(['{"text":"young"}']);
  });

  describeCommands();

  function describeCommands(): void {
    async function parley(...args: string[]) {
      const [out, errors]: string[][] = [[], []];
      const code = await runJobs(args, {
        jobs: new ParkedJobsRepository(world.database),
        queue: new ParkedRepository(world.database),
        print: (line) => out!.push(line),
        complain: (line) => errors!.push(line),
      });
      return { code, out: out!.join('\n'), errors: errors!.join('\n') };
    }

    /** Parks a job of each text. */
    async function park(...jobs: string[]): Promise<string[]> {
      const runner = stage.run({ handle: () => ({ kind: 'hopeless', reason: 'no answer' }) });
      const ids: string[] = [];
      for (const text of jobs) {
        ids.push(await stage.add(text, { dedupeKey: `key of ${text}` }));
        await stage.settled();
      }
      await runner.stop(1000);
      return ids;
    }

    test('parley jobs shows parked jobs beside parked events, and nothing of what they carry', async () => {
      const [id] = await park('a secret');
      const event = Bun.randomUUIDv7();
      await world.database.write
        .insertInto('parked_jobs')
        .values({
          id: event,
          consumer: 'webhooks',
          conversation_id: Bun.randomUUIDv7(),
          seq: 7,
          attempts: 3,
          reason: 'answered with status 500',
          parked_at: 1000,
        })
        .execute();
      const { out } = await parley('list');
      const lines = out.split('\n').map((line) => line.split('  '));
      expect(lines.map(([one, what, name]) => [one, what, name])).toEqual([
        [event, 'event', 'webhooks'],
        [id!, 'job', 'note'],
      ]);
      expect(lines[1]!.slice(3)).toEqual(['key of a secret', expect.stringMatching(/^parked 2/), 'no answer']);
      expect((await parley('list', '--limit', '1')).out).toBe(out.split('\n')[0]!);
      const shown = await parley('show', id!);
      expect(shown.out).toMatch(/^kind {10}note$/m);
      expect(shown.out).toMatch(/^payload {7}text$/m);
      expect(shown.out).toMatch(/^tries {9}1\nlast failure {2}no answer$/m);
      expect(shown.out.replace('key of a secret', '')).not.toContain('secret');
      expect((await parley('show', event)).out).toContain('consumer      webhooks');
    });

    test('parley jobs has them tried again with all tries, or discards them', async () => {
      const [id, other, third] = await park('one', 'two', 'three');
      expect(await parley('discard', other!)).toMatchObject({ code: 0, out: '1 discarded' });
      expect(await parley('retry', other!)).toMatchObject({ code: 1, errors: `there is no job ${other}` });
      expect(await parley('retry', id!)).toMatchObject({ code: 0, out: '1 to be tried again' });
      const attempts: number[] = [];
      stage.run({
        handle({ text }, { attempt }) {
          texts.push(text);
          attempts.push(attempt);
          return DONE;
        },
      });
      await stage.settled();
      expect([texts, attempts]).toEqual([['one'], [1]]);
      expect((await stage.rows()).map((row) => row.id)).toEqual([third!]);
      // One that waits or runs is not discarded.
      const waiting = await stage.add('waits', { delayMs: 3_600_000 });
      expect((await parley('show', waiting)).out).toContain('waits, not before');
      expect((await parley('discard', waiting)).code).toBe(1);
      expect(await parley('retry', 'all')).toMatchObject({ code: 0, out: '1 to be tried again' });
      await eventually('the last', async () => texts.length === 2);
      expect((await parley('list')).out).toBe('');
    });

    test('of a key the last one that was parked is kept, and a newer job that waits stands for both', async () => {
      await park('x');
      const [last] = await park('x');
      expect((await stage.rows()).map((row) => row.id)).toEqual([last!]);
      const newer = await stage.add('newer', { dedupeKey: 'key of x' });
      expect(newer).not.toBe(last!);
      expect(await parley('retry', 'all')).toMatchObject({ code: 0, out: '1 to be tried again' });
      expect((await stage.rows()).map((row) => row.id)).toEqual([newer]);
    });
  }
}
