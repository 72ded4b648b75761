import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Subprocess } from 'bun';
import { sharedPostgres } from './postgres.ts';

/**
 * The program as a user starts it: a process of its own, on a free port, with its data in a temporary folder. With
 * TEST_DATABASE=postgres each has a database of its own in one PostgreSQL beside that.
 */

const ROOT = join(import.meta.dir, '../..');
/** From the start of the process to its first answer; generous, for a busy machine. */
const START_MS = 15_000;

export type Environment = Record<string, string>;

export interface LogLine {
  msg: string;
  [field: string]: unknown;
}

/** The command line of the program. */
export const PARLEY = [process.execPath, join(ROOT, 'server/main.ts')];

/** The environment of a test's process: this one's, without what a developer set for their own Parley. */
export function environment(overrides: Environment): Environment {
  const { PATH = '', HOME = '' } = process.env;
  return {
    PATH,
    HOME,
    ENV: 'dev',
    LOG_FORMAT: 'json',
    RATE_LIMITS: 'off',
    SERVER_HOST: '127.0.0.1',
    SERVER_PORT: '0',
    ...overrides,
  };
}

export class TestServer {
  url = '';
  /** All that was logged, and all that was written to stderr. */
  readonly lines: LogLine[] = [];
  errors = '';
  private process!: Subprocess<'ignore', 'pipe', 'pipe'>;
  private reading: Promise<unknown> = Promise.resolve();

  constructor(
    readonly dataDir: string,
    private readonly env: Environment,
    private readonly command: string[],
  ) {}

  get pid(): number {
    return this.process.pid;
  }

  /** `ws://…/ws` */
  get socketUrl(): string {
    return `${this.url.replace('http', 'ws')}/ws`;
  }

  /** Starts the process, or starts it again on the same data; resolves when it listens. */
  async start(): Promise<void> {
    this.process = Bun.spawn([...this.command, 'serve'], {
      cwd: ROOT,
      env: environment({ DATA_DIR: this.dataDir, ...this.env }),
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const listening = Promise.withResolvers<string>();
    const timer = setTimeout(() => listening.reject(new Error('the server did not listen in time')), START_MS);
    this.reading = Promise.all([
      this.readLog(this.process.stdout, (line) => {
        if (line.msg === 'listening') listening.resolve(String(line.url));
      }),
      this.readErrors(this.process.stderr),
    ]);
    void this.process.exited.then((code) =>
      listening.reject(new Error(`the server ended with ${code}: ${this.errors}${JSON.stringify(this.lines.at(-1))}`)),
    );
    try {
      this.url = await listening.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks it to stop and resolves with its exit code. */
  async stop(signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<number> {
    this.process.kill(signal);
    const code = await this.process.exited;
    await this.reading;
    return code;
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
    await this.reading;
  }

  /** Resident memory, in bytes. */
  async memory(): Promise<number> {
    const status = await Bun.file(`/proc/${this.pid}/status`).text();
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  private async readLog(stream: ReadableStream<Uint8Array>, onLine: (line: LogLine) => void): Promise<void> {
    for await (const text of linesOf(stream)) {
      if (!text.startsWith('{')) continue;
      const line = JSON.parse(text) as LogLine;
      this.lines.push(line);
      onLine(line);
    }
  }

  private async readErrors(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of linesOf(stream)) this.errors += `${text}\n`;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== '') yield rest;
}

const running = new Set<TestServer>();
const folders = new Set<string>();

/** A folder that is gone when the tests are over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-test-'));
  folders.add(folder);
  return folder;
}

/** The engine that this run is on. A test of SQLite's own file or threads is registered on SQLite only. */
export const onSqlite = process.env.TEST_DATABASE !== 'postgres';

/** Which database belongs to a data folder in this run. */
const databases = new Map<string, Promise<string>>();

/** The settings of the run's engine for a data folder: what is started on the folder again finds its data again. */
async function engineSettings(dataDir: string): Promise<Environment> {
  if (onSqlite) return {};
  let url = databases.get(dataDir);
  if (!url || dataDir === ':memory:') {
    url = sharedPostgres().then((postgres) => postgres.createDatabase());
    databases.set(dataDir, url);
  }
  return { DATABASE_URL: await url };
}

/** Starts a server of the test's own. `env` overrides settings; limits are off unless it says otherwise. */
export async function startServer(env: Environment = {}, command: string[] = PARLEY): Promise<TestServer> {
  const dataDir = env.DATA_DIR ?? temporaryFolder();
  const server = new TestServer(dataDir, { ...(await engineSettings(dataDir)), ...env }, command);
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
export async function runParley(args: string[], env: Environment = {}) {
  const settings = env.DATA_DIR === undefined ? {} : await engineSettings(env.DATA_DIR);
  const child = Bun.spawn([...PARLEY, ...args], {
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
