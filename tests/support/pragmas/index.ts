import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Environment, startServer, type TestServer, temporaryFolder } from '../server.ts';

/** A server whose writer runs other pragmas than it should; they can be replaced while it runs. */
export interface AlteredServer {
  server: TestServer;
  setPragmas(pragmas: string): void;
}

/** `prefix` is put before its command. */
export async function startServerWithPragmas(
  pragmas: string,
  { env = {}, prefix = [] }: { env?: Environment; prefix?: string[] } = {},
): Promise<AlteredServer> {
  const file = join(temporaryFolder(), 'pragmas.sql');
  const setPragmas = (text: string) => writeFileSync(file, text);
  setPragmas(pragmas);
  const command = [...prefix, process.execPath, join(import.meta.dir, 'main.ts')];
  return { server: await startServer({ ...env, TEST_PRAGMAS: file }, command), setPragmas };
}
