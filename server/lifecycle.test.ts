import { describe, expect, test } from 'bun:test';
import pino from 'pino';
import { Lifecycle, type Phase } from './lifecycle.ts';

function build() {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const lifecycle = new Lifecycle(logger);
  const done: string[] = [];
  const part = (name: string, ...phases: Phase[]) => {
    for (const phase of phases) lifecycle.onStop(phase, name, () => void done.push(`${phase} ${name}`));
  };
  const failed = () => lines.map(({ part, phase, err }) => ({ part, phase, why: (err as Error).message }));
  return { lifecycle, done, part, failed };
}

describe('a life cycle', () => {
  test('starts parts in the order of their birth, and renews them so', async () => {
    const { lifecycle, done } = build();
    for (const name of ['older', 'younger']) {
      lifecycle.onStart(name, async () => void done.push(`start ${name}`));
      lifecycle.onNewEpoch(name, () => void done.push(`renew ${name}`));
    }
    await lifecycle.start();
    await lifecycle.newEpoch();
    expect(done).toEqual(['start older', 'start younger', 'renew older', 'renew younger']);
  });

  test('starts nothing behind a part that fails, and stops what stands, whether it was started or not', async () => {
    const { lifecycle, done, part } = build();
    part('older', 'close');
    lifecycle.onStart('older', () => void done.push('start older'));
    lifecycle.onStart('broken', () => Promise.reject(new Error('no port')));
    part('younger', 'close');
    lifecycle.onStart('younger', () => void done.push('start younger'));
    await expect(lifecycle.start()).rejects.toThrow('no port');
    await lifecycle.stop(1000);
    expect(done).toEqual(['start older', 'close younger', 'close older']);
  });

  test('tells nobody behind a part that could not be renewed, so that all are told again', async () => {
    const { lifecycle, done } = build();
    lifecycle.onNewEpoch('older', () => Promise.reject(new Error('no database')));
    lifecycle.onNewEpoch('younger', () => void done.push('renew younger'));
    await expect(lifecycle.newEpoch()).rejects.toThrow('no database');
    expect(done).toEqual([]);
  });

  test('stops phase after phase, and closes the youngest first', async () => {
    const { lifecycle, done, part } = build();
    part('older', 'close', 'hang-up', 'flush');
    part('younger', 'close', 'finish', 'refuse');
    expect(lifecycle.isStopping).toBe(false);
    const stopped = lifecycle.stop(1000);
    expect(lifecycle.isStopping).toBe(true);
    await stopped;
    expect(done).toEqual([
      'refuse younger',
      'finish younger',
      'flush older',
      'hang-up older',
      'close younger',
      'close older',
    ]);
  });

  test('stops once, however often it is asked', async () => {
    const { lifecycle, done, part } = build();
    part('one', 'close');
    await Promise.all([lifecycle.stop(1000), lifecycle.stop(1000)]);
    await lifecycle.stop(1000);
    expect(done).toEqual(['close one']);
  });

  test('logs what fails and what hangs, and goes on within its time', async () => {
    const { lifecycle, done, part, failed } = build();
    lifecycle.onStop('flush', 'marks', () => {
      throw new Error('no database');
    });
    lifecycle.onStop('flush', 'log', () => new Promise<void>(() => {}));
    lifecycle.onStop('close', 'bus', () => new Promise<void>(() => {}));
    part('sockets', 'hang-up');
    lifecycle.onStop('close', 'presence', () => Promise.reject(new Error('no database')));
    part('database', 'close');
    const started = performance.now();
    await lifecycle.stop(400);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(done).toEqual(['hang-up sockets', 'close database']);
    expect(failed()).toEqual([
      { part: 'marks', phase: 'flush', why: 'no database' },
      { part: 'log', phase: 'flush', why: expect.stringMatching(/^not over after \d+ ms$/) },
      { part: 'presence', phase: 'close', why: 'no database' },
      { part: 'bus', phase: 'close', why: expect.stringMatching(/^not over after \d+ ms$/) },
    ]);
  });

  test('tells a step how long it is waited for', async () => {
    const { lifecycle } = build();
    const grace = Promise.withResolvers<number>();
    lifecycle.onStop('finish', 'requests', (graceMs) => grace.resolve(graceMs));
    await lifecycle.stop(8000);
    expect(await grace.promise).toBeWithin(3900, 4001);
  });
});
