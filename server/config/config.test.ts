import { afterAll, describe, expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Config, ConfigError, loadConfig } from './config.ts';

const DOCUMENTED = join(import.meta.dir, '../../configs/config.yaml');
const folder = mkdtempSync(join(tmpdir(), 'parley-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The configuration of a file with this text, and of these variables. */
function load(yaml: string, variables: Record<string, string> = {}): Config {
  const path = join(folder, 'config.yaml');
  writeFileSync(path, yaml);
  return loadConfig({ CONFIG_FILE: path, ...variables });
}

const keysOf = (value: object) => Object.keys(value).sort();

describe('configs/config.yaml', () => {
  test('holds every setting with the default of the code', () => {
    expect(loadConfig({ CONFIG_FILE: DOCUMENTED })).toEqual(load(''));
    const documented = parse(readFileSync(DOCUMENTED, 'utf8'));
    const config = load('') as unknown as Record<string, unknown>;
    expect(keysOf(documented)).toEqual(keysOf(config));
    for (const [section, settings] of Object.entries(documented)) {
      if (settings && typeof settings === 'object') expect(keysOf(settings)).toEqual(keysOf(config[section] as object));
    }
  });
});

describe('settings', () => {
  test('are taken from the environment before the file, and from the file before the defaults', () => {
    expect(load('').server.port).toBe(8080);
    expect(load('server: { port: 9000 }').server.port).toBe(9000);
    expect(load('server: { port: 9000 }', { SERVER_PORT: '9001' }).server.port).toBe(9001);
  });

  test('are turned into numbers, milliseconds, flags and lists', () => {
    const config = load('', {
      JWT_ACCESS_EXPIRY: '90s',
      LIMIT_LOGIN: '5/2m',
      DISCOVER_BY_EMAIL: 'off',
      TRUST_PROXY: 'loopback, 10.0.0.0/8',
    });
    expect(config.auth.jwt_access_expiry).toBe(90_000);
    expect(config.limits.login).toEqual({ points: 5, seconds: 120 });
    expect(config.auth.discover_by_email).toBe(false);
    expect(config.server.trust_proxy).toEqual(['loopback', '10.0.0.0/8']);
  });

  test.each([
    ['SERVER_PORT', '99999'],
    ['SERVER_PORT', 'http'],
    ['JWT_ACCESS_EXPIRY', '15'],
    ['JWT_ACCESS_EXPIRY', '10ms'],
    ['LIMIT_LOGIN', '0/1m'],
    ['PASSWORD_HASH', 'md5'],
    ['RATE_LIMITS', 'maybe'],
    ['CORS_ORIGINS', 'https://example.com/path'],
    ['PUBLIC_URL', 'chat.example.com'],
  ])('that are wrong stop the start with a line that names them: %s=%s', (variable, value) => {
    expect(() => load('', { [variable]: value })).toThrow(new RegExp(`^${variable} must .*; it is "`));
  });

  test('that do not exist stop the start', () => {
    expect(() => load('server: { prot: 1 }')).toThrow('server.prot is no setting');
    expect(() => load('server: 1')).toThrow('server must be a list of settings');
    expect(() => load('a: [')).toThrow('is not valid YAML');
    expect(() => loadConfig({ CONFIG_FILE: '/nowhere.yaml' })).toThrow(ConfigError);
  });

  test('that are secret are not repeated when they are wrong', () => {
    expect(() => load('', { JWT_SECRET: 'hunter2' })).toThrow(/^JWT_SECRET must have 32 characters/);
    expect(() => load('', { JWT_SECRET: 'hunter2' })).not.toThrow(/hunter2/);
  });
});

describe('a secret', () => {
  const SECRET = 'a-secret-of-more-than-thirty-two-characters';
  const DATABASE = 'postgres://parley:hunter2@127.0.0.1/parley';
  const path = join(folder, 'secret');
  const file = (content: string) => {
    writeFileSync(path, content);
    return path;
  };
  /** What some of them ask for. */
  const beside = { PUBLIC_URL: 'https://chat.example.com' };
  const given: [string, string, (config: Config) => string][] = [
    ['JWT_SECRET', SECRET, ({ auth }) => auth.jwt_secret],
    ['JWT_SECRET_PREVIOUS', SECRET, ({ auth }) => auth.jwt_secret_previous],
    ['WEBHOOK_SECRET', SECRET, ({ webhooks }) => webhooks.secret],
    ['WEBHOOK_SECRET_PREVIOUS', SECRET, ({ webhooks }) => webhooks.secret_previous],
    ['DATABASE_URL', DATABASE, ({ data }) => data.url],
    ['REDIS_URL', 'redis://:hunter2@127.0.0.1', ({ redis }) => redis.url],
    ['REDIS_PASSWORD', 'hunter2', ({ redis }) => redis.password],
    ['SMTP_URL', 'smtp://parley:hunter2@127.0.0.1', ({ mail }) => mail.url],
    ['METRICS_TOKEN', SECRET, ({ monitoring }) => monitoring.metrics_token],
  ];

  test.each(given)('may be in a file: %s', (variable, value, read) => {
    for (const content of [value, `${value}\n`, `${value}\r\n`]) {
      expect(read(load('', { ...beside, [`${variable}_FILE`]: file(content) }))).toBe(value);
    }
    expect(read(load('', { ...beside, [variable]: '', [`${variable}_FILE`]: file(value) }))).toBe(value);
  });

  test('that may be in a file is every one that is a secret, and no other setting', () => {
    const brackets = [...readFileSync(DOCUMENTED, 'utf8').matchAll(/\[([A-Z_, …]+)\]$/gm)].map(([, names]) => names!);
    const own = brackets.flatMap((names) => names.split(', ')).filter((name) => name !== '…_FILE');
    expect(own.length).toBeGreaterThan(40);
    const absent = join(folder, 'absent');
    const inFiles = own.filter((name) => {
      try {
        load('', { [`${name}_FILE`]: absent });
        return false;
      } catch (error) {
        expect((error as Error).message).toBe(`${name}_FILE names ${absent}, which cannot be read: ENOENT`);
        return true;
      }
    });
    expect(inFiles.sort()).toEqual([...given.map(([name]) => name), 'WEBHOOK_URL'].sort());
    const documented = brackets.filter((names) => names.endsWith('…_FILE')).map((names) => names.split(',')[0]!);
    expect(documented.sort()).toEqual(inFiles);
  });

  test('of a file comes before the configuration file, and loses only one newline', () => {
    const token = ({ monitoring }: Config) => monitoring.metrics_token;
    const METRICS_TOKEN_FILE = file(` ${SECRET}\n\n`);
    expect(token(load(`monitoring: { metrics_token: other than ${SECRET} }`, { METRICS_TOKEN_FILE }))).toBe(
      ` ${SECRET}\n`,
    );
  });

  test('that is given twice, in an empty file, or in none stops the start', () => {
    const both = { JWT_SECRET: SECRET, JWT_SECRET_FILE: file(SECRET) };
    expect(() => load('', both)).toThrow('JWT_SECRET and JWT_SECRET_FILE are both given: keep one of them');
    expect(() => load('', { JWT_SECRET_FILE: file('\n') })).toThrow(`JWT_SECRET_FILE names ${path}, which is empty`);
    expect(() => load('', { JWT_SECRET_FILE: folder })).toThrow('which cannot be read: EISDIR');
  });

  test('is not repeated when it is wrong, wherever it was given', () => {
    const wrong = 'mysql://parley:hunter2@127.0.0.1/parley';
    const places: Record<string, string>[] = [{ DATABASE_URL: wrong }, { DATABASE_URL_FILE: file(wrong) }];
    for (const variables of places) {
      expect(() => load('', variables)).toThrow(/^DATABASE_URL must be an address/);
      expect(() => load('', variables)).not.toThrow(/hunter2/);
    }
    expect(() => load(`redis: { url: 'http://:hunter2@127.0.0.1' }`)).not.toThrow(/hunter2/);
  });
});

describe('a secret that can be guessed', () => {
  const GUESSED = [
    'a'.repeat(32),
    'a'.repeat(1000),
    `${'x'.repeat(40)}y`,
    'ab'.repeat(32),
    'Aa1!'.repeat(10),
    'deadbeef'.repeat(8),
    '0123456789'.repeat(4),
    '00000000-0000-0000-0000-000000000000',
    '11111111222222223333333344444444',
    'abcdefghijklmnopqrstuvwxyz0123456789',
    'qwertyuiopasdfghjklzxcvbnm123456',
    'changeme'.repeat(4),
    'ChangeMe1-ChangeMe2-ChangeMe3-ChangeMe4',
    'password'.repeat(5),
    'please-change-this-secret-in-production',
    'your-256-bit-secret-your-256-bit-secret',
    'my-super-secret-jwt-key-change-in-production',
    '0101101011010010101101011010110101',
  ];

  test.each(GUESSED)('stops the start in every environment, and is not repeated: %s', (guessed) => {
    for (const ENV of ['local', 'dev', 'prod']) {
      for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS', 'WEBHOOK_SECRET', 'METRICS_TOKEN']) {
        const failure = () =>
          load('', { ENV, JWT_SECRET: 'a-secret-of-more-than-thirty-two-characters', [name]: guessed });
        expect(failure).toThrow(new RegExp(`^${name} must be random`));
        expect(failure).not.toThrow(guessed);
      }
    }
  });

  test('is none that was drawn, by any of the usual ways', () => {
    for (let count = 0; count < 500; count++) {
      const digits = Array.from(randomBytes(32), (byte) => byte % 10).join('');
      const drawn = [
        randomBytes(48).toString('base64'),
        randomBytes(24).toString('base64url'),
        randomBytes(16).toString('hex'),
        randomBytes(48).toString('hex'),
        `whsec_${randomBytes(24).toString('base64')}`,
        crypto.randomUUID(),
        Bun.randomUUIDv7(),
        digits,
      ];
      for (const JWT_SECRET of drawn) expect(load('', { JWT_SECRET }).auth.jwt_secret).toBe(JWT_SECRET);
      for (const METRICS_TOKEN of [...drawn, randomBytes(8).toString('hex'), randomBytes(12).toString('base64')]) {
        expect(load('', { METRICS_TOKEN }).monitoring.metrics_token).toBe(METRICS_TOKEN);
      }
    }
  });

  test('is a token of a few characters, too', () => {
    expect(() => load('', { METRICS_TOKEN: 'hunter2' })).toThrow(/^METRICS_TOKEN must have 16 characters or more/);
    expect(load('', { METRICS_TOKEN: '' }).monitoring.metrics_token).toBe('');
  });
});

describe('where to listen', () => {
  const prod = { ENV: 'prod', JWT_SECRET: 'a-secret-of-more-than-thirty-two-characters' };

  test('is this machine alone unless it is prod, or said otherwise', () => {
    expect(load('').server.host).toBe('127.0.0.1');
    expect(load('', { ENV: 'dev' }).server.host).toBe('127.0.0.1');
    expect(load('', prod).server.host).toBe('0.0.0.0');
    expect(load('', { SERVER_HOST: '0.0.0.0' }).server.host).toBe('0.0.0.0');
    expect(load('', { ...prod, SERVER_HOST: '::1' }).server.host).toBe('::1');
    expect(load('server: { host: auto }').server.host).toBe('127.0.0.1');
  });
});

describe('in prod', () => {
  const secret = { JWT_SECRET: 'a-secret-of-more-than-thirty-two-characters' };

  test('the secret must be given', () => {
    expect(() => load('', { ENV: 'prod' })).toThrow('JWT_SECRET must be given in prod');
  });

  test('no other origin is trusted unless it is named', () => {
    expect(load('', { ENV: 'prod', ...secret }).server.cors_origins).toEqual([]);
    const named = load('', { ENV: 'prod', CORS_ORIGINS: 'auto,https://a.example', ...secret });
    expect(named.server.cors_origins).toEqual(['https://a.example']);
    expect(load('').server.cors_origins).toEqual(['http://localhost:5173']);
  });
});
