import type * as RedisPackage from 'redis';
import { type Config, ConfigError } from '../config/config.ts';
import type { Secrets } from '../config/secret.ts';
import type { Logger } from '../shared/logger.ts';
import { type Found, type Reason, Refusals } from './refusals.ts';
import { Seal, type Sealed } from './seal.ts';

/** How long the start waits for Redis before it goes on without it. */
const START_MS = 2000;
/** A command that is not answered in this time fails: what Redis is asked for is never worth a longer wait. */
const COMMAND_MS = 1000;
/** Between attempts to connect, with full jitter, so that nodes do not come back all at once. */
const RECONNECT_MS = { first: 50, most: 2000 };
/** A connection on which nothing comes for this long is dead; pings see to it that something does. */
const SILENCE_MS = 10_000;
const PING_MS = 3000;
/** Commands that wait for their answers; beyond that new ones fail. */
const MAX_WAITING = 20_000;
const OLDEST = { major: 6, minor: 2 };
/** How Redis answers a wrong name or password, and missing ones. */
const REFUSAL = /^(WRONGPASS|NOAUTH)\b/;
/** How it answers a user who may not do what Parley needs. */
const NO_PERMISSION = /^NOPERM\b/;

export type RedisClient = ReturnType<typeof createRedisClient>;

/** By what nodes know what they put into Redis themselves. */
export interface Trust {
  secrets: Secrets;
  /** The time that nodes share, in milliseconds, whatever their own clocks and that of Redis say. */
  clock: { now(): number };
}

/**
 * The connections to Redis (6.2 and newer, or Valkey). They come back by themselves, for ever; while Redis is away every
 * command fails at once, and nothing queues up. Nothing in Redis is the only copy of anything, and nothing in it is believed
 * because it is there: what shows content or gives rights is sealed (seal.ts), anything else is checked and bounded.
 */
export class Redis {
  /** For commands. Keys get the configured prefix by themselves; channels do not. */
  readonly commands: RedisClient;
  private readonly refusals: Refusals;
  private readonly clients: RedisClient[] = [];
  private readonly hearReturn = new Set<() => void>();

  private constructor(
    private readonly client: typeof RedisPackage,
    private readonly config: Config['redis'],
    private readonly trust: Trust,
    private readonly log: Logger,
  ) {
    this.refusals = new Refusals(log);
    this.commands = this.open('commands');
  }

  /** Whether the settings name a Redis. */
  static isConfigured(config: Config['redis']): boolean {
    return config.url !== '' || config.addr !== '';
  }

  /**
   * Connects. Where Redis is not there in time it goes on trying in the background; where it is too old, lets nobody in
   * who has this password, or lets them do less than is needed, this fails with a ConfigError.
   */
  static async connect(config: Config['redis'], trust: Trust, log: Logger): Promise<Redis> {
    // Loaded here and not above: it takes a third of the start, and most installations have no Redis.
    const redis = new Redis(await import('redis'), config, trust, log);
    try {
      if (await redis.isThereInTime()) {
        await redis.checkVersion();
        await redis.checkRights();
      } else log.warn('Redis is not there: starting without it, and trying on');
    } catch (error) {
      redis.close();
      throw error;
    }
    return redis;
  }

  get isUp(): boolean {
    return this.commands.isReady;
  }

  get prefix(): string {
    return this.config.prefix;
  }

  get clock(): Trust['clock'] {
    return this.trust.clock;
  }

  /** By what nodes know what they put there themselves, of one kind. */
  sealOf(what: Sealed): Seal {
    return new Seal(what, this.trust.secrets);
  }

  /** Something was found that nobody of this installation put there, or not so: it is dropped. */
  refuse(found: Found, reason: Reason): void {
    this.refusals.refuse(found, reason);
  }

  /** Calls `observe` with all that is refused from now on. */
  onRefusal(observe: (found: Found, reason: Reason) => void): void {
    this.refusals.observe = observe;
  }

  /** One more connection, such as for subscriptions or for commands that block. It is closed with the others. */
  open(purpose: string): RedisClient {
    const client = createRedisClient(this.client, this.config, purpose);
    this.clients.push(client);
    this.watch(client, purpose);
    // It tries for ever, so that this ends only when the client is closed.
    client.connect().catch((error) => this.log.debug({ err: error, purpose }, 'a Redis client was closed early'));
    return client;
  }

