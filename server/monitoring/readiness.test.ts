import { expect, test } from 'bun:test';
import { createLogger } from '../shared/logger.ts';
import { type Check, Readiness } from './readiness.ts';

const log = createLogger({ log_level: 'silent', log_format: 'json' });

function readiness(checks: Record<string, Check>, isDraining = () => false) {
  return new Readiness({ checks, isDraining, log, intervalMs: 50, timeLimitMs: 20 });
}

const works = async () => {};
const fails = async () => {
  throw new Error('down');
};
const hangs = () => new Promise<void>(() => {});

test('a server is ready when all that it needs works', async () => {
  expect(await readiness({ database: works, bus: works }).report()).toEqual({
    status: 'ok',
    checks: { database: 'ok', bus: 'ok' },
  });
});

test.each([
  ['fails', fails],
  ['does not answer in time', hangs],
])('a server is not ready when something %s', async (_, check) => {
  expect(await readiness({ database: check, bus: works }).report()).toEqual({
    status: 'unavailable',
    checks: { database: 'failed', bus: 'ok' },
  });
});

test('a server is ready, and says what it is worse for, when something fails that it goes on without', async () => {
  const isDraining = () => false;
  const one = (database: Check) =>
    new Readiness({ checks: { database }, optionalChecks: { redis: fails }, isDraining, log, intervalMs: 50 }).report();
  expect(await one(works)).toEqual({ status: 'degraded', checks: { database: 'ok', redis: 'failed' } });
  expect(await one(fails)).toEqual({ status: 'unavailable', checks: { database: 'failed', redis: 'failed' } });
});

test('a server that is about to go says so, and checks nothing', async () => {
  let asked = 0;
  const check = async () => void asked++;
  expect(await readiness({ database: check }, () => true).report()).toEqual({ status: 'draining', checks: {} });
  expect(asked).toBe(0);
});

test('however many ask, and however often, a check runs once in an interval', async () => {
  let asked = 0;
  const one = readiness({ database: async () => void asked++ });
  await Promise.all([one.report(), one.report(), one.report()]);
  await one.report();
  expect(asked).toBe(1);
  await Bun.sleep(60);
  await one.report();
  expect(asked).toBe(2);
});
