import { version } from '../package.json' with { type: 'json' };
import { Passwords } from './auth/passwords.ts';
import { loadSecret } from './auth/secret.ts';
import { AuthService } from './auth/service.ts';
import { Tokens } from './auth/tokens.ts';
import type { Bus } from './bus/bus.ts';
import { MemoryBus } from './bus/memory.ts';
import { OutboxReader } from './bus/outbox-reader.ts';
import { RedisBus } from './bus/redis.ts';
import { ConversationRepository } from './chat/conversations/conversation-repository.ts';
import { Departures } from './chat/conversations/departures.ts';
import { EventPresenter } from './chat/events/event-presenter.ts';
import { EventRepository } from './chat/events/event-repository.ts';
import type { LogDriver } from './chat/log/log-driver.ts';
import { MessageLog } from './chat/log/message-log.ts';
import { PostgresLog } from './chat/log/postgres-log.ts';
import { SqliteLog } from './chat/log/sqlite-log.ts';
import { Marks } from './chat/marks/marks.ts';
import type { MarksDriver } from './chat/marks/marks-driver.ts';
import { PostgresMarks } from './chat/marks/postgres-marks.ts';
import { SqliteMarks } from './chat/marks/sqlite-marks.ts';
import { EventFeed } from './chat/messages/feed.ts';
import { MessagePresenter } from './chat/messages/message-presenter.ts';
import { MessageRepository } from './chat/messages/message-repository.ts';
import { CatchUpReader } from './chat/reading/catch-up.ts';
import { ChangesReader } from './chat/reading/changes-reader.ts';
import { ChatReader } from './chat/reading/reader.ts';
import { SharedChanges } from './chat/reading/shared-changes.ts';
import { ChatService } from './chat/service.ts';
import { type Config, ConfigError, type Role } from './config/config.ts';
import type { Database } from './database/database.ts';
import { Epoch } from './database/epoch.ts';
import { SchemaMigrator } from './database/migrator.ts';
import { AdvisoryLock } from './database/postgres/advisory-lock.ts';
import { PostgresDatabase } from './database/postgres/postgres-database.ts';
import { RequirementError } from './database/postgres/requirements.ts';
import { SqliteDatabase } from './database/sqlite/sqlite-database.ts';
import { AnswersUnderWay } from './http/answers-under-way.ts';
import { Connections } from './http/connections.ts';
import { OriginPolicy } from './http/origin.ts';
import { ProxyTrust } from './http/proxy-trust.ts';
import { type BoundAddress, type Listener, requireFreeAddress, serveHttp } from './http/serve.ts';
import { createRateLimits, type RateLimits } from './limits/rate-limits.ts';
import { Metrics } from './monitoring/metrics.ts';
import type { Client } from './realtime/client.ts';
import { Hub } from './realtime/hub.ts';
import { Presence } from './realtime/presence.ts';
import { PresenceRepository } from './realtime/presence-repository.ts';
import { Realtime } from './realtime/realtime.ts';
import { SharedPresence } from './realtime/shared-presence.ts';
import { TypingSignals } from './realtime/typing.ts';
import { refuseUpgrade, upgrade } from './realtime/upgrade.ts';
import { Redis } from './redis/redis.ts';
import { mountHttp, SOCKET_PATHS } from './routes.ts';
import { AccountChanges } from './sessions/account-changes.ts';
import { SessionsRepository } from './sessions/repository.ts';
import { SessionCache } from './sessions/session-cache.ts';
import { SessionsService } from './sessions/sessions.ts';
import { SharedSessions } from './sessions/shared-sessions.ts';
import { ParleyError, StartRefused } from './shared/errors.ts';
import type { Logger } from './shared/logger.ts';
import { UsersRepository } from './users/repository.ts';
import { UsersService } from './users/service.ts';
import { createWorker } from './worker/create-worker.ts';
import type { Consumer } from './worker/jobs.ts';
import type { Workers } from './worker/workers.ts';

export { version };

const SESSION_SWEEP_MS = 3_600_000;

