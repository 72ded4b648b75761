import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestCluster } from './cluster.ts';
import { engineSettings } from './engines.ts';
import { type Environment, environment, type LogLine, PARLEY, ROOT, TestNode, type TestServer } from './node.ts';

/**
 * The program as a user starts it: processes of their own, on free ports, with data in a temporary folder. What it stands
 * on is the run's: SQLite in that folder; with TEST_DATABASE=postgres a database of its own in one PostgreSQL; and with
 * TEST_TOPOLOGY=cluster three nodes on such a database and one Redis.
 */

export type { Environment, LogLine, TestServer };
export { PARLEY };

/** Whether a server is three nodes in this run. A test of what one process does is registered only where it is one. */
export const onCluster = process.env.TEST_TOPOLOGY === 'cluster';
/** The engine that this run is on. A test of SQLite's own file or threads is registered on SQLite only. */
export const onSqlite = process.env.TEST_DATABASE !== 'postgres' && !onCluster;

const running = new Set<TestServer>();
const folders = new Set<string>();

/** A folder that is gone when the tests are over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-test-'));
  folders.add(folder);
  return folder;
}

/** Starts a server of the test's own. `env` overrides settings; limits are off unless it says otherwise. */
export async function startServer(env: Environment = {}, command: string[] = PARLEY): Promise<TestServer> {
  const dataDir = env.DATA_DIR ?? temporaryFolder();
  const settings = { ...(await settingsOf(dataDir)), ...env };
  const server = onCluster ? TestCluster.alike(dataDir, settings, command) : new TestNode(dataDir, settings, command);
  running.add(server);
  await server.start();
  return server;
}

/** Ends all servers of this file and removes their data: call it in `afterAll`. */
export async function endServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.kill()));
  running.clear();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

/** Runs the program to its end with other arguments than `serve`. */
export async function runParley(args: string[], env: Environment = {}, command: string[] = PARLEY) {
  const settings = env.DATA_DIR === undefined ? {} : await settingsOf(env.DATA_DIR);
  const child = Bun.spawn([...command, ...args], {
    cwd: ROOT,
    env: environment({ ...settings, ...env }),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [code, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, stdout, stderr };
}

function settingsOf(dataDir: string): Environment | Promise<Environment> {
  return onSqlite ? {} : engineSettings(dataDir, onCluster);
}
