import type { BunPlugin } from 'bun';

/** Where an executable has its modules: each entry point as it lies below the first one's folder. */
const ROOT = 'file:///$bunfs/root/';

/** The entry points of the database's threads, from the folder of the program's own: server/. */
const ENTRIES = { writerEntry: 'writer-thread', readerEntry: 'database/sqlite/reader-thread' };

/** The same as entry points of a build. */
export const threadEntrypoints = Object.values(ENTRIES).map((name) => `server/${name}.ts`);

/**
 * Lets an executable find its threads in itself: in the place of server/threads.ts comes a module that names them there. Left
 * alone, the bundler writes the address of the source into it, which no other machine has.
 */
export const embedThreads: BunPlugin = {
  name: 'embed-threads',
  setup(build) {
    const entries = Object.entries(ENTRIES).map(
      ([name, path]) => `${name}: new URL(${JSON.stringify(`${ROOT}${path}.js`)})`,
    );
    build.onLoad({ filter: /server[\\/]threads\.ts$/ }, () => ({
      loader: 'ts',
      contents: `export const THREADS = { ${entries.join(', ')} };\n`,
    }));
  },
};
