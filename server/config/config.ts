import { existsSync, readFileSync } from 'node:fs';
import ipaddr from 'ipaddr.js';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { tokenWeakness, weakness } from './secret-strength.ts';

/** A setting is wrong; `message` names it and says how to mend it. */
export class ConfigError extends Error {}

/** At most `points` in `seconds`. */
export interface Limit {
  points: number;
  seconds: number;
}

const MIB = 1024 * 1024;
const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+)(ms|s|m|h|d)$/;

function toMilliseconds(value: string): number | undefined {
  const match = DURATION.exec(value.trim());
  return match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : undefined;
}

const duration = (min: string, max: string) =>
  z.string().transform((value, context) => {
    const milliseconds = toMilliseconds(value);
    if (milliseconds === undefined || milliseconds < toMilliseconds(min)! || milliseconds > toMilliseconds(max)!) {
      context.addIssue(`must be a duration from ${min} to ${max}, such as 30s, 15m or 168h`);
      return z.NEVER;
    }
    return milliseconds;
  });

const limit = z.string().transform((value, context): Limit => {
  const [points, per] = value.split('/');
  const milliseconds = toMilliseconds(per ?? '');
  if (!/^[1-9]\d{0,8}$/.test(points ?? '') || !milliseconds || milliseconds < 1000) {
    context.addIssue('must be a count and a duration of a second or more, such as 30/1h');
    return z.NEVER;
  }
  return { points: Number(points), seconds: milliseconds / 1000 };
});

const number = (min: number, max: number) =>
  z
    .union([z.number(), z.string().regex(/^\d+$/).transform(Number)], { error: 'must be a whole number' })
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, {
      error: `must be a whole number from ${min} to ${max}`,
    });

const flag = z.union(
  [z.boolean(), z.enum(['true', 'false', 'on', 'off']).transform((word) => word === 'true' || word === 'on')],
  { error: 'must be true or false' },
);

const choice = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const proxy = z.string().refine((value) => value === 'loopback' || ipaddr.isValid(value) || ipaddr.isValidCIDR(value), {
  error: 'must be addresses and networks such as 10.0.0.0/8, or "loopback"',
});

const origin = z.string().refine((value) => URL.canParse(value) && new URL(value).origin === value, {
  error: 'must be origins such as https://chat.example.com, without a path',
});

/** What a node does. Each part can run on nodes of its own. */
export const ROLES = ['api', 'realtime', 'worker'] as const;
export type Role = (typeof ROLES)[number];

/** A list of some of these names, one at least. */
const someOf = <const Names extends readonly string[]>(names: Names) =>
  list.pipe(
    z
      .array(z.enum(names, { error: `must be some of ${names.join(', ')}` }))
      .min(1, { error: `must name one of ${names.join(', ')}, or more` }),
  );

/** What webhooks can tell of. */
export const WEBHOOK_EVENTS = [
  'message.created',
  'message.updated',
  'message.deleted',
  'reaction.added',
  'reaction.removed',
  'conversation.created',
  'conversation.updated',
  'participant.joined',
  'participant.left',
] as const;

/** Where to listen with `SERVER_HOST=auto`: who tries something out is not to show it to everybody around. */
const AUTO_HOST = { local: '127.0.0.1', dev: '127.0.0.1', prod: '0.0.0.0' } as const;

/** Where `vite` serves the web client to its developers. */
const WEB_DEV_SERVER = 'http://localhost:5173';

const webAddress = z
  .string()
  .refine((value) => value === '' || (/^https?:\/\/[^/]+\/?$/.test(value) && URL.canParse(value)), {
    error: 'must be an address such as https://chat.example.com, or empty',
  });

const databaseAddress = z
  .string()
  .refine((value) => value === '' || (/^postgres(ql)?:\/\/./.test(value) && URL.canParse(value)), {
    error: 'must be an address such as postgres://user:password@host:5432/database, or empty',
  });
const receiver = z.string().refine(
  (value) => {
    if (value === '') return true;
    const { protocol, username, password, hash } = URL.canParse(value) ? new URL(value) : new URL('none:');
    return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '';
  },
  {
    error: 'must be an address such as https://example.com/hooks, without a name, a password and a fragment, or empty',
  },
);

