import type { SqliteDatabase } from '../../database/sqlite/sqlite-database.ts';
import { isMachineFault, SqliteError } from '../../database/sqlite/thread.ts';
import { type AppendAnswer, type AppendRow, BatchError, type LogDriver } from './log-driver.ts';

/** The name under which the writer thread knows `createAppend`. */
export const APPEND_PROCEDURE = 'append';

/**
 * Small enough that nobody waits long behind a batch: its frames are written in one go, and a read that comes meanwhile has
 * its turn after them. At 2,000 a page of history took 50 times as long under full load as at rest, at 128 about twice as long,
 * and the messages a second stay what they were.
 */
const MAX_BATCH = 128;

/** The log in SQLite: batches run in the one thread through which every write goes. */
export class SqliteLog implements LogDriver {
  readonly maxBatch = MAX_BATCH;

  constructor(private readonly database: SqliteDatabase) {}

  async append(take: () => AppendRow[]): Promise<AppendAnswer[]> {
    try {
      return await this.database.callWriter<AppendAnswer[]>(APPEND_PROCEDURE, () => JSON.stringify(take()));
    } catch (error) {
      throw new BatchError(isRowAtFault(error), error);
    }
  }
}

/** A constraint or a value is a row's fault; a full disk, a failed read or a lock is the machine's. */
function isRowAtFault(error: unknown): boolean {
  return error instanceof SqliteError && !isMachineFault(error);
}
