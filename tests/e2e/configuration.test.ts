import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { request, signUp, signUpAll } from '../support/people.ts';
import {
  type Environment,
  endServers,
  onSqlite,
  runParley,
  startServer,
  type TestServer,
  temporaryFolder,
} from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

const SECRET = 'the-secret-that-signs-the-tokens-of-these-tests';
/** A test of SQLite's own file. */
const ifSqlite = (name: string, run: () => Promise<void>) => {
  if (onSqlite) test(name, run);
};
/** The permissions of a file, without its kind. */
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

/** The start fails at once, and says why in one line, which is returned. */
async function failsToStart(env: Environment): Promise<string> {
  const { code, stdout, stderr } = await runParley(['serve'], { DATA_DIR: temporaryFolder(), ...env });
  expect(code).not.toBe(0);
  expect(stdout).not.toContain('listening');
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(stderr).toStartWith('parley: ');
  return stderr;
}

describe('a wrong setting stops the start with one line that names it:', () => {
  const wrong: [string, string][] = [
    ['ENV', 'production'],
    ['ROLES', ''],
    ['ROLES', 'api,workers'],
    ['SERVER_PORT', 'http'],
    ['SERVER_PORT', '65536'],
    ['SERVER_PORT', '-1'],
    ['SERVER_HOST', 'no such host'],
    ['PUBLIC_URL', 'chat.example.com'],
    ['PUBLIC_URL', 'https://chat.example.com/path'],
    ['PUBLIC_URL', 'http://['],
    ['TRUST_PROXY', 'proxy.example.com'],
    ['TRUST_PROXY', '10.0.0.0/99'],
    ['CORS_ORIGINS', 'https://a.example/path'],
    ['CORS_ORIGINS', '*'],
    ['CONNECTIONS_PER_ADDRESS', '0'],
    ['SHUTDOWN_TIMEOUT', '8'],
    ['DATA_DIR', ''],
    ...(onSqlite ? [['DATA_DIR', '/dev/null'] as [string, string]] : []),
    ['SQLITE_READERS', '0'],
    ['DATABASE_URL', 'mysql://user:hidden-word@127.0.0.1/parley'],
    ['DATABASE_URL', 'postgres://'],
    ['DATABASE_URL', 'postgres://user:hidden-word@127.0.0.1:1/parley'],
    ['DATABASE_POOL_SIZE', '3'],
    ['JWT_SECRET', 'too short'],
    ['JWT_SECRET', 'a'.repeat(64)],
    ['JWT_SECRET', 'changeme-changeme-changeme-changeme'],
    ['JWT_SECRET_PREVIOUS', 'too short'],
    ['JWT_SECRET_PREVIOUS', '0123456789'.repeat(5)],
    ['WEBHOOK_SECRET', 'a'.repeat(64)],
    ['METRICS_TOKEN', 'secret'],
    ['JWT_ACCESS_EXPIRY', '15'],
    ['JWT_ACCESS_EXPIRY', '0s'],
    ['JWT_REFRESH_EXPIRY', 'a week'],
    ['SESSION_MAX_AGE', '-1h'],
    ['PASSWORD_HASH', 'md5'],
    ['PASSWORD_HASH_CONCURRENCY', 'two'],
    ['DISCOVER_BY_EMAIL', 'maybe'],
    ['MAX_MESSAGE_LENGTH', '0'],
    ['MAX_GROUP_SIZE', '1'],
    ['LOG_QUEUE_LIMIT', '1'],
    ['WS_QUERY_TOKEN', 'no'],
    ['WS_HEARTBEAT', '1ms'],
    ['WEBHOOK_EVENTS', 'message.created,message.read'],
    ['WEBHOOK_EVENTS', ''],
    ['RATE_LIMITS', 'sometimes'],
    ['LIMIT_REGISTER', '30'],
    ['LIMIT_LOGIN', '0/1m'],
    ['LIMIT_LOGIN_ACCOUNT', '3 a minute'],
    ['LIMIT_LOGIN_ACCOUNT_STRANGERS', '300'],
    ['LIMIT_REFRESH', '3/1ms'],
    ['LIMIT_EMAIL_LOOKUP', 'off'],
    ['LIMIT_READS', '50'],
    ['LIMIT_MESSAGES', '/1s'],
    ['LIMIT_CONVERSATIONS', '1/'],
    ['LIMIT_INVITATIONS', '-1/1m'],
    ['LIMIT_PROFILE', '60 in 5m'],
    ['LIMIT_PRESENCE', '1/1x'],
    ['LOG_LEVEL', 'loud'],
    ['LOG_FORMAT', 'xml'],
    ['CONFIG_FILE', '/no/such/file.yaml'],
  ];

  test.concurrent.each(wrong)('%s=%s', async (name, value) => {
    const said = await failsToStart({ [name]: value });
    expect(said).toContain(name);
    if (/SECRET|TOKEN/.test(name) && name !== 'WS_QUERY_TOKEN') expect(said.replaceAll(name, '')).not.toContain(value);
    expect(said).not.toContain('hidden-word');
  });

  test('in a file too, where a setting that does not exist is one as well', async () => {
    const folder = temporaryFolder();
    const write = (text: string) => {
      const path = join(folder, 'config.yaml');
      writeFileSync(path, text);
      return path;
    };
    expect(await failsToStart({ CONFIG_FILE: write('auth:\n  password_hash: md5\n') })).toContain('auth.password_hash');
    expect(await failsToStart({ CONFIG_FILE: write('auth:\n  pasword_hash: bcrypt\n') })).toContain(
      'auth.pasword_hash',
    );
    expect(await failsToStart({ CONFIG_FILE: write('auth: yes\n') })).toContain('auth');
    expect(await failsToStart({ CONFIG_FILE: write('auth: [\n') })).toContain('config.yaml');
  });

  test('a missing secret in prod', async () => {
    expect(await failsToStart({ ENV: 'prod' })).toContain('JWT_SECRET');
    const prod = await startServer({ ENV: 'prod', JWT_SECRET: SECRET });
    expect((await request(prod, 'GET', '/health')).status).toBe(200);
    expect(existsSync(join(prod.dataDir, 'jwt-secret'))).toBe(false);
  });

  test('a kept secret that is none', async () => {
    const DATA_DIR = temporaryFolder();
    writeFileSync(join(DATA_DIR, 'jwt-secret'), 'short\n');
    expect(await failsToStart({ DATA_DIR })).toContain('jwt-secret');
  });
});