/** A host and perhaps a port, IPv6 in brackets. */
const address = z
  .string()
  .refine((value) => value === '' || /^(\[[0-9a-fA-F:.]+\]|[^\s:/@]+)(:\d{1,5})?$/.test(value), {
    error: 'must be a host and a port, such as 127.0.0.1:6379',
  });

const redisUrl = z.string().refine((value) => value === '' || (/^rediss?:\/\//.test(value) && URL.canParse(value)), {
  error: 'must be an address such as redis://:password@redis.example.com:6379/0',
});

const smtpAddress = z
  .string()
  .refine((value) => value === '' || (/^smtps?:\/\/[^/]+\/?$/.test(value) && URL.canParse(value)), {
    error: 'must be an address such as smtp://user:password@mail.example.com:587, or empty',
  });

/** Who letters are from: `Parley <no-reply@example.com>`, or the address alone; empty: made from `PUBLIC_URL`. */
const mailbox = z.string().transform((value, context): { name: string; address: string } => {
  const [, name = '', address = value] = /^([^<>]*)<([^<>]*)>$/.exec(value) ?? [];
  const isPlain = !/[\p{Cc}"]/u.test(name);
  const checked = z.email().safeParse(address.trim());
  if (value !== '' && !(isPlain && checked.success)) {
    context.addIssue('must be an address such as "Parley <no-reply@example.com>", or empty');
    return z.NEVER;
  }
  return { name: name.trim(), address: address.trim() };
});

/** A text that may be empty, or else has to be as strong as `weaknessOf` asks. */
const strong = (weaknessOf: (secret: string) => string | undefined) =>
  z.string().superRefine((value, context) => {
    const message = value === '' ? undefined : weaknessOf(value);
    if (message !== undefined) context.addIssue(message);
  });
const signingSecret = strong(weakness);

/** One setting: the environment variable that overrides it, its default, and what it may be. */
interface Setting<T extends z.ZodType = z.ZodType> {
  variable: string;
  fallback: string | number | boolean;
  schema: T;
  /** Whether it is a secret, or may hold one: it is never repeated, and a file may hold it (`…_FILE`). */
  secret: boolean;
}

function setting<T extends z.ZodType>(
  variable: string,
  fallback: string | number | boolean,
  schema: T,
  { secret = false } = {},
): Setting<T> {
  return { variable, fallback, schema, secret };
}

/** The settings, in the order and under the names of configs/config.yaml, which documents them. */
const SETTINGS = {
  env: setting('ENV', 'local', choice(['local', 'dev', 'prod'])),
  roles: setting('ROLES', ROLES.join(','), someOf(ROLES)),
  server: {
    host: setting('SERVER_HOST', 'auto', z.string().min(1)),
    port: setting('SERVER_PORT', 8080, number(0, 65535)),
    public_url: setting('PUBLIC_URL', '', webAddress),
    trust_proxy: setting('TRUST_PROXY', '', list.pipe(z.array(proxy))),
    cors_origins: setting('CORS_ORIGINS', 'auto', list.pipe(z.array(z.union([z.literal('auto'), origin])))),
    connections_per_address: setting('CONNECTIONS_PER_ADDRESS', 5000, number(1, 10_000_000)),
    body_memory: setting('BODY_MEMORY', 64 * MIB, number(2 * MIB, 1024 * 1024 * MIB)),
    body_memory_per_address: setting('BODY_MEMORY_PER_ADDRESS', 16 * MIB, number(2 * MIB, 1024 * 1024 * MIB)),
    api_documents: setting('API_DOCUMENTS', 'auto', choice(['auto', 'on', 'off'])),
    shutdown_timeout: setting('SHUTDOWN_TIMEOUT', '8s', duration('1s', '10m')),
  },
  data: {
    dir: setting('DATA_DIR', './data', z.string().min(1, { error: 'must name a folder, or be ":memory:"' })),
    sqlite_readers: setting('SQLITE_READERS', 2, number(1, 16)),
    url: setting('DATABASE_URL', '', databaseAddress, { secret: true }),
    pool_size: setting('DATABASE_POOL_SIZE', 10, number(4, 1000)),
  },
  redis: {
    addr: setting('REDIS_ADDR', '', address),
    url: setting('REDIS_URL', '', redisUrl, { secret: true }),
    username: setting('REDIS_USERNAME', '', z.string()),
    password: setting('REDIS_PASSWORD', '', z.string(), { secret: true }),
    db: setting('REDIS_DB', 0, number(0, 1_000_000)),
    prefix: setting('REDIS_PREFIX', 'parley:', z.string().min(1)),
  },
  auth: {
    jwt_secret: setting('JWT_SECRET', '', signingSecret, { secret: true }),
    jwt_secret_previous: setting('JWT_SECRET_PREVIOUS', '', signingSecret, { secret: true }),
    jwt_access_expiry: setting('JWT_ACCESS_EXPIRY', '15m', duration('1s', '24h')),
    jwt_refresh_expiry: setting('JWT_REFRESH_EXPIRY', '168h', duration('1s', '8760h')),
    session_max_age: setting('SESSION_MAX_AGE', '2160h', duration('1s', '87600h')),
    max_sessions: setting('MAX_SESSIONS', 50, number(1, 10_000)),
    password_hash: setting('PASSWORD_HASH', 'argon2id', choice(['argon2id', 'bcrypt'])),
    password_hash_concurrency: setting('PASSWORD_HASH_CONCURRENCY', 2, number(1, 64)),
    password_strength: setting('PASSWORD_STRENGTH', 'auto', choice(['auto', 'refuse', 'warn'])),
    password_blocklist: setting('PASSWORD_BLOCKLIST', '', z.string()),
    require_verified_email: setting('REQUIRE_VERIFIED_EMAIL', false, flag),
    require_mfa: setting('REQUIRE_MFA', 'none', choice(['none', 'admins', 'all'])),
    audit_retention: setting('AUDIT_RETENTION', '400d', duration('1d', '3650d')),
    discover_by_email: setting('DISCOVER_BY_EMAIL', true, flag),
    username_hold: setting('USERNAME_HOLD', '90d', duration('0s', '3650d')),
    reserved_usernames: setting('RESERVED_USERNAMES', '', list),
  },
  chat: {
    max_message_length: setting('MAX_MESSAGE_LENGTH', 4000, number(1, 15_000)),
    max_group_size: setting('MAX_GROUP_SIZE', 10_000, number(2, 1_000_000)),
    max_conversations: setting('MAX_CONVERSATIONS', 10_000, number(1, 1_000_000)),
    max_stored_bytes: setting('MAX_STORED_BYTES', 1_073_741_824, number(0, Number.MAX_SAFE_INTEGER)),
    log_queue_limit: setting('LOG_QUEUE_LIMIT', 50_000, number(100, 10_000_000)),
  },
  websocket: {
    query_token: setting('WS_QUERY_TOKEN', true, flag),
    heartbeat: setting('WS_HEARTBEAT', '25s', duration('100ms', '10m')),
  },
  worker: {
    concurrency: setting('WORKER_CONCURRENCY', 16, number(1, 256)),
    tries: setting('WORKER_TRIES', 15, number(1, 100)),
    retry_base: setting('WORKER_RETRY_BASE', '5s', duration('10ms', '1h')),
    retry_cap: setting('WORKER_RETRY_CAP', '1h', duration('10ms', '24h')),
  },
  webhooks: {
    url: setting('WEBHOOK_URL', '', receiver, { secret: true }),
    secret: setting('WEBHOOK_SECRET', '', signingSecret, { secret: true }),
    secret_previous: setting('WEBHOOK_SECRET_PREVIOUS', '', signingSecret, { secret: true }),
    events: setting('WEBHOOK_EVENTS', 'message.created', someOf(WEBHOOK_EVENTS)),
    timeout: setting('WEBHOOK_TIMEOUT', '10s', duration('100ms', '60s')),
    allow_private: setting('WEBHOOK_ALLOW_PRIVATE', false, flag),
  },
  mail: {
    url: setting('SMTP_URL', '', smtpAddress, { secret: true }),
    tls: setting('SMTP_TLS', 'required', choice(['required', 'optional', 'off'])),
    from: setting('MAIL_FROM', '', mailbox),
    timeout: setting('SMTP_TIMEOUT', '20s', duration('1s', '60s')),
  },
  rate_limits: setting('RATE_LIMITS', 'on', flag),
  limits: {
    register: setting('LIMIT_REGISTER', '30/1h', limit),
    sign_in: setting('LIMIT_SIGN_IN', '600/5m', limit),
    login: setting('LIMIT_LOGIN', '60/5m', limit),
    login_account: setting('LIMIT_LOGIN_ACCOUNT', '10/5m', limit),
    login_account_strangers: setting('LIMIT_LOGIN_ACCOUNT_STRANGERS', '300/1h', limit),
    mfa: setting('LIMIT_MFA', '10/15m', limit),
    mfa_strangers: setting('LIMIT_MFA_STRANGERS', '30/1h', limit),
    forgot: setting('LIMIT_FORGOT', '30/1h', limit),
    forgot_account: setting('LIMIT_FORGOT_ACCOUNT', '5/1h', limit),
    links: setting('LIMIT_LINKS', '60/5m', limit),
    email_letters: setting('LIMIT_EMAIL_LETTERS', '5/1h', limit),
    email_letters_to: setting('LIMIT_EMAIL_LETTERS_TO', '10/1h', limit),
    refresh: setting('LIMIT_REFRESH', '300/5m', limit),
    email_lookup: setting('LIMIT_EMAIL_LOOKUP', '30/5m', limit),
    directory: setting('LIMIT_DIRECTORY', '5000/5m', limit),
    reads: setting('LIMIT_READS', '50/1s', limit),
    messages: setting('LIMIT_MESSAGES', '200/10s', limit),
    conversations: setting('LIMIT_CONVERSATIONS', '60/5m', limit),
    invitations: setting('LIMIT_INVITATIONS', '2000/5m', limit),
    profile: setting('LIMIT_PROFILE', '60/5m', limit),
    presence: setting('LIMIT_PRESENCE', '120/1m', limit),
    handshakes: setting('LIMIT_HANDSHAKES', '10000/1m', limit),
    handshakes_account: setting('LIMIT_HANDSHAKES_ACCOUNT', '300/1m', limit),
    typing: setting('LIMIT_TYPING', '300/1m', limit),
    lookups: setting('LIMIT_LOOKUPS', '300/1m', limit),
  },
  monitoring: {
    log_level: setting('LOG_LEVEL', 'info', choice(['trace', 'debug', 'info', 'warn', 'error', 'silent'])),
    log_format: setting('LOG_FORMAT', 'auto', choice(['auto', 'pretty', 'json'])),
    interval: setting('MONITORING_INTERVAL', '1s', duration('0ms', '1m')),
    metrics_token: setting('METRICS_TOKEN', '', strong(tokenWeakness), { secret: true }),
  },
} as const;

type Read<T> = T extends Setting<infer S> ? z.output<S> : { -readonly [K in keyof T]: Read<T[K]> };

/** Every setting, checked; durations are milliseconds. */
export type Config = Read<typeof SETTINGS>;

/**
 * Reads configs/config.yaml (or `CONFIG_FILE`) where there is one, then the environment over it, and checks the whole. A
 * secret may be in a file of its own, which `<variable>_FILE` names.
 * Throws a ConfigError at the first setting that is wrong.
 */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const config = readSettings(SETTINGS, readFile(env.CONFIG_FILE), env, '') as Config;
  if (config.env === 'prod' && config.auth.jwt_secret === '') {
    throw new ConfigError('JWT_SECRET must be given in prod: make one with "openssl rand -base64 48", and keep it');
  }
  if (config.server.host === 'auto') config.server.host = AUTO_HOST[config.env];
  checkWebhooks(config.webhooks);
  if (config.auth.password_strength === 'auto')
    config.auth.password_strength = config.env === 'prod' ? 'refuse' : 'warn';
  checkMail(config);
  const devOrigins = config.env === 'prod' ? [] : [WEB_DEV_SERVER];
  config.server.cors_origins = config.server.cors_origins.flatMap((one) => (one === 'auto' ? devOrigins : one));
  return config;
}

