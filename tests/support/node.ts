import { join } from 'node:path';
import type { Subprocess } from 'bun';

export const ROOT = join(import.meta.dir, '../..');
/** From the start of the process to its first answer; generous, for a busy machine. */
const START_MS = 60_000;

export type Environment = Record<string, string>;

export interface LogLine {
  msg: string;
  [field: string]: unknown;
}

/** What a test talks to: one process, or several that are one server to their clients. */
export interface TestServer {
  readonly dataDir: string;
  /** Where its PostgreSQL is; undefined on SQLite. */
  readonly databaseUrl: string | undefined;
  /** Where to ask. Of a cluster each look names the next node, so that nobody stays with one. */
  readonly url: string;
  /** `ws://…/ws`, in the same way. */
  readonly socketUrl: string;
  /** Its processes. */
  readonly nodes: readonly TestNode[];
  /** All that was logged, and all that was written to stderr. */
  readonly lines: LogLine[];
  readonly errors: string;
  /** Starts it again on the same data; resolves when it listens. */
  start(): Promise<void>;
  /** Asks it to stop and resolves with its exit code, the highest of several. */
  stop(signal?: 'SIGTERM' | 'SIGINT'): Promise<number>;
  /** Ends it without warning. */
  kill(): Promise<void>;
  /** Resident memory, in bytes, of all its processes. */
  memory(): Promise<number>;
}

/** The command line of the program: its source, or the executable that TEST_PROGRAM names. */
export const PARLEY = process.env.TEST_PROGRAM
  ? [process.env.TEST_PROGRAM]
  : [process.execPath, join(ROOT, 'server/main.ts')];

/** The environment of a test's process: this one's, without what a developer set for their own Parley. */
export function environment(overrides: Environment): Environment {
  const { PATH = '', HOME = '' } = process.env;
  return {
    PATH,
    HOME,
    ENV: 'dev',
    LOG_FORMAT: 'json',
    RATE_LIMITS: 'off',
    MONITORING_INTERVAL: '0ms', // a test reads what it has just done
    SERVER_HOST: '127.0.0.1',
    SERVER_PORT: '0',
    ...overrides,
  };
}

/** One process of the program. */
export class TestNode implements TestServer {
  url = '';
  /** All that was logged, and all that was written to stderr. */
  readonly lines: LogLine[] = [];
  errors = '';
  /** From its start until its end, by will or not. */
  isRunning = false;
  private process!: Subprocess<'ignore', 'pipe', 'pipe'>;
  private reading: Promise<unknown> = Promise.resolve();

  constructor(
    readonly dataDir: string,
    private readonly env: Environment,
    private readonly command: string[],
  ) {}

  get nodes(): readonly TestNode[] {
    return [this];
  }

  get databaseUrl(): string | undefined {
    return this.env.DATABASE_URL;
  }

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
    const { exited } = this.process;
    this.isRunning = true;
    const listening = Promise.withResolvers<string>();
    const timer = setTimeout(
      () => listening.reject(new Error(`the server did not listen in time: ${this.lastWords()}`)),
      START_MS,
    );
    this.reading = Promise.all([
      this.readLog(this.process.stdout, (line) => {
        if (line.msg === 'listening') listening.resolve(String(line.url));
      }),
      this.readErrors(this.process.stderr),
    ]);
    void exited.then((code) => {
      this.isRunning = false;
      listening.reject(new Error(`the server ended with ${code}: ${this.lastWords()}`));
    });
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

  private lastWords(): string {
    return `${this.errors}${JSON.stringify(this.lines.at(-1))}`;
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
