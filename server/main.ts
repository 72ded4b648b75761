import { parseArgs } from 'node:util';
import { disarmed } from '../protocol/text.ts';
import { createAccountLinks } from './account-links/create-account-links.ts';
import { runAudit } from './admin/audit/commands.ts';
import { runAdmin } from './admin/commands.ts';
import { runJobs } from './admin/jobs/commands.ts';
import { startApp } from './app.ts';
import { createAudit } from './audit/create-audit.ts';
import { AuditRepository } from './audit/repository.ts';
import { createAuth } from './auth/create-auth.ts';
import { createSecrets } from './auth/create-secrets.ts';
import { type Config, ConfigError, loadConfig, showsDocuments } from './config/config.ts';
import { commandCore, openForCommand, version } from './core.ts';
import { CopyRefused, copyInstallation } from './database/copy.ts';
import { renewEpoch } from './database/epoch.ts';
import { NewerSchemaError, SchemaMigrator } from './database/migrator.ts';
import { openPostgres, type Storage } from './database/open-storage.ts';
import { createFactors } from './factors/create-factors.ts';
import { JobQueue } from './jobs/job-queue.ts';
import { ParkedRepository } from './jobs/parked-repository.ts';
import { Lifecycle } from './lifecycle.ts';
import { runMail } from './mail/commands.ts';
import { createMail } from './mail/create-mail.ts';
import { probeReadiness } from './monitoring/probe.ts';
import { notices } from './notices.ts';
import { createSessions } from './sessions/create-sessions.ts';
import { StartRefused } from './shared/errors.ts';
import { createLogger } from './shared/logger.ts';
import { createUsers } from './users/create-users.ts';
import { UsersRepository } from './users/repository.ts';
import { ParkedJobsRepository } from './worker/parked-jobs-repository.ts';

const USAGE = `Parley ${version}, a messenger back end

Usage: parley [command]

  serve                 migrate, then serve (the default)
  migrate up            bring the schema up to date
  migrate down          take its last step back, with the data that it holds
  migrate status        say which steps are applied
  health                ask the server here whether it is ready: ends with 0, or with 1
  copy --to <url>       move an installation of one machine into an empty PostgreSQL, while no server runs on it
  epoch new             name the history anew, after a backup was restored: clients drop their copies
  admin …               accounts: create-user, set-role, reset-password, deactivate (admin --help)
  audit …               what happened to accounts and sessions, and what was refused (audit --help)
  jobs …                what was given up of the work that may wait: list, show, retry, discard (jobs --help)
  mail …                whether letters can be sent: test (mail --help)
  licences              what the licences of others, whose work is in it, ask to be said
  help, version

Settings: configs/config.yaml documents them; the environment overrides each.
`;

/** After a stop, until the process ends whatever is still open, in milliseconds. */
const LINGER_MS = 500;

/** They read the rest of the line themselves. */
const HAVE_COMMANDS = ['admin', 'audit', 'jobs', 'mail'];

async function main(argv: string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args: HAVE_COMMANDS.includes(argv[0] ?? '') ? argv.slice(0, 1) : argv,
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'v' },
      ...(argv[0] === 'copy' && { to: { type: 'string' } }),
    },
  });
  const [command = 'serve', ...rest] = positionals;
  if (values.help || command === 'help') return say(USAGE);
  if (values.version || command === 'version') return say(`${version}\n`);
  if (command === 'licences') return say(notices());
  const config = loadConfig();
  if (command === 'serve') return serve(config);
  if (command === 'health') return health(config);
  if (command === 'migrate') return migrate(config, rest[0]);
  if (command === 'copy') return copy(config, (values as { to?: string }).to ?? config.data.url);
  if (command === 'epoch') return epoch(config, rest[0]);
  if (command === 'admin') return admin(config, argv.slice(1));
  if (command === 'audit') return audit(config, argv.slice(1));
  if (command === 'jobs') return jobs(config, argv.slice(1));
  if (command === 'mail') return mail(config, argv.slice(1));
  process.stderr.write(`There is no command "${command}".\n\n${USAGE}`);
  return 2;
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

