import { Database } from 'bun:sqlite';
import { readFileSync } from 'node:fs';

/** Preloaded into the threads of the database, before their own code: see main.ts beside this file. */

const LOOK_MS = 20;
const pragmas = () => readFileSync(process.env.TEST_PRAGMAS!, 'utf8');
const run = Database.prototype.run;

Database.prototype.run = function (this: Database, sql: string, ...bindings: never[]) {
  const result = run.call(this, sql, ...bindings);
  // Only a writer says how its commits are synced.
  if (/^pragma synchronous/i.test(sql)) obey(this);
  return result;
};

/** Runs what the file says, now and whenever it says something else. */
function obey(database: Database): void {
  let known = '';
  const look = () => {
    const wanted = pragmas();
    if (wanted === known) return;
    known = wanted;
    run.call(database, wanted);
  };
  look();
  setInterval(look, LOOK_MS).unref();
}
