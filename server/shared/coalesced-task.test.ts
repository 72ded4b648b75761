import { expect, test } from 'bun:test';
import { CoalescedTask } from './coalesced-task.ts';

/** Turns that end when they are told to. */
function heldTask() {
  const turns: { end(): void; fail(error: Error): void }[] = [];
  const failures: unknown[] = [];
  const task = new CoalescedTask(
    () => new Promise((resolve, reject) => turns.push({ end: resolve, fail: reject })),
    (error) => failures.push(error),
  );
  return { task, turns, failures };
}

/** Lets everything go on that waits for nothing but its turn. */
const aMoment = () => new Promise((resolve) => setImmediate(resolve));

test('however often it is asked for, one turn runs and one waits', async () => {
  const { task, turns } = heldTask();
  task.request();
  await aMoment();
  for (let count = 0; count < 100; count++) task.request();
  await aMoment();
  expect(turns.length).toBe(1);
  turns[0]!.end();
  await aMoment();
  expect(turns.length).toBe(2);
  turns[1]!.end();
  await task.idle();
  await aMoment();
  expect(turns.length).toBe(2);

  task.request();
  await aMoment();
  expect(turns.length).toBe(3);
  turns[2]!.end();
  await task.idle();
});

test('is idle once the turn that waits has ended too, and at once where nothing was asked for', async () => {
  const { task, turns } = heldTask();
  await task.idle();
  task.request();
  await aMoment();
  task.request();
  let isIdle = false;
  const idle = task.idle().then(() => {
    isIdle = true;
  });
  turns[0]!.end();
  await aMoment();
  expect(isIdle).toBe(false);
  turns[1]!.end();
  await idle;
});

test('a turn that fails is told of, and the next one runs', async () => {
  const { task, turns, failures } = heldTask();
  task.request();
  await aMoment();
  task.request();
  turns[0]!.fail(new Error('no database'));
  await aMoment();
  expect(failures).toEqual([new Error('no database')]);
  turns[1]!.end();
  await task.idle();
});

test('a turn may ask for the next', async () => {
  let turns = 0;
  const task: CoalescedTask = new CoalescedTask(
    async () => {
      if (++turns < 3) task.request();
    },
    (error) => {
      throw error;
    },
  );
  task.request();
  await task.idle();
  expect(turns).toBe(3);
});