/** Serves until SIGTERM or SIGINT. */
async function serve(config: Config): Promise<number> {
  const log = createLogger(config.monitoring);
  const fatal = (error: unknown) => {
    log.fatal({ err: error }, 'cannot go on');
    process.exit(1);
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);

  const app = await startApp(config, log, fatal);
  const data = config.data.url === '' ? config.data.dir : 'postgres';
  const { url, host, isOpen } = app.address;
  const open_to = isOpen ? `whoever reaches this machine (${host})` : 'this machine';
  log.info({ url, env: config.env, open_to, version, data }, 'listening');
  if (isOpen && config.env !== 'prod') {
    log.warn(
      `ENV=${config.env} is for trying out, and SERVER_HOST=${host} lets whoever reaches this machine try: prod is for others`,
    );
  }
  // Beside the log, not in it: where to go, for whoever started this by hand.
  if (config.env === 'local') {
    const shown = url.replace('//127.0.0.1:', '//localhost:');
    process.stderr.write(welcome(shown, { isOpen, documents: showsDocuments(config) }));
  }

  const signal = await nextSignal();
  log.info({ signal }, 'stopping');
  // Whatever hangs: a stop ends within its time.
  const overdue = setTimeout(() => fatal(new Error('the stop took too long')), config.server.shutdown_timeout);
  overdue.unref();
  await app.stop();
  log.info('stopped');
  // What could not be ended, such as with the database gone, holds nobody up.
  clearTimeout(overdue);
  setTimeout(() => process.exit(0), LINGER_MS).unref();
  return 0;
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

function welcome(url: string, { isOpen, documents }: { isOpen: boolean; documents: boolean }): string {
  const reach = isOpen
    ? ''
    : '\n  Nobody but this machine reaches it. To let others in, such as a phone: SERVER_HOST=0.0.0.0\n';
  return `
  Parley ${version} is running: ${url}
${reach}
${documents ? `    ${url}/api/docs   every call, to try out\n` : ''}    ${url}/metrics    live charts

  Two people in two terminals: see "The walk" in README.md. The first step is

    curl -s ${url}/api/v1/auth/register -H 'Content-Type: application/json' \\
      -d '{"email": "alice@example.com", "username": "alice", "password": "correct horse"}'

`;
}

/** For the probe of a container, whose image has nothing else to ask with. */
async function health(config: Config): Promise<number> {
  const { ready, text } = await probeReadiness(config.server);
  (ready ? process.stdout : process.stderr).write(`${text}\n`);
  return ready ? 0 : 1;
}

async function migrate(config: Config, direction: string | undefined): Promise<number> {
  return withDatabase(config, async (database) => {
    const migrator = new SchemaMigrator(database);
    if (direction === 'status') {
      for (const { name, executedAt } of await migrator.status()) {
        say(`${name}  ${executedAt ? `applied ${executedAt.toISOString()}` : 'pending'}\n`);
      }
      for (const name of await migrator.newerSteps()) say(`${name}  applied by a newer version\n`);
      return 0;
    }
    if (direction !== 'up' && direction !== 'down') {
      process.stderr.write('Say which: migrate up, migrate down or migrate status.\n');
      return 2;
    }
    const done = await (direction === 'up' ? migrator.up() : migrator.down());
    return say(done.length > 0 ? done.map((name) => `${direction}: ${name}\n`).join('') : 'nothing to do\n');
  });
}

/** Copies DATA_DIR to a PostgreSQL, which DATABASE_URL names where `--to` does not: a command line can be read by others. */
async function copy(config: Config, url: string): Promise<number> {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    process.stderr.write('Say where to: copy --to postgres://user:password@host/database, or DATABASE_URL.\n');
    return 2;
  }
  const database = await openPostgres({ url, pool_size: config.data.pool_size });
  try {
    await copyInstallation(config.data.dir, database, (line) => say(`${line}\n`));
    return say(
      `\nDone. Start Parley with DATABASE_URL from now on, and keep ${config.data.dir} for its secret and as a backup.\n`,
    );
  } catch (error) {
    if (!(error instanceof CopyRefused)) throw error;
    process.stderr.write(`parley: ${error.message}\n`);
    return 1;
  } finally {
    await database.close();
  }
}

