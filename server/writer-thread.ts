import { createAppend } from './chat/log/sqlite-append.ts';
import { APPEND_PROCEDURE } from './chat/log/sqlite-log.ts';
import { createWriteMarks, MARKS_PROCEDURE } from './chat/marks/sqlite-marks.ts';
import { serveConnection } from './database/sqlite/serve-connection.ts';
import { lowerPriority } from './database/sqlite/thread-priority.ts';

/**
 * Where cores are scarce, the event loop and the threads that read go first: a batch waits for the disk anyway, and is the
 * larger the longer it waits. Under full load a page of history is read in half the time.
 */
const NICENESS = 10;
lowerPriority(NICENESS);

/** Entry of the one thread through which every write to SQLite goes: plain queries, batches of the log, and of marks. */
serveConnection(globalThis as unknown as Worker, (database) => {
  // Prepared at the first call: when the thread starts, the tables may not be there yet.
  let append: ReturnType<typeof createAppend> | undefined;
  let writeMarks: ReturnType<typeof createWriteMarks> | undefined;
  return {
    [APPEND_PROCEDURE]: (batch: string) => {
      append ??= createAppend(database);
      return append(batch);
    },
    [MARKS_PROCEDURE]: (batch: string) => {
      writeMarks ??= createWriteMarks(database);
      return writeMarks(batch);
    },
  };
});