/** Letters hold links: made from the host of whoever asks for one, they would lead to a host of an attacker's choice. */
function checkMail({ mail, server, auth }: Config): void {
  if (auth.require_verified_email && mail.url === '') {
    throw new ConfigError('SMTP_URL must be given with REQUIRE_VERIFIED_EMAIL: addresses are confirmed by mail');
  }
  if (mail.url !== '' && server.public_url === '') {
    throw new ConfigError('PUBLIC_URL must be given with SMTP_URL: links in letters lead there');
  }
  if (mail.from.address !== '' || server.public_url === '') return;
  mail.from = { name: 'Parley', address: `no-reply@${new URL(server.public_url).hostname}` };
}

/** Whether this installation shows its API documents (`API_DOCUMENTS`; ASVS 13.4.5). */
export function showsDocuments({ env, server }: Pick<Config, 'env' | 'server'>): boolean {
  return server.api_documents === 'auto' ? env !== 'prod' : server.api_documents === 'on';
}

function checkWebhooks({ url, secret, allow_private }: Config['webhooks']): void {
  if (url === '') return;
  if (secret === '') {
    throw new ConfigError('WEBHOOK_SECRET must be given with WEBHOOK_URL: make one with "openssl rand -base64 48"');
  }
  if (!allow_private && new URL(url).protocol !== 'https:') {
    throw new ConfigError('WEBHOOK_URL must begin with https:// unless WEBHOOK_ALLOW_PRIVATE is true');
  }
}