/** Names the relay's lock among all of PostgreSQL's advisory locks: any number that nobody else takes. */
const RELAY_LOCK = 0x7061726c;

/** Where everything is kept: the database, and the drivers that only its engine has. */
export interface Storage {
  database: Database;
  logDriver: LogDriver;
  marksDriver: MarksDriver;
  /** Which node relays jobs; where there can be several. */
  relayLock?: AdvisoryLock;
}

/**
 * Opens the database of the configuration. `onDeath` is told when one of its threads breaks. A server `locksFolder`: fails
 * with `StartRefused` where another one runs on the same DATA_DIR.
 */
export async function openStorage(
  config: Config,
  onDeath: (error: Error) => void,
  { locksFolder = false } = {},
): Promise<Storage> {
  if (config.data.url !== '') {
    const database = await openPostgres(config.data);
    const relayLock = new AdvisoryLock(database, RELAY_LOCK);
    return { database, logDriver: new PostgresLog(database), marksDriver: new PostgresMarks(database), relayLock };
  }
  const database = await openSqlite(config.data, onDeath, locksFolder);
  return { database, logDriver: new SqliteLog(database), marksDriver: new SqliteMarks(database) };
}

async function openSqlite(
  { dir, sqlite_readers: readers }: Config['data'],
  onDeath: (error: Error) => void,
  locksFolder: boolean,
) {
  try {
    return await SqliteDatabase.open({
      dir,
      readers,
      writerEntry: new URL('./writer-thread.ts', import.meta.url),
      readerEntry: new URL('./database/sqlite/reader-thread.ts', import.meta.url),
      locksFolder,
      onDeath,
    });
  } catch (error) {
    if (error instanceof StartRefused) throw error;
    throw new ConfigError(`DATA_DIR must be a folder to write to; it is "${dir}": ${(error as Error).message}`);
  }
}

/** Connects to a PostgreSQL. Fails with what is wrong in one line, without the password. */
export async function openPostgres({ url, pool_size: poolSize }: Pick<Config['data'], 'url' | 'pool_size'>) {
  try {
    return await PostgresDatabase.open({ url, poolSize });
  } catch (error) {
    if (error instanceof RequirementError) throw new ConfigError(error.message);
    // What the client says names hosts and users, never the password.
    const cause = error instanceof ParleyError ? (error.details.cause as Error) : (error as Error);
    throw new ConfigError(`DATABASE_URL names a database that does not answer: ${cause.message}`);
  }
}

/** Accounts, and who is signed in: what the server and the command line share. */
export function createAccounts(
  config: Config,
  database: Database,
  bus: Bus,
  limits: RateLimits,
  log: Logger,
  redis?: Redis,
) {
  const changes = new AccountChanges(database, bus);
  const sessionsRepository = new SessionsRepository(database);
  const sessions = new SessionsService({ repository: sessionsRepository, changes, config: config.auth, log });
  const usersRepository = new UsersRepository(database);
  const users = new UsersService({
    repository: usersRepository,
    changes,
    sessions,
    bus,
    config: config.auth,
    limits,
    log,
  });
  const tokens = new Tokens({
    secret: loadSecret(config.auth, config.data.dir),
    previousSecret: config.auth.jwt_secret_previous,
    accessExpiryMs: config.auth.jwt_access_expiry,
  });
  const passwords = new Passwords(config.auth);
  const cache = new SessionCache(bus, redis && new SharedSessions(redis));
  const auth = new AuthService({ users, sessions, passwords, tokens, cache, changes, limits, log });
  return { auth, users, sessions, tokens };
}

/** A running server. */
export interface App {
  address: BoundAddress;
  /** Stops in order: no new work, batches flushed, sockets sent home, the database closed. */
  stop(): Promise<void>;
}

/** Parts that can be exchanged for others: the chaos tests bring a bus that loses, delays and reorders. */
export interface ExchangeableParts {
  createBus(log: Logger, redis: Redis | undefined): Bus;
  /** Consumers of events beside the product's own. */
  consumers?: Consumer[];
}

const PARTS: ExchangeableParts = {
  createBus: (log, redis) => (redis ? new RedisBus(redis, log) : new MemoryBus(log)),
};

