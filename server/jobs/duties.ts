import type { Logger } from '../shared/logger.ts';
import { untilAborted, WentOn } from './deadline.ts';
import type { DutyRepository } from './duty-repository.ts';
import { Pause } from './pause.ts';

/** How often it is looked for what is due, at most and at least, in milliseconds. */
const LOOK_MS = 10_000;
const MIN_LOOK_MS = 50;
/** For how long a node that does a duty is believed to live, in milliseconds; it says so three times in between. */
const LEASE_MS = 30_000;
const RENEWALS = 3;

/** What is done again and again by the clock: a sweep, what is kept only for so long. */
export interface Duty {
  /** Its name in the table, the same on all nodes; never given to something else. */
  readonly name: string;
  /** From the end of one run to the next. */
  readonly everyMs: number;
  /** Ends soon after `signal` is aborted: the node stops, or another took the duty over. What it left is for the next run. */
  run(signal: AbortSignal): Promise<unknown>;
}

export interface DutiesOptions {
  duties: readonly Duty[];
  repository: DutyRepository;
  log: Logger;
  /** For how long a run is believed to go on without a word. */
  leaseMs?: number;
}

/**
 * Does the duties by the clock, each on one node at a time, by a lease that is renewed while it runs. A node that dies leaves
 * a lease that ends: then any other does the duty. A run that fails is logged, and made up for by the next one.
 */
export class Duties {
  private readonly running = new Map<string, Promise<void>>();
  private readonly stopping = new AbortController();
  private readonly pause = new Pause();
  private loop: Promise<void> = Promise.resolve();
  private isStopping = false;

  constructor(private readonly options: DutiesOptions) {}

  start(): void {
    if (this.options.duties.length > 0) this.loop = this.look();
  }

  /** Begins nothing new and waits for what runs; what is not done by then is broken off and left to others. */
  async stop(graceMs: number): Promise<void> {
    this.isStopping = true;
    this.pause.cutShort();
    const timer = setTimeout(() => this.stopping.abort(new Error('the node stops')), graceMs);
    await this.loop;
    await Promise.all(this.running.values());
    clearTimeout(timer);
  }

  private async look(): Promise<void> {
    const { duties, repository, log } = this.options;
    const lookMs = Math.max(MIN_LOOK_MS, Math.min(LOOK_MS, this.leaseMs, ...duties.map(({ everyMs }) => everyMs)));
    let failures = 0;
    while (!this.isStopping) {
      try {
        const due = await repository.listDue(duties);
        for (const duty of duties) if (due.has(duty.name)) this.begin(duty);
        failures = 0;
      } catch (error) {
        log[failures++ === 0 ? 'error' : 'debug']({ err: error }, 'it could not be looked for duties');
      }
      await this.pause.wait(lookMs);
    }
  }

  private begin(duty: Duty): void {
    if (this.running.has(duty.name)) return;
    const work = this.work(duty)
      // Nobody has it any more, or its lease ends.
      .catch((error) =>
        this.options.log.error({ err: error, duty: duty.name }, 'a duty could not be taken or given back'),
      )
      .finally(() => this.running.delete(duty.name));
    this.running.set(duty.name, work);
  }

  private async work(duty: Duty): Promise<void> {
    const { repository, log } = this.options;
    const owner = Bun.randomUUIDv7();
    const lost = new AbortController();
    const claimedAt = performance.now();
    if (!(await repository.claim(duty, owner, this.leaseMs))) return;
    const signal = AbortSignal.any([this.stopping.signal, lost.signal]);
    const done = new AbortController();
    const renewing = this.renew(duty.name, owner, claimedAt, lost, done.signal);
    let isDone = true;
    try {
      await untilAborted(duty.run(signal), signal);
    } catch (error) {
      isDone = false;
      if (error instanceof WentOn) log.error({ duty: duty.name }, 'a duty does not heed its signal, and goes on');
      if (!signal.aborted)
        log.error({ err: error, duty: duty.name }, 'a duty failed and is tried again at its next time');
    } finally {
      done.abort();
      await renewing;
    }
    if (signal.aborted && !isDone) await repository.giveBack(duty.name, owner);
    else await repository.finish(duty.name, owner, duty.everyMs, isDone);
  }

  /** Says that this node lives, until the run is `done`. A lease that was lost, or may be, ends the run. */
  private async renew(
    name: string,
    owner: string,
    since: number,
    lost: AbortController,
    done: AbortSignal,
  ): Promise<void> {
    const { repository, log } = this.options;
    const pause = new Pause();
    done.addEventListener('abort', () => pause.cutShort(), { once: true });
    let renewedAt = since;
    for (;;) {
      await pause.wait(this.leaseMs / RENEWALS);
      if (done.aborted) return;
      const now = performance.now();
      try {
        if (!(await repository.renew(name, owner, this.leaseMs))) return lost.abort(new Error('another has the duty'));
        renewedAt = now;
      } catch (error) {
        log.warn({ err: error, duty: name }, 'a duty could not be renewed');
        if (performance.now() - renewedAt > this.leaseMs) return lost.abort(new Error('another may have the duty'));
      }
    }
  }

  private get leaseMs(): number {
    return this.options.leaseMs ?? LEASE_MS;
  }
}
