import { afterAll, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { endServers, onSqlite, startServer } from '../support/server.ts';
import { canTest } from '../support/untested.ts';

afterAll(endServers);

/** How far each thread of a process steps back for the others: the nineteenth field of its line (proc_pid_stat(5)). */
function nicenessesOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const line = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

if (onSqlite) {
  const elsewhere = process.platform === 'linux' ? undefined : 'only Linux gives each thread a niceness of its own';
  test.if(canTest('that the thread that writes steps back', elsewhere))(
    'of all threads only the one that writes lets the others go first',
    async () => {
      const server = await startServer();
      // Who starts it may have stepped back themselves.
      const own = getPriority();
      const stepping = nicenessesOf(server.nodes[0]!.pid).filter((niceness) => niceness !== own);
      expect(stepping).toEqual([10]);
    },
  );
}