function readFile(named: string | undefined): unknown {
  const path = named ?? 'configs/config.yaml';
  if (!existsSync(path)) {
    if (named !== undefined) throw new ConfigError(`CONFIG_FILE names ${path}, which does not exist`);
    return {};
  }
  try {
    return parseYaml(readFileSync(path, 'utf8')) ?? {};
  } catch (error) {
    throw new ConfigError(`${path} is not valid YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}

function isSetting(node: object): node is Setting {
  return 'variable' in node;
}

function readSettings(tree: object, file: unknown, env: Record<string, string | undefined>, path: string): unknown {
  if (isSetting(tree)) return readOne(tree, file, env, path);
  const section = file ?? {};
  if (typeof section !== 'object' || Array.isArray(section)) {
    throw new ConfigError(`${path || 'The configuration file'} must be a list of settings`);
  }
  for (const key of Object.keys(section)) {
    if (!(key in tree))
      throw new ConfigError(`${join(path, key)} is no setting: see configs/config.yaml for all of them`);
  }
  return Object.fromEntries(
    Object.entries(tree).map(([key, node]) => [
      key,
      readSettings(node, (section as Record<string, unknown>)[key], env, join(path, key)),
    ]),
  );
}

function readOne(one: Setting, inFile: unknown, env: Record<string, string | undefined>, path: string): unknown {
  const { variable, fallback, schema, secret } = one;
  const fromEnv = (secret ? readSecretFile(variable, env) : undefined) ?? env[variable];
  const given = fromEnv ?? inFile ?? fallback;
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const where = fromEnv === undefined ? `${path} (in the configuration file)` : variable;
  const quoted = secret ? '' : `; it is ${JSON.stringify(given)}`;
  throw new ConfigError(`${where} ${result.error.issues[0]?.message ?? 'is not valid'}${quoted}`);
}

/**
 * What the file holds that `<variable>_FILE` names, as Docker and Kubernetes hand out secrets: in no environment that a child
 * process or `docker inspect` could show. The newline at its end, which editors and `echo` leave there, is not part of it.
 */
function readSecretFile(variable: string, env: Record<string, string | undefined>): string | undefined {
  const name = `${variable}_FILE`;
  const path = env[name] ?? '';
  if (path === '') return undefined;
  if ((env[variable] ?? '') !== '') throw new ConfigError(`${variable} and ${name} are both given: keep one of them`);
  const value = readText(name, path).replace(/\r?\n$/, '');
  if (value === '') throw new ConfigError(`${name} names ${path}, which is empty`);
  return value;
}

function readText(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${name} names ${path}, which cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
