import type { AdvisoryLock } from '../database/postgres/advisory-lock.ts';
import type { Logger } from '../shared/logger.ts';
import type { JobStream } from './job-stream.ts';
import type { JobSource } from './jobs.ts';

/** Hints that are moved at once. */
const PAGE = 1000;
const POLL_MS = 250;
/** How often another node's lock is tried, and the stream is looked after, in milliseconds. */
const LOOK_MS = 1000;
/** Of more entries than this the oldest go: who had not read them asks the cursors. */
const MAX_LENGTH = 10_000;
/** After how long workers that are gone are forgotten, in milliseconds. */
const FORGET_MS = 3_600_000;

export interface RelayOptions {
  /** The outbox, with a comparison of the log with all cursors at each start. */
  source: JobSource;
  stream: JobStream;
  /** The consumers, each of which has a group. */
  groups: string[];
  /** Of all nodes the one that holds it relays. */
  lock: AdvisoryLock;
  log: Logger;
}

/**
 * Moves hints from the outbox into the stream, for all consumers at once; on one node at a time, though two would do no harm.
 * It keeps no place: it begins with a comparison of log and cursors, and does so again whenever the stream may have lost
 * something, when Redis was away, was emptied, or did not take what it was given. So nothing is lost with Redis' memory.
 */
export class Relay {
  private loop: Promise<void> = Promise.resolve();
  private isStopping = false;
  private isLeading = false;
  private mayHaveLost = true;
  private lookAt = 0;
  private added = 0;

  constructor(private readonly options: RelayOptions) {
    options.stream.onBack(() => this.lookAgain());
  }

  start(): void {
    this.loop = this.run();
  }

  /** Compares everything once more: what was moved may be gone. */
  lookAgain(): void {
    this.mayHaveLost = true;
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.loop;
    await this.options.source.stop();
    await this.options.lock.release();
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.isStopping) {
      try {
        if (await this.leads()) await this.step();
        else await Bun.sleep(LOOK_MS);
        failures = 0;
      } catch (error) {
        this.mayHaveLost = true;
        if (await this.options.stream.mend(error).catch(() => false)) continue;
        this.options.log[failures++ === 0 ? 'warn' : 'debug']({ err: error }, 'the relay of jobs failed');
        await Bun.sleep(LOOK_MS);
      }
    }
  }

  private async leads(): Promise<boolean> {
    const { stream, lock, log } = this.options;
    const leads = stream.isUp && (await lock.isHeld());
    if (leads && !this.isLeading) {
      this.mayHaveLost = true;
      await stream.forgetOldStream();
      log.info('this node relays jobs');
    }
    this.isLeading = leads;
    return leads;
  }

  private async step(): Promise<void> {
    const { source, stream } = this.options;
    await this.lookAfterStream();
    if (this.mayHaveLost) {
      this.mayHaveLost = false;
      await source.start();
    }
    const hints = await source.take(PAGE, POLL_MS);
    await stream.add(hints.map((hint) => hint.conversationId));
    for (const hint of hints) hint.done();
    this.added += hints.length;
  }

  private async lookAfterStream(): Promise<void> {
    const { stream, groups, log } = this.options;
    const isDue = performance.now() >= this.lookAt || this.added >= PAGE || this.mayHaveLost;
    if (!isDue) return;
    this.lookAt = performance.now() + LOOK_MS;
    this.added = 0;
    for (const group of groups) if (await stream.create(group)) this.mayHaveLost = true;
    const behind = await stream.trim(MAX_LENGTH, groups);
    if (behind.length > 0) log.warn({ groups: behind }, 'groups are behind the stream of jobs: they compare cursors');
    for (const group of groups) await stream.forgetWorkers(group, FORGET_MS);
  }
}
