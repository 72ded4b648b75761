import type { SqliteDatabase } from '../../database/sqlite/sqlite-database.ts';
import { isMachineFault, SqliteError } from '../../database/sqlite/thread.ts';
import { type AppendAnswer, type AppendRow, BatchError, type LogDriver } from './log-driver.ts';

/** The name under which the writer thread knows `createAppend`. */
export const APPEND_PROCEDURE = 'append';

/** The log in SQLite: batches run in the one thread through which every write goes. */
export class SqliteLog implements LogDriver {
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
