import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Subprocess } from 'bun';
import pg from 'pg';
import { fixedPort } from './ports.ts';
import { canTest } from './untested.ts';

/**
 * A real PostgreSQL of the test's own, from the machine's package: a cluster in a temporary folder, on a free port of
 * the loopback. It is gone when the tests are, however they end.
 */

/** Where Debian and others put the programs, which are not in the PATH. */
const PACKAGES = '/usr/lib/postgresql';
/** From the start of the process until it takes connections, recovery after a crash included. */
const START_MS = 30_000;
/** The superuser of the cluster, and the user that Parley is, who may do no more than in compose.yaml. */
const SUPERUSER = 'postgres';
const USER = 'parley';

export interface PostgresOptions {
  /** Lines of postgresql.conf, such as `{ fsync: 'off' }`. */
  settings?: Record<string, string>;
  /** Whether it is as it is when it was just made, with its superuser alone. */
  bare?: boolean;
}

/** The folder of PostgreSQL's programs, of the newest version there is; undefined where it is not installed. */
export function findPostgres(): string | undefined {
  const versions = existsSync(PACKAGES) ? readdirSync(PACKAGES).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(PACKAGES, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** Whether what needs PostgreSQL can be tested here; says so loudly where it cannot. */
export function canTestPostgres(what: string): boolean {
  return canTest(what, findPostgres() ? undefined : 'PostgreSQL is not installed (Debian: apt-get install postgresql)');
}

/**
 * Outlives the process that asked for the cluster, which holds its standard input: when that ends, by will or by a crash,
 * the server is stopped and the folder removed.
 */
const JANITOR = `
trap '' INT TERM HUP
cat > /dev/null
if pid=$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null); then
  kill -QUIT "$pid" 2> /dev/null
  while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
fi
rm -rf "$1"
`;

export class TestPostgres {
  readonly port = fixedPort();
  /** All that the server wrote. */
  log = '';
  private process: Subprocess<'ignore', 'ignore', 'pipe'> | undefined;
  private databases = 0;

  private constructor(
    private readonly bin: string,
    private readonly folder: string,
    private readonly password: string,
    private readonly janitor: Subprocess<'pipe', 'ignore', 'ignore'>,
  ) {}

  /** Makes a cluster and starts it. Fails where PostgreSQL is not installed. */
  static async start({ settings = {}, bare = false }: PostgresOptions = {}): Promise<TestPostgres> {
    const bin = findPostgres();
    if (!bin) throw new Error('PostgreSQL is not installed');
    const folder = mkdtempSync(join(tmpdir(), 'parley-postgres-'));
    const janitor = Bun.spawn(['sh', '-c', JANITOR, 'sh', folder], {
      stdin: 'pipe',
      stdout: 'ignore',
      stderr: 'ignore',
    });
    janitor.unref();
    const password = Bun.randomUUIDv7().replaceAll('-', '');
    const postgres = new TestPostgres(bin, folder, password, janitor);
    await postgres.initialize(settings);
    await postgres.launch();
    const rights = 'login nosuperuser nocreatedb nocreaterole noreplication nobypassrls';
    if (!bare) await postgres.query(`create role ${USER} ${rights} password '${password}'`);
    return postgres;
  }

  /** The process of the server, which stands above one for each connection. */
  get pid(): number {
    return Number(readFileSync(join(this.folder, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** `port` is another where something stands between. */
  url(database = 'postgres', port = this.port, user = USER): string {
    return `postgres://${user}:${this.password}@127.0.0.1:${port}/${database}`;
  }

  /** The same for the cluster's owner. */
  get superuserUrl(): string {
    return this.url(undefined, this.port, SUPERUSER);
  }

  /** Makes an empty database and answers its URL. */
  async createDatabase(): Promise<string> {
    const name = `parley_${++this.databases}`;
    await this.query(`create database ${name} owner ${USER} template template0`);
    return this.url(name);
  }

  /** Runs a statement as the cluster's owner, in the database `postgres` or another. */
  async query<Row extends pg.QueryResultRow>(sql: string, database?: string): Promise<Row[]> {
    const name = database && new URL(database).pathname.slice(1);
    const url = this.url(name, this.port, SUPERUSER);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Changes a line of postgresql.conf, for the next start. */
  configure(settings: Record<string, string>): void {
    const path = join(this.folder, 'data/postgresql.conf');
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
    writeFileSync(path, readFileSync(path, 'utf8') + lines.join(''));
  }

  /** Ends the server: `SIGINT` in order, `SIGKILL` as a crash does. Resolves when its process is gone. */
  async kill(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    if (!this.process) return;
    process.kill(this.pid, signal);
    await this.process.exited;
    this.process = undefined;
  }

  /** Ends all of the server's processes at once, as when the machine goes dark; `restart` brings it back. */
  async crash(): Promise<void> {
    const { pid } = this;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
    for (const one of [pid, ...children]) {
      try {
        process.kill(one, 'SIGKILL');
      } catch {
        // A connection's process that has just ended by itself.
      }
    }
    await this.process?.exited;
    this.process = undefined;
  }

  /** Starts the server again at the same address, on the same data. */
  async restart(): Promise<void> {
    await this.kill('SIGINT');
    await this.launch();
  }

  /** Ends the server and removes its data. */
  async stop(): Promise<void> {
    await this.janitor.stdin.end();
    await this.janitor.exited;
  }

  /** What an operator runs, such as `pg_ctl promote`: resolves when it ended well. */
  async run(program: string, ...args: string[]): Promise<void> {
    const command = [...asServer(), join(this.bin, program), ...args];
    const child = Bun.spawn(command, { cwd: this.folder, stdout: 'pipe', stderr: 'pipe' });
    const [code, out, errors] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if (code !== 0) throw new Error(`${program} ended with ${code}: ${errors || out}`);
  }

  get dataFolder(): string {
    return join(this.folder, 'data');
  }

  private async initialize(settings: Record<string, string>): Promise<void> {
    const owner = serverUser();
    const passwordFile = join(this.folder, 'password');
    writeFileSync(passwordFile, this.password, { mode: 0o600 });
    if (owner) {
      chownSync(this.folder, owner.uid, owner.gid);
      chownSync(passwordFile, owner.uid, owner.gid);
    }
    // An order of letters that is not the bytes' own, as most installations have it: what needs bytes has to say so.
    const locale = ['--locale=C.UTF-8', ...(this.knowsIcu() ? ['--locale-provider=icu', '--icu-locale=en'] : [])];
    const access = ['-U', SUPERUSER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    await this.run('initdb', '-D', 'data', '--no-sync', '--encoding=UTF8', ...locale, ...access);
    this.configure({
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: '',
      max_connections: '400',
      ...settings,
    });
  }

  /** Whether a cluster can have its order of letters from ICU: version 15 and newer. */
  private knowsIcu(): boolean {
    return Bun.spawnSync([join(this.bin, 'initdb'), '--help']).stdout.includes('--locale-provider');
  }

  /** A crash's processes may linger for a moment and hold the shared memory: then it is tried again. */
  private async launch(): Promise<void> {
    const deadline = Date.now() + START_MS;
    while (!(await this.tryLaunch(deadline))) {
      if (Date.now() > deadline) throw new Error(`PostgreSQL did not start: ${this.log.slice(-2000)}`);
      await Bun.sleep(50);
    }
  }

  private async tryLaunch(deadline: number): Promise<boolean> {
    const command = [...asServer(), join(this.bin, 'postgres'), '-D', join(this.folder, 'data')];
    const child = Bun.spawn(command, {
      cwd: this.folder,
      env: { ...process.env, LC_MESSAGES: 'C' },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    });
    child.unref();
    const ready = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => ready.resolve(false), deadline - Date.now());
    void this.read(child.stderr, (line) => {
      if (/ready to accept (read-only )?connections/.test(line)) ready.resolve(true);
    });
    void child.exited.then(() => ready.resolve(false));
    const started = await ready.promise;
    clearTimeout(timer);
    if (started) this.process = child;
    return started;
  }

  private async read(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        this.log += `${line}\n`;
        onLine(line);
      }
    }
  }
}

/** PostgreSQL refuses to run as root: then it runs as the user of its package, or as nobody. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((one) => one.startsWith(`${name}:`));
    const [, , uid, gid] = line?.split(':') ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('there is no user to run PostgreSQL as');
}

function asServer(): string[] {
  const user = serverUser();
  return user ? ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
}

let shared: Promise<TestPostgres> | undefined;

/** One PostgreSQL for all files of a run, started when it is first asked for. */
export function sharedPostgres(): Promise<TestPostgres> {
  shared ??= TestPostgres.start();
  return shared;
}
