/**
 * The program as it is, except that it notes each statement that it prepares, in its threads and at PostgreSQL: for tests of
 * how they are planned. Installations have no such switch.
 */
import pg from 'pg';
import { note } from './note.ts';

const preload = [new URL('./thread.ts', import.meta.url).pathname];

globalThis.Worker = class extends Worker {
  constructor(entry: string | URL, options?: WorkerOptions) {
    super(entry, { ...options, preload });
  }
};

const { query } = pg.Client.prototype;
pg.Client.prototype.query = function (this: pg.Client, ...asked: unknown[]) {
  const [first] = asked;
  note(typeof first === 'string' ? first : (first as { text?: string }).text);
  return (query as (...asked: unknown[]) => unknown).apply(this, asked);
} as typeof query;

await import('../../../server/main.ts');