describe('a server that could only half run does not start, and says why in one line:', () => {
  /** The start is refused, not wrong: nothing is to be mended in the settings. Returns what was said. */
  async function isRefused(env: Environment): Promise<string> {
    const { code, stdout, stderr } = await runParley(['serve'], env);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toStartWith('parley: ');
    return stderr;
  }

  test.each(['127.0.0.1', '0.0.0.0'])('another program has its port, and it asks for %s', async (SERVER_HOST) => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    const DATA_DIR = join(temporaryFolder(), 'untouched');
    expect(await isRefused({ DATA_DIR, SERVER_HOST, SERVER_PORT: String(port) })).toContain('SERVER_PORT');
    expect(existsSync(DATA_DIR)).toBe(false);
    other.close();
  });

  test('another Parley has its port, and keeps all of its connections', async () => {
    const server = await startServer();
    const { port } = new URL(server.url);
    expect(await isRefused({ DATA_DIR: temporaryFolder(), SERVER_PORT: port })).toContain(port);
    const person = await signUp(server);
    for (let time = 0; time < 20; time++) expect((await person.call('GET', '/auth/me')).status).toBe(200);
  });

  test('its host is a name of no machine', async () => {
    const said = await failsToStart({ SERVER_HOST: 'parley.invalid' });
    expect(said).toContain('parley.invalid');
    expect(said).not.toContain('taken');
  });

  ifSqlite('another server runs on its data folder, until that one ends, by SIGKILL too', async () => {
    const server = await startServer();
    const { dataDir: DATA_DIR } = server;
    expect(await isRefused({ DATA_DIR })).toContain(DATA_DIR);
    const link = join(temporaryFolder(), 'another-name');
    symlinkSync(DATA_DIR, link);
    expect(await isRefused({ DATA_DIR: link })).toContain('DATA_DIR');
    // The command line works beside it, and takes nothing from it.
    expect((await runParley(['migrate', 'status'], { DATA_DIR })).code).toBe(0);
    expect(await isRefused({ DATA_DIR })).toContain(DATA_DIR);
    await server.kill();
    await server.start();
    expect((await request(server, 'GET', '/health')).status).toBe(200);
    expect(await server.stop()).toBe(0);
    await server.start();
  });
});