/** Builds every part from the configuration and starts it. Nothing else wires. */
export async function startApp(
  config: Config,
  log: Logger,
  onFatal: (error: Error) => void,
  parts: ExchangeableParts = PARTS,
): Promise<App> {
  await requireFreeAddress(config.server);
  const { database, logDriver, marksDriver, relayLock } = await openStorage(config, onFatal, { locksFolder: true });
  await migrate(database, log);

  let draining = false;
  const isDraining = () => draining;
  const redis = Redis.isConfigured(config.redis) ? await Redis.connect(config.redis, log) : undefined;
  const bus = parts.createBus(log, redis);
  const limits = createRateLimits(config, redis);
  const { auth, users, sessions, tokens } = createAccounts(config, database, bus, limits, log, redis);

  // It may use parts that come below: it is called once the epoch is started, when all of them are there.
  const epoch = new Epoch(database, log, async () => {
    shared.forget(); // at once: its answers name the epoch before
    await outbox.skip();
    users.forgetPublicUsers();
    hub.startAnew();
    jobs?.lookAgain();
  });
  const conversations = new ConversationRepository(database);
  const messages = new MessageRepository(database);
  const messagePresenter = new MessagePresenter(messages, users);
  const reading = { database, conversations, messages, messagePresenter, users, epoch };
  const read = new ChatReader(reading);
  const changes = new ChangesReader(reading);
  const shared = new SharedChanges({ bus, changesForAll: (id, query) => changes.changesForAll(id, query) });
  const hub = new Hub({
    bus,
    log,
    epoch,
    listHeads: (userId) => conversations.listHeads(userId),
    findHead: (userId, conversationId) => conversations.findHead(userId, conversationId),
    changesSince: (conversationId, query) => changes.changesForAll(conversationId, query),
    marksSince: (conversationId, marksRev) => conversations.listChangedMarks(conversationId, marksRev),
    usernameOf: async (userId) => (await users.publicUsers([userId])).get(userId)?.username,
  });
  const metrics = new Metrics({
    connections: () => ({ plain: hub.countByMode('plain'), v1: hub.countByMode('v1') }),
    activeUsers: () => hub.userCount,
    queued: () => messageLog.queued,
    answersUnderWay: () => answers.count,
    deliveries: () => hub.deliveries,
    redis: redis && {
      isUp: () => redis.isUp,
      published: () => (bus instanceof RedisBus ? bus.published : 0),
      dropped: () => (bus instanceof RedisBus ? bus.dropped : 0),
    },
    jobs: () => jobs?.states(),
  });
  const answers = new AnswersUnderWay(() => metrics.answerCut());
  const messageLog = new MessageLog({
    driver: logDriver,
    bus,
    log,
    queueLimit: config.chat.log_queue_limit,
    observe: (size, seconds, appended) => metrics.batchCommitted(size, seconds, appended),
  });
  const marks = new Marks(marksDriver, bus, log);
  const chat = new ChatService({
    database,
    conversations,
    messages,
    messagePresenter,
    read,
    changes,
    catchUp: new CatchUpReader(read, changes, shared),
    users,
    bus,
    messageLog,
    marks,
    limits,
    maxMessageLength: config.chat.max_message_length,
    maxGroupSize: config.chat.max_group_size,
  });
  const departures = new Departures({ database, conversations, messages, users, bus, logger: log });
  users.onDeleted((userId) => departures.leaveAllGroups(userId));

  const origins = new OriginPolicy({ publicUrl: config.server.public_url, corsOrigins: config.server.cors_origins });
  const proxies = new ProxyTrust(config.server.trust_proxy);
  const http = mountHttp({
    config,
    version,
    log,
    auth,
    users,
    tokens,
    chat,
    limits,
    origins,
    proxies,
    metrics,
    database,
    redis,
    isDraining,
  });
  const presence = new Presence(new PresenceRepository(database), bus, log, redis && new SharedPresence(redis, log));
  const typing = new TypingSignals(bus);
  const realtime = new Realtime({
    hub,
    presence,
    typing,
    auth,
    log,
    heartbeatMs: config.websocket.heartbeat,
    maxMessageLength: config.chat.max_message_length,
    epoch,
  });
  const client = { chat, marks, typing, presence, limits, log, isDraining, failed: metrics.failed.bind(metrics) };
  const upgradeDeps = { auth, hub, origins, queryToken: config.websocket.query_token, client };

  const does = (role: Role) => config.roles.includes(role);
  const events = new EventRepository(database);
  const jobs = does('worker')
    ? createWorker({
        config,
        database,
        feed: new EventFeed({
          ...{ database, conversations, messages, events },
          presenter: new EventPresenter({ database, messages, messagePresenter, users, events }),
        }),
        redis,
        relayLock,
        version,
        log,
        observe: (consumer, outcome) => metrics.jobEnded(consumer, outcome),
        consumers: parts.consumers,
      })
    : undefined;
  const outbox = new OutboxReader(database, bus, hub, log);

  // In this order: were the log to go back in between, the look after it has the outbox passed over.
  await epoch.start();
  await outbox.start();
  redis?.onReturn(() => outbox.look());
  if (config.data.url !== '' && !redis) {
    log.info('without Redis, nodes on one PostgreSQL hear of each other from its outbox, within seconds');
  }
  const sweeper = setInterval(() => sweepSessions(sessions, log), SESSION_SWEEP_MS);
  const listener = await serveHttp<Client>({
    config: config.server,
    log,
    http,
    websocket: realtime.handler,
    socketPaths: SOCKET_PATHS,
    upgrade: does('realtime') ? (...handshake) => upgrade(upgradeDeps, ...handshake) : refuseUpgrade,
    proxies,
    connections: new Connections(config.rate_limits ? config.server.connections_per_address : Number.POSITIVE_INFINITY),
    answers,
  });
  realtime.serveOn(listener.server);
  if (does('api')) departures.start();
  jobs?.start();

  const running: Running = {
    listener,
    realtime,
    sweeper,
    jobs,
    departures,
    messageLog,
    marks,
    presence,
    outbox,
    epoch,
    database,
    bus,
    redis,
    metrics,
  };
  return {
    address: listener.address,
    stop() {
      draining = true;
      return stopAll(running, config.server.shutdown_timeout / 2);
    },
  };
}

