import type { Core } from '../../core.ts';
import type { Storage } from '../../database/open-storage.ts';
import { SECONDS } from '../../monitoring/metrics.ts';
import type { LogDriver } from './log-driver.ts';
import { MessageLog, type MessageLogOptions } from './message-log.ts';
import { PostgresLog } from './postgres-log.ts';
import { SqliteLog } from './sqlite-log.ts';

/** The log on the engine that there is, with its metrics; what waits in it is written before anybody is sent home. */
export function createLog(core: Core, own: Pick<MessageLogOptions, 'present' | 'noteStored'>): MessageLog {
  const { config, logger, lifecycle, metrics, database, bus } = core;
  const messages = metrics.counter({
    name: 'parley_messages_total',
    help: 'Messages accepted: committed to the log',
  });
  const batchSize = metrics.histogram({
    name: 'parley_commit_batch_size',
    help: 'Messages that shared a commit',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000],
  });
  const commitSeconds = metrics.histogram({
    name: 'parley_commit_seconds',
    help: 'Time from taking a batch to its commit, in seconds',
    buckets: [0.0001, 0.00025, 0.0005, ...SECONDS],
  });
  const messageLog = new MessageLog({
    driver: driverOf(database),
    bus,
    log: logger,
    queueLimit: config.chat.log_queue_limit,
    ...own,
    observe(size, seconds, appended) {
      batchSize.observe(size);
      commitSeconds.observe(seconds);
      messages.inc(appended);
    },
  });
  metrics.gauge('parley_commit_queue_length', 'Messages that wait for their commit', () => messageLog.queued);
  lifecycle.onStop('flush', 'message log', () => messageLog.flush());
  return messageLog;
}

function driverOf(database: Storage): LogDriver {
  return database.engine === 'sqlite' ? new SqliteLog(database) : new PostgresLog(database);
}
