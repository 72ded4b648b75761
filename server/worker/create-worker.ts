import type { MessageFeed } from '../chat/messages/feed.ts';
import type { Core } from '../core.ts';
import { AdvisoryLock } from '../database/postgres/advisory-lock.ts';
import { conversationsBehind } from './catch-up.ts';
import { JobStream } from './job-stream.ts';
import type { Consumer, JobSource } from './jobs.ts';
import { OutboxSource } from './outbox-source.ts';
import { Relay } from './relay.ts';
import { JobRepository } from './repository.ts';
import { RetryPolicy } from './retry-policy.ts';
import { StreamSource } from './stream-source.ts';
import { Worker } from './worker.ts';

/** Names the relay's lock among all of PostgreSQL's advisory locks: any number that nobody else takes. */
const RELAY_LOCK = 0x7061726c;

/** What hands the consumers what happens in conversations; nothing where this node does not, or there is no consumer. */
export function createWorker(core: Core, { feed, consumers }: { feed: MessageFeed; consumers: Consumer[] }): void {
  const { config, logger, lifecycle, metrics, database, redis } = core;
  const [consumer] = consumers;
  if (!consumer || !config.roles.includes('worker')) return;
  const { tries, retry_base, retry_cap, concurrency } = config.worker;
  const repository = new JobRepository(database, consumer.name);
  const readOutbox = () =>
    new OutboxSource({ database, log: logger, findBehind: () => conversationsBehind(feed, repository) });
  const retry = new RetryPolicy({ tries, baseMs: retry_base, capMs: retry_cap });
  const isAlone = database.engine === 'sqlite';
  const tried = metrics.counter({
    name: 'parley_jobs_total',
    help: 'Tries of jobs that were done or failed, and jobs that were parked',
    labelNames: ['outcome'],
  });
  const observe = (outcome: 'done' | 'failed' | 'parked') => tried.inc({ outcome });
  const work = (source: JobSource) =>
    new Worker({ consumer, source, repository, feed, retry, concurrency, isAlone, log: logger, observe });
  let worker: Worker;
  if (redis && database.engine === 'postgres') {
    const stream = new JobStream(redis, consumer.name);
    worker = work(new StreamSource({ stream, withoutRedis: readOutbox(), log: logger }));
    const lock = new AdvisoryLock(database, RELAY_LOCK);
    const relay = new Relay({ source: readOutbox(), stream, lock, log: logger });
    lifecycle.onStart('relay', () => relay.start());
    lifecycle.onStop('finish', 'relay', () => relay.stop());
    lifecycle.onNewEpoch('relay', () => relay.lookAgain());
  } else {
    worker = work(readOutbox());
  }
  lifecycle.onStart('worker', () => worker.start());
  lifecycle.onStop('finish', 'worker', (graceMs) => worker.stop(graceMs));
  lifecycle.onNewEpoch('worker', () => worker.lookAgain());
  metrics.gauge('parley_jobs_parked', 'Jobs that were given up and wait for an operator', () => worker.state().parked);
  const waiting = 'Conversations with a job that failed and is tried again';
  metrics.gauge('parley_jobs_waiting', waiting, () => worker.state().waiting);
  const length = 'Hints of work in the stream that are not done';
  metrics.gauge('parley_jobs_stream_length', length, () => worker.state().streamLength);
  const oldest = 'For how long the oldest job has waited, in seconds';
  metrics.gauge('parley_jobs_oldest_seconds', oldest, () => worker.state().oldestMs / 1000);
}
