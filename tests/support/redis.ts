import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Subprocess } from 'bun';
import { fixedPort } from './ports.ts';
import { canTest } from './untested.ts';

/**
 * A real Redis of the test's own, from the machine's package, on a free port of the loopback. It ends with the tests. Its
 * settings are those of compose.yaml, so that Parley has no more rights there than it needs; unless a test asks for others.
 */

const START_MS = 10_000;

export interface RedisServerOptions {
  /** What the user that Redis has by itself must say, who may then do everything; '': nothing. Without it, as in compose.yaml. */
  password?: string;
}

const TEMPLATE = join(import.meta.dir, '../../configs/redis.conf.template');
/** The user of the template. */
const USERNAME = 'parley';
/** A user that tests have beside it. */
const OPERATOR = 'operator';

export function findRedis(): string | undefined {
  return Bun.which('redis-server') ?? ['/usr/bin/redis-server'].find((path) => existsSync(path));
}

/** Whether what needs Redis can be tested here; says so loudly where it cannot. */
export function canTestRedis(what: string): boolean {
  return canTest(what, findRedis() ? undefined : 'Redis is not installed (Debian: apt-get install redis-server)');
}

/** Stops the server when who asked for it, and holds its standard input, has ended, by will or by a crash. */
const JANITOR = `
trap '' INT TERM HUP
cat > /dev/null
if pid=$(cat "$1/pid" 2> /dev/null); then kill -KILL "$pid" 2> /dev/null; fi
rm -rf "$1"
`;

export class TestRedis {
  readonly port = fixedPort();
  private process: Subprocess<'ignore', 'pipe', 'ignore'> | undefined;

  private constructor(
    private readonly bin: string,
    private readonly folder: string,
    private readonly access: { username: string; password: string },
    private readonly janitor: Subprocess<'pipe', 'ignore', 'ignore'>,
  ) {}

  /** Starts a server, empty. Fails where Redis is not installed. */
  static async start(options: RedisServerOptions = {}): Promise<TestRedis> {
    const bin = findRedis();
    if (!bin) throw new Error('Redis is not installed');
    const folder = mkdtempSync(join(tmpdir(), 'parley-redis-'));
    const janitor = Bun.spawn(['sh', '-c', JANITOR, 'sh', folder], {
      stdin: 'pipe',
      stdout: 'ignore',
      stderr: 'ignore',
    });
    janitor.unref();
    const { password } = options;
    const access =
      password === undefined
        ? { username: USERNAME, password: Bun.randomUUIDv7().replaceAll('-', '') }
        : { username: '', password };
    const redis = new TestRedis(bin, folder, access, janitor);
    await redis.launch();
    return redis;
  }

  get addr(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** What a Parley needs in its environment to use this server; each `prefix` is a world of its own. */
  environment(prefix = 'parley:'): Record<string, string> {
    const { username, password } = this.access;
    return { REDIS_ADDR: this.addr, REDIS_USERNAME: username, REDIS_PASSWORD: password, REDIS_PREFIX: prefix };
  }

  /** All of it as one address, with the rights that a Parley has. */
  get url(): string {
    const { username, password } = this.access;
    return `redis://${username}:${encodeURIComponent(password)}@${this.addr}`;
  }

  /** The same for somebody who may do everything, which a Parley may not. */
  get operatorUrl(): string {
    return `redis://${OPERATOR}:${encodeURIComponent(this.access.password)}@${this.addr}`;
  }

  get pid(): number {
    if (!this.process) throw new Error('Redis does not run');
    return this.process.pid;
  }

  /** Ends the server and all that it holds, as a crash does. */
  async kill(): Promise<void> {
    this.process?.kill('SIGKILL');
    await this.process?.exited;
    this.process = undefined;
  }

  /** Starts it again at the same address, empty. */
  async restart(): Promise<void> {
    await this.kill();
    await this.launch();
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.janitor.stdin.end();
    await this.janitor.exited;
  }

  private async launch(): Promise<void> {
    // Nothing is kept: it begins empty, whatever it held before.
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', ''];
    const own = ['--appendonly', 'no', '--pidfile', join(this.folder, 'pid'), '--databases', '64'];
    const child = Bun.spawn([this.bin, ...this.settings(), ...args, ...own], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'ignore',
    });
    child.unref();
    this.process = child;
    const ready = Promise.withResolvers<void>();
    const timer = setTimeout(() => ready.reject(new Error('Redis did not start in time')), START_MS);
    void this.watch(child.stdout, () => ready.resolve());
    void child.exited.then((code) => ready.reject(new Error(`Redis ended with ${code}`)));
    await ready.promise.finally(() => clearTimeout(timer));
  }

  private settings(): string[] {
    const { username, password } = this.access;
    if (username === '') return password === '' ? [] : ['--requirepass', password];
    const path = join(this.folder, 'redis.conf');
    const settings = readFileSync(TEMPLATE, 'utf8').replaceAll(/\$\{REDIS_PASSWORD\}/g, password);
    const operator = `user ${OPERATOR} on >${password} allkeys allchannels +@all\n`;
    writeFileSync(path, settings + operator, { mode: 0o600 });
    return [path];
  }

  private async watch(stream: ReadableStream<Uint8Array>, onReady: () => void): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of stream) {
      text = (text + decoder.decode(chunk, { stream: true })).slice(-10_000);
      if (text.includes('Ready to accept connections')) onReady();
    }
  }
}

let shared: Promise<TestRedis> | undefined;
let worlds = 0;

/** One Redis for all files of a run, started when it is first asked for, and a prefix that nobody else has. */
export async function sharedRedis(): Promise<{ redis: TestRedis; prefix: string }> {
  shared ??= TestRedis.start();
  return { redis: await shared, prefix: `parley:${++worlds}:` };
}
