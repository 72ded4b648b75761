import { expect, test } from 'bun:test';
import { pino } from 'pino';
import { sqliteDatabase } from '../../tests/support/databases.ts';
import { Epoch, renewEpoch } from './epoch.ts';

test('a new epoch is told again until whoever is told of it could act on it, and then no more', async () => {
  const { database, close } = await sqliteDatabase({ inMemory: true });
  let failures = 1;
  const told: string[] = [];
  const epoch = new Epoch(database, pino({ enabled: false }), async () => {
    told.push(epoch.current);
    if (failures-- > 0) throw new Error('the database is busy with its failover');
  });
  await epoch.start();
  epoch.look();
  await epoch.stop();
  expect(told).toEqual([]);

  const next = await renewEpoch(database);
  epoch.look();
  await epoch.stop();
  expect(told).toEqual([next]);
  epoch.look();
  await epoch.stop();
  epoch.look();
  await epoch.stop();
  expect(told).toEqual([next, next]);
  await close();
});
