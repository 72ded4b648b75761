import type { Core } from '../../core.ts';
import { Marks } from './marks.ts';
import { PostgresMarks } from './postgres-marks.ts';
import { SqliteMarks } from './sqlite-marks.ts';

/** The marks on the engine that there is; what was noted is written before anybody is sent home. */
export function createMarks({ logger, lifecycle, database, bus }: Core): Marks {
  const driver = database.engine === 'sqlite' ? new SqliteMarks(database) : new PostgresMarks(database);
  const marks = new Marks(driver, bus, logger);
  lifecycle.onStop('flush', 'marks', () => marks.stop());
  return marks;
}