async function migrate(database: Database, log: Logger): Promise<void> {
  const migrator = new SchemaMigrator(database);
  const migrated = await migrator.up();
  const newer = await migrator.newerSteps();
  if (newer.length > 0) log.warn({ migrations: newer }, 'the schema is of a newer version, which this one can run on');
  if (migrated.length > 0) log.info({ migrations: migrated }, 'the schema was brought up to date');
}

/** What a stop has to end. */
interface Running {
  listener: Listener<Client>;
  realtime: Realtime;
  sweeper: Timer;
  jobs?: Workers;
  departures: Departures;
  messageLog: MessageLog;
  marks: Marks;
  presence: Presence;
  outbox: OutboxReader;
  epoch: Epoch;
  database: Database;
  bus: Bus;
  redis?: Redis;
  metrics: Metrics;
}

/** Ends every part after those that use it. `graceMs` is for the requests that run, and beside them for the jobs. */
async function stopAll(running: Running, graceMs: number): Promise<void> {
  const { listener, realtime, jobs } = running;
  realtime.announceDraining();
  clearInterval(running.sweeper);
  const jobsStopped = jobs?.stop(graceMs);
  await listener.finishRequests(graceMs);
  await running.departures.stop();
  await running.messageLog.flush();
  await running.marks.write();
  realtime.closeAll();
  await listener.stop();
  await running.presence.stop();
  await running.outbox.stop();
  await running.epoch.stop();
  await jobsStopped;
  await running.database.close();
  await running.bus.close();
  running.redis?.close();
  running.metrics.stop();
}

function sweepSessions(sessions: SessionsService, log: Logger): void {
  sessions.sweep().catch((error) => log.error({ err: error }, 'old sessions could not be swept'));
}
