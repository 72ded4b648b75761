import { serveConnection } from './serve-connection.ts';

/** Entry of the threads that only read. */
serveConnection(globalThis as unknown as Worker);