describe('who reaches it', () => {
  const prod = { ENV: 'prod', JWT_SECRET: SECRET };
  /** Whether it answers at another address of this machine than the one that nobody else reaches. */
  const isOpen = async (server: TestServer) => {
    const { port } = new URL(server.nodes[0]!.url);
    return fetch(`http://127.0.0.2:${port}/api/v1/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  const openTo = (server: TestServer) => server.lines.find(({ msg }) => msg === 'listening')!.open_to;
  const warned = (server: TestServer) => server.lines.filter(({ level }) => Number(level) >= 40).map(({ msg }) => msg);

  test.concurrent.each([
    [{ ENV: 'local' }, false],
    [{ ENV: 'dev' }, false],
    [prod, true],
    [{ ENV: 'local', SERVER_HOST: '0.0.0.0' }, true],
    [{ ...prod, SERVER_HOST: '127.0.0.1' }, false],
  ] as [Environment, boolean][])('with %p: others too, %p', async (env, open) => {
    const server = await startServer({ SERVER_HOST: 'auto', ...env });
    expect(await isOpen(server)).toBe(open);
    expect(openTo(server)).toBe(open ? 'whoever reaches this machine (0.0.0.0)' : 'this machine');
    expect(warned(server).some((line) => line.includes('is for trying out'))).toBe(open && env.ENV !== 'prod');
    const welcomed = server.errors.includes('Parley');
    expect(welcomed).toBe(env.ENV === 'local');
    if (welcomed) expect(server.errors.includes('SERVER_HOST=0.0.0.0')).toBe(!open);
    // A Prometheus that is somewhere else does not read it, open or not.
    const forwarded = { headers: { 'X-Forwarded-For': '198.51.100.1' } };
    expect((await fetch(`${server.nodes[0]!.url}/metrics`, forwarded)).status).toBe(403);
  });
});

describe('behind a proxy with TLS that the settings do not name, prod', () => {
  const prod = { ENV: 'prod', JWT_SECRET: SECRET };
  const proxyWarnings = (server: TestServer) =>
    server.lines.filter(({ msg, level }) => Number(level) === 40 && msg.includes('TRUST_PROXY')).map(({ msg }) => msg);
  /** Resolves when what the server had to say of it is read, too. */
  const ask = async (server: TestServer, headers: Record<string, string>) => {
    const id = (await request(server, 'GET', '/health', { headers })).headers.get('x-request-id');
    await eventually('logged', async () => server.lines.some(({ request_id }) => request_id === id));
  };

  test.concurrent.each([
    { 'X-Forwarded-Proto': 'https' },
    { 'X-Forwarded-For': '198.51.100.1' },
    { Forwarded: 'for=198.51.100.1;proto=https' },
    { Origin: 'https://chat.example.com', Host: 'chat.example.com' },
  ] as Record<string, string>[])('says so in one line, once: %p', async (headers) => {
    const server = await startServer(prod);
    await ask(server, {});
    expect(proxyWarnings(server)).toEqual([]);
    for (let count = 0; count < 3; count++) await ask(server, headers);
    expect(proxyWarnings(server)).toHaveLength(1);
    expect(proxyWarnings(server)[0]).toMatch(/^!!! .*127\.0\.0\.1.* PUBLIC_URL/);
  });

  test('says nothing where it is named, nor outside prod; PUBLIC_URL alone is not enough for limits', async () => {
    const headers = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '198.51.100.1' };
    const [named, local, half] = await Promise.all([
      startServer({ ...prod, TRUST_PROXY: 'loopback' }),
      startServer({ ENV: 'local' }),
      startServer({ ...prod, PUBLIC_URL: 'https://chat.example.com' }),
    ]);
    for (const server of [named, local, half]) await ask(server, headers);
    expect([proxyWarnings(named), proxyWarnings(local)]).toEqual([[], []]);
    expect(proxyWarnings(half)).toHaveLength(1);
    expect(proxyWarnings(half)[0]).not.toContain('PUBLIC_URL');
    expect(proxyWarnings(half)[0]).not.toContain('cookies');
  });

  test('sends Secure cookies where a proxy that counts says https, or PUBLIC_URL does, and nowhere else', async () => {
    const https = { 'X-Forwarded-Proto': 'https' };
    const isSecure = async (server: TestServer, headers: Record<string, string>) => {
      const { password, user } = await signUp(server);
      const answer = await request(server, 'POST', '/auth/login', { body: { email: user.email, password }, headers });
      const cookies = answer.headers.getSetCookie();
      expect(cookies).toHaveLength(3);
      return cookies.every((cookie) => /; Secure/i.test(cookie));
    };
    const [unnamed, named, published] = await Promise.all([
      startServer(prod),
      startServer({ ...prod, TRUST_PROXY: 'loopback' }),
      startServer({ ...prod, PUBLIC_URL: 'https://chat.example.com' }),
    ]);
    expect(await isSecure(unnamed, https)).toBe(false);
    expect(await isSecure(named, https)).toBe(true);
    expect(await isSecure(named, { 'X-Forwarded-Proto': 'http' })).toBe(false);
    expect(await isSecure(published, {})).toBe(true);
  });
});

test('a file gives settings, and the environment overrides them', async () => {
  const CONFIG_FILE = join(temporaryFolder(), 'config.yaml');
  writeFileSync(CONFIG_FILE, 'chat:\n  max_message_length: 10\nauth:\n  jwt_access_expiry: 5m\n');
  const server = await startServer({ CONFIG_FILE, JWT_ACCESS_EXPIRY: '2m' });
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  expect(alice.tokens.expires_in).toBe(120);
  const conversation = await alice.direct(bob);
  const send = (content: string) => alice.call('POST', `/conversations/${conversation}/messages`, { content });
  expect((await send('ten chars!')).status).toBe(201);
  expect((await send('eleven char')).status).toBe(400);
});

test('a secret may be in a file, and a wrong file stops the start', async () => {
  const folder = temporaryFolder();
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const JWT_SECRET_FILE = write('jwt', `${SECRET}\n`);
  const server = await startServer({ ENV: 'prod', JWT_SECRET_FILE });
  const person = await signUp(server);
  // The same secret, given the other way, knows the tokens that were signed with the file's.
  expect(await server.stop()).toBe(0);
  const other = await startServer({ ENV: 'prod', DATA_DIR: server.dataDir, JWT_SECRET: SECRET });
  expect((await request(other, 'GET', '/auth/me', { token: person.tokens.access_token })).status).toBe(200);

  expect(await failsToStart({ JWT_SECRET: SECRET, JWT_SECRET_FILE })).toContain('both given');
  expect(await failsToStart({ JWT_SECRET_FILE: write('empty', '\n') })).toContain('which is empty');
  expect(await failsToStart({ JWT_SECRET_FILE: join(folder, 'absent') })).toContain('ENOENT');
  const short = await failsToStart({ JWT_SECRET_FILE: write('short', 'too short') });
  expect(short).toContain('JWT_SECRET must have');
  expect(short).not.toContain('too short');
});

test('the made secret and the database are for their owner only, and survive a restart', async () => {
  const DATA_DIR = join(temporaryFolder(), 'made', 'here');
  const server = await startServer({ DATA_DIR });
  const person = await signUp(server);
  const secret = readFileSync(join(DATA_DIR, 'jwt-secret'), 'utf8');
  expect(secret.trim().length).toBeGreaterThanOrEqual(32);
  expect(modeOf(DATA_DIR)).toBe('700');
  for (const file of [
    'jwt-secret',
    ...(onSqlite ? ['parley.db', 'parley.db-wal', 'parley.db-shm', 'parley.lock'] : []),
  ]) {
    expect({ file, mode: modeOf(join(DATA_DIR, file)) }).toEqual({ file, mode: '600' });
  }
  expect(await server.stop()).toBe(0);

  await server.start();
  expect(readFileSync(join(DATA_DIR, 'jwt-secret'), 'utf8')).toBe(secret);
  expect((await person.call('GET', '/auth/me')).body).toEqual(person.user);
});

ifSqlite('the database is for its owner only in a folder that others may read', async () => {
  const DATA_DIR = join(temporaryFolder(), 'open');
  mkdirSync(DATA_DIR, { mode: 0o755 });
  expect((await runParley(['migrate', 'up'], { DATA_DIR })).code).toBe(0);
  expect(modeOf(join(DATA_DIR, 'parley.db'))).toBe('600');
});

test('without a secret of its own each installation makes another', async () => {
  const [one, other] = await Promise.all([startServer(), startServer()]);
  const person = await signUp(one);
  const answer = await request(other, 'GET', '/auth/me', { token: person.tokens.access_token });
  expect(answer.body.code).toBe('invalid_token');
});

ifSqlite('in memory everything works, groups as well, and nothing is left', async () => {
  const server = await startServer({ DATA_DIR: ':memory:' });
  const [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
  const socket = await bob.connect();
  const group = await alice.group([bob], 'In memory');
  await alice.send(group, 'hello');
  expect(await socket.next('message')).toMatchObject({ conversation_id: group, content: 'hello', seq: 2 });
  expect((await alice.call('POST', `/conversations/${group}/participants`, { user_ids: [carol.id] })).status).toBe(200);
  await socket.next('participant.joined');
  await Promise.all(Array.from({ length: 20 }, (_, n) => alice.send(group, `at once ${n}`)));
  expect((await carol.history(group)).map((message) => message.seq)).toEqual(
    Array.from({ length: 23 }, (_, n) => n + 1),
  );
  expect((await carol.call('DELETE', `/conversations/${group}/participants/${carol.id}`)).status).toBe(200);
  expect((await carol.call('GET', `/conversations/${group}`)).status).toBe(404);
  expect(await server.stop()).toBe(0);

  await server.start();
  expect((await alice.call('GET', '/auth/me')).status).toBe(401);
  await signUp(server);
  expect(existsSync(':memory:')).toBe(false);
});

describe('the schema', () => {
  test('goes up and down from the command line, and says where it stands', async () => {
    const DATA_DIR = temporaryFolder();
    const migrate = (direction: string) => runParley(['migrate', direction], { DATA_DIR });
    const pending = (await migrate('status')).stdout.trimEnd().split('\n');
    expect(pending.length).toBeGreaterThan(0);
    for (const line of pending) expect(line).toMatch(/^\d{4}-[\w-]+ +pending$/);

    const up = await migrate('up');
    expect([up.code, up.stdout.trimEnd().split('\n').length]).toEqual([0, pending.length]);
    expect((await migrate('up')).stdout).toBe('nothing to do\n');
    expect((await migrate('status')).stdout).not.toContain('pending');

    for (const line of pending.toReversed()) {
      const down = await migrate('down');
      expect([down.code, down.stdout, down.stderr]).toEqual([0, `down: ${line.split(' ')[0]}\n`, '']);
    }
    expect((await migrate('status')).stdout.trimEnd().split('\n')).toEqual(pending);
    expect((await migrate('down')).stdout).toBe('nothing to do\n');

    const server = await startServer({ DATA_DIR });
    await signUp(server);
    expect((await migrate('status')).stdout).not.toContain('pending');
  });

  test('that a newer version has migrated is run on, and not taken back', async () => {
    const server = await startServer();
    const person = await signUp(server);
    await server.stop();
    const newer = "insert into kysely_migration (name, timestamp) values ('9999-later', '2030-01-01T00:00:00.000Z')";
    await runStored(server, newer);
    await server.start();
    expect((await person.call('GET', '/auth/me')).status).toBe(200);
    expect(server.lines.some((line) => String(line.migrations) === '9999-later')).toBe(true);
    await server.stop();
    const { databaseUrl: DATABASE_URL } = server;
    const settings = { DATA_DIR: server.dataDir, ...(DATABASE_URL === undefined ? {} : { DATABASE_URL }) };
    expect((await runParley(['migrate', 'status'], settings)).stdout).toContain(
      '9999-later  applied by a newer version',
    );
    const down = await runParley(['migrate', 'down'], settings);
    expect(down.code).toBe(2);
    expect(down.stderr).toBe('parley: 9999-later is of a newer version of Parley: go down with that one\n');
  });

  test('is migrated once, however many start at once', async () => {
    const first = await startServer();
    await first.stop();
    const { dataDir, databaseUrl } = first;
    if (databaseUrl === undefined) return;
    await runStored(first, 'drop schema public cascade; create schema public');
    const settings = { DATA_DIR: dataDir, DATABASE_URL: databaseUrl };
    const runs = await Promise.all(Array.from({ length: 5 }, () => runParley(['migrate', 'up'], settings)));
    expect(runs.map(({ code, stderr }) => ({ code, stderr }))).toEqual(runs.map(() => ({ code: 0, stderr: '' })));
    expect(runs.filter(({ stdout }) => stdout.startsWith('up: 0001'))).toHaveLength(1);
    expect(runs.filter(({ stdout }) => stdout === 'nothing to do\n')).toHaveLength(4);
  });

  test('goes no other way', async () => {
    for (const args of [['migrate'], ['migrate', 'sideways']]) {
      const { code, stderr } = await runParley(args, { DATA_DIR: temporaryFolder() });
      expect(code).toBe(2);
      expect(stderr).toContain('migrate up');
    }
  });
});

describe('the command line', () => {
  test('explains itself', async () => {
    for (const args of [['help'], ['--help'], ['-h']]) {
      const { code, stdout } = await runParley(args);
      expect(code).toBe(0);
      for (const command of ['serve', 'migrate', 'admin']) expect(stdout).toContain(command);
    }
    expect((await runParley(['version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('refuses a command and an option that it does not know, without a stack', async () => {
    for (const args of [['sreve'], ['constructor'], ['serve', '--port', '80'], ['--nonsense']]) {
      const { code, stdout, stderr } = await runParley(args, { DATA_DIR: temporaryFolder() });
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).not.toBe('');
      expect(stderr).not.toMatch(/^\s+at /m);
    }
  });
});
