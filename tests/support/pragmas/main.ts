/**
 * The program as it is, except that its writer runs the pragmas of a file after its own: for tests of what happens to a
 * server whose database does not sync, or is full. Installations have no such switch.
 */
const preload = [new URL('./writer.ts', import.meta.url).pathname];

globalThis.Worker = class extends Worker {
  constructor(entry: string | URL, options?: WorkerOptions) {
    super(entry, { ...options, preload });
  }
};

await import('../../../server/main.ts');