async function epoch(config: Config, action: string | undefined): Promise<number> {
  if (action !== 'new') {
    process.stderr.write('Say what: epoch new.\n');
    return 2;
  }
  return withDatabase(config, async (database) => {
    await new SchemaMigrator(database).up();
    return say(`the epoch is ${await renewEpoch(database)} now\n`);
  });
}

async function admin(config: Config, args: string[]): Promise<number> {
  const logger = createLogger({ ...config.monitoring, log_level: 'silent' });
  return withDatabase(config, async (database) => {
    await new SchemaMigrator(database).up();
    const core = commandCore(config, logger, database);
    const sessions = createSessions(core, createAudit(core));
    const secrets = createSecrets(core);
    const { users, addresses } = createUsers(core, sessions);
    const mail = createMail(core, secrets);
    const signingIn = createAuth(core, { ...sessions, users, ...mail, secrets });
    const { factors } = createFactors(core, { ...sessions, users, ...mail, ...signingIn, secrets });
    const { byHand } = createAccountLinks(core, { ...sessions, users, addresses, ...mail, ...signingIn });
    try {
      return await runAdmin(args, { auth: signingIn.auth, factors, users, links: byHand, print, complain });
    } finally {
      core.metrics.stop();
    }
  });
}

async function audit(config: Config, args: string[]): Promise<number> {
  return withDatabase(config, async (database) => {
    await new SchemaMigrator(database).up();
    return runAudit(args, {
      trail: new AuditRepository(database),
      users: new UsersRepository(database),
      print,
      complain,
    });
  });
}

async function jobs(config: Config, args: string[]): Promise<number> {
  return withDatabase(config, async (database) => {
    await new SchemaMigrator(database).up();
    return runJobs(args, {
      jobs: new ParkedJobsRepository(database),
      queue: new ParkedRepository(database),
      print,
      complain,
    });
  });
}

async function mail(config: Config, args: string[]): Promise<number> {
  const logger = createLogger({ ...config.monitoring, log_level: 'silent' });
  const lifecycle = new Lifecycle(logger);
  // A letter to try mail with holds no link: whatever would seal one is thrown away.
  const secrets = createSecrets({ secrets: { current: crypto.randomUUID() + crypto.randomUUID(), previous: '' } });
  const { mails } = createMail({ config, lifecycle, queue: new JobQueue('sqlite') }, secrets);
  try {
    return await runMail(args, { mails, print, complain });
  } finally {
    await lifecycle.stop(LINGER_MS);
  }
}

function print(line: string): void {
  say(`${shown(line)}\n`);
}

function complain(line: string): void {
  process.stderr.write(`${shown(line)}\n`);
}

/** What comes from outside, such as why a receiver refused, cannot act on the operator's terminal. */
function shown(text: string): string {
  return disarmed(text, (one) => (one === '\n' || one === '\t' ? one : ''));
}

async function withDatabase(config: Config, work: (database: Storage) => Promise<number>) {
  const database = await openForCommand(config);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

// What is made here, the database before all, is for its owner's eyes only.
process.umask(0o077);

// No await at the top: what is compiled ahead cannot have one.
main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
}, fail);

function fail(error: unknown): void {
  const wrongUse =
    error instanceof ConfigError ||
    error instanceof NewerSchemaError ||
    (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  const isExplained = wrongUse || error instanceof StartRefused;
  const text = isExplained ? (error as Error).message : (error as Error).stack;
  // Said before it exits, and exits whatever was started already: threads would keep it alive.
  process.stderr.write(`parley: ${text}\n`, () => process.exit(wrongUse ? 2 : 1));
}
