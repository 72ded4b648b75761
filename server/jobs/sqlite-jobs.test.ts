import { describe, expect, test } from 'bun:test';
import { sqliteDatabase } from '../../tests/support/databases.ts';
import { JobsStage } from '../../tests/support/jobs.ts';
import { dutiesContract } from './duties.contract.ts';
import { jobsContract } from './jobs.contract.ts';

describe('jobs in SQLite', () => jobsContract(() => sqliteDatabase()));
describe('duties in SQLite', () => dutiesContract(() => sqliteDatabase()));

test('without handlers the database is asked nothing', async () => {
  const { database, close } = await sqliteDatabase();
  const stage = new JobsStage(database);
  await database.write.schema.dropTable('jobs').execute();
  // Whoever asked would fail now, and say so in the log.
  const idle = stage.start({});
  stage.queue.wake();
  await idle.stop(0);
  expect([stage.lines, idle.state()]).toEqual([[], undefined]);
  await stage.run({ handle: () => ({ kind: 'done' }) }).stop(0);
  expect(stage.lines.map(({ msg }) => msg)).toEqual(['the queue of jobs failed']);
  await close();
});
