import { Database } from 'bun:sqlite';
import { note } from './note.ts';

/** Preloaded into the threads of the database, before their own code: see main.ts beside this file. */

const { prepare } = Database.prototype;

Database.prototype.prepare = function (this: Database, sql: string, ...rest: never[]) {
  note(sql);
  return prepare.call(this, sql, ...rest);
} as typeof prepare;