  /** Calls `hear` whenever one of the connections is back that was lost: what was said meanwhile went unheard. */
  onReturn(hear: () => void): void {
    this.hearReturn.add(hear);
  }

  /** Fails where Redis does not answer, or one of the connections is not there: news would come late. */
  async check(): Promise<void> {
    if (!this.clients.every(({ isReady }) => isReady)) throw new Error('a connection to Redis is not there');
    await this.commands.ping();
  }

  close(): void {
    for (const client of this.clients) client.destroy();
  }

  /** Says once that the connection was lost, and once that it is back, however many attempts lie between. */
  private watch(client: RedisClient, purpose: string): void {
    let lost = false;
    client.on('error', (error: Error) => {
      if (!lost) this.log.warn({ err: error, purpose }, 'the connection to Redis is lost');
      lost = true;
    });
    client.on('ready', () => {
      if (!lost) return;
      lost = false;
      this.log.info({ purpose }, 'the connection to Redis is back');
      for (const hear of this.hearReturn) hear();
    });
  }

  private isThereInTime(): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), START_MS);
    const refused = (error: Error) => {
      if (REFUSAL.test(error.message))
        reject(new ConfigError('REDIS_PASSWORD is not the one of this Redis, or not that of REDIS_USERNAME'));
    };
    this.commands.once('ready', () => resolve(true));
    this.commands.on('error', refused);
    if (this.commands.isReady) resolve(true);
    return promise.finally(() => {
      clearTimeout(timer);
      this.commands.off('error', refused);
    });
  }

  private async checkRights(): Promise<void> {
    try {
      await this.commands.exists('rights');
      await this.commands.publish(`${this.prefix}rights`, '');
    } catch (error) {
      const missing = asMissingRights(error);
      if (missing instanceof ConfigError) throw missing;
      // It went away in this moment, or is slow: that is no reason not to start.
      this.log.debug({ err: error }, 'whether Redis lets Parley do what it needs could not be found out');
    }
  }

  private async checkVersion(): Promise<void> {
    const info = await this.commands.info('server').catch((error) => {
      throw asMissingRights(error);
    });
    const version = /redis_version:(\d+)\.(\d+)/.exec(info);
    if (!version) return;
    const [major, minor] = [Number(version[1]), Number(version[2])];
    if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return;
    throw new ConfigError(`Redis must be ${OLDEST.major}.${OLDEST.minor} or newer, or Valkey; it is ${major}.${minor}`);
  }
}

function createRedisClient({ createClient }: typeof RedisPackage, config: Config['redis'], purpose: string) {
  return createClient({
    ...address(config),
    name: `parley-${purpose}`,
    keyPrefix: config.prefix,
    disableClientInfo: true, // one right less that a user of Redis needs
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING,
    pingInterval: PING_MS,
    commandOptions: { timeout: COMMAND_MS },
  });
}

function address(config: Config['redis']) {
  const socket = { connectTimeout: START_MS, socketTimeout: SILENCE_MS, reconnectStrategy };
  const user = {
    ...(config.username !== '' && { username: config.username }),
    ...(config.password !== '' && { password: config.password }),
  };
  const database = config.db === 0 ? {} : { database: config.db };
  if (config.url !== '') return { url: config.url, socket, ...user, ...database };
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(config.addr)!;
  return {
    socket: { ...socket, host: host!.replace(/^\[|\]$/g, ''), port: Number(port ?? 6379) },
    ...user,
    ...database,
  };
}

/** Why a command failed, in words that say what to set where its user lacks the right to it. */
function asMissingRights(error: unknown): unknown {
  if (!(error instanceof Error && NO_PERMISSION.test(error.message))) return error;
  return new ConfigError(
    'REDIS_USERNAME must be a user of Redis who may do what Parley needs, with keys and channels that begin with ' +
      `REDIS_PREFIX: see configs/redis.conf.template; it says: ${error.message}`,
  );
}

function reconnectStrategy(attempts: number): number {
  return Math.random() * Math.min(RECONNECT_MS.most, RECONNECT_MS.first * 2 ** Math.min(attempts, 10));
}
