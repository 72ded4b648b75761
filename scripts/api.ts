/**
 * Writes api/: the OpenAPI and the AsyncAPI document as a server of this code answers them, and TypeScript types of the
 * calls. With `--check` it writes nothing, and fails where one of the files is not what the code says.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { startApp } from '../server/app.ts';
import { loadConfig } from '../server/config/config.ts';
import { createLogger } from '../server/shared/logger.ts';

const FOLDER = join(import.meta.dir, '../api');
const BIOME = join(import.meta.dir, '../node_modules/.bin/biome');
const MADE = '// Made by `make api` from openapi.json: change the routes, not this file.\n\n';

const made = await makeFiles();
if (process.argv.includes('--check')) await check(made);
else await write(made);

/** The text of each file, by its name. */
async function makeFiles(): Promise<Map<string, string>> {
  const { openapi, asyncapi } = await documents();
  const types = MADE + astToString(await openapiTS(openapi));
  const texts = {
    'openapi.json': JSON.stringify(openapi),
    'asyncapi.json': JSON.stringify(asyncapi),
    'types.ts': types,
  };
  return new Map(
    await Promise.all(Object.entries(texts).map(async ([name, text]) => [name, await format(name, text)] as const)),
  );
}

/** Asks a server of its own, in memory and on a free port. */
async function documents(): Promise<{ openapi: OpenAPI3; asyncapi: object }> {
  const config = loadConfig({ DATA_DIR: ':memory:', SERVER_HOST: '127.0.0.1', SERVER_PORT: '0', LOG_LEVEL: 'silent' });
  const app = await startApp(config, createLogger(config.monitoring), (error) => {
    throw error;
  });
  const get = async (name: string) => (await fetch(`${app.address.url}/api/v1/${name}.json`)).json();
  try {
    return { openapi: await get('openapi'), asyncapi: await get('asyncapi') };
  } finally {
    await app.stop();
  }
}

/** As every other file of the project. */
async function format(name: string, text: string): Promise<string> {
  const command = [BIOME, 'format', `--stdin-file-path=api/${name}`];
  const process = Bun.spawn(command, { stdin: new Blob([text]), stdout: 'pipe', stderr: 'inherit' });
  const formatted = await new Response(process.stdout).text();
  if ((await process.exited) !== 0) throw new Error(`${name} could not be formatted`);
  return formatted;
}

async function write(files: Map<string, string>): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  for (const [name, text] of files) await Bun.write(join(FOLDER, name), text);
}

async function check(files: Map<string, string>): Promise<void> {
  for (const [name, text] of files) {
    const file = Bun.file(join(FOLDER, name));
    if ((await file.exists()) && (await file.text()) === text) continue;
    console.error(`api/${name} is not what the code says: run make api, and commit it`);
    process.exitCode = 1;
  }
}
