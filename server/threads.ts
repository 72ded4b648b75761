/** The files in which the database's threads begin. In an executable they are other ones: scripts/embed-threads.ts. */
export const THREADS = {
  writerEntry: new URL('./writer-thread.ts', import.meta.url),
  readerEntry: new URL('./database/sqlite/reader-thread.ts', import.meta.url),
};
