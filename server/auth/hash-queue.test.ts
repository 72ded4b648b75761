import { describe, expect, test } from 'bun:test';
import { type Asker, HashQueue } from './hash-queue.ts';

const stranger = (key: string): Asker => ({ kind: 'stranger', key });
const known = (key: string): Asker => ({ kind: 'known', key });

/** A queue with one place that is taken until `open` is called, and what was done in it since, in order. */
function closed(waiting: number) {
  const queue = new HashQueue(1, waiting);
  const gate = Promise.withResolvers<void>();
  const done: string[] = [];
  const refused: string[] = [];
  const first = queue.run(known('first'), () => gate.promise);
  const all: Promise<void>[] = [first];
  const add = (asker: Asker, name = asker.key) => {
    all.push(
      queue
        .run(asker, async () => void done.push(name))
        .catch((error) => {
          expect(error).toMatchObject({ code: 'unavailable' });
          refused.push(name);
        }),
    );
  };
  const open = async () => {
    gate.resolve();
    await Promise.all(all);
    return { done, refused };
  };
  return { add, open };
}

describe('the queue', () => {
  test('does as many at once as it may, and goes on after a failure', async () => {
    const queue = new HashQueue(2, 10);
    let [running, most] = [0, 0];
    const work = async () => {
      most = Math.max(most, ++running);
      await Bun.sleep(1);
      running--;
      throw new Error('broken');
    };
    const all = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => queue.run(stranger(`${n}`), work)));
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(8);
    expect(most).toBe(2);
    expect(await queue.run(stranger('last'), async () => 'done')).toBe('done');
  });

  test('takes strangers and those who are known in turn, and each address', async () => {
    const { add, open } = closed(10);
    for (const name of ['a1', 'a2', 'a3']) add(stranger('a'), name);
    add(stranger('b'), 'b1');
    for (const name of ['k1', 'k2']) add(known('k'), name);
    expect((await open()).done).toEqual(['k1', 'a1', 'k2', 'b1', 'a2', 'a3']);
  });

  test('has room for those who are known, however many strangers wait', async () => {
    const { add, open } = closed(3);
    for (let n = 0; n < 50; n++) add(stranger(`stranger-${n}`));
    add(known('somebody'));
    const { done, refused } = await open();
    expect(done).toContain('somebody');
    expect([done.length, refused.length]).toEqual([4, 47]);
    expect(refused).not.toContain('stranger-0');
  });

  test('refuses the latest of the one who has most in it: a full line is full for them alone', async () => {
    const { add, open } = closed(4);
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) add(stranger('a'), name);
    for (const name of ['b', 'c']) add(stranger(name));
    add(stranger('b'), 'b2'); // one more than the fair share of any
    const { done, refused } = await open();
    expect(done).toEqual(['a1', 'b', 'c', 'a2']);
    expect(refused.toSorted()).toEqual(['a3', 'a4', 'a5', 'b2']);
  });
});
