import { BEFORE_ALL, type ConversationEvent, type Position } from '../chat/events/event.ts';
import type { EventHead } from '../chat/events/event-head.ts';
import type { PlacedEvent } from '../chat/events/event-page.ts';
import type { EventFeed } from '../chat/events/feed.ts';
import type { Logger } from '../shared/logger.ts';
import type { Outcome } from '../shared/outcome.ts';
import type { RetryPolicy } from '../shared/retry-policy.ts';
import type { Consumer, Hint, JobSource } from './jobs.ts';
import { headOfParked, type ParkedJob } from './model.ts';
import type { Claim, JobCounts, JobRepository } from './repository.ts';

/** How often what is due is looked for, and how long a hint is waited for at most, in milliseconds. */
const DUE_POLL_MS = 500;
const COUNT_MS = 10_000;
/** After a failure of the database or of the source, in milliseconds. */
const RECOVER_MS = 1000;
/** What a lease leaves for the database beyond a try's own time, in milliseconds. */
const LEASE_SLACK_MS = 5000;
/** For how long events may be handed over as they were read, in milliseconds. */
const FRESH_MS = 1000;
/** Events of one turn, and pages that it looks through: then other conversations that wait for a place have theirs. */
const TURN_EVENTS = 100;
/** After a turn that broke off without a trace in the database all is compared, but not more often than this, in milliseconds. */
const LOOK_AGAIN_MS = 10_000;
/** Cursors made at once when a consumer begins. */
const BEGIN_PAGE = 1000;
/** Beyond so many parked jobs nothing more is parked: conversations wait instead, at the longest delay. */
const MAX_PARKED = 10_000;

export interface WorkerOptions {
  consumer: Consumer;
  source: JobSource;
  repository: JobRepository;
  feed: EventFeed;
  retry: RetryPolicy;
  /** Conversations worked on at once. */
  concurrency: number;
  /** Whether no other process works on this database: then what is held at the start is held by the dead. */
  isAlone: boolean;
  log: Logger;
  /** A try ended. */
  observe(outcome: 'done' | 'failed' | 'parked'): void;
}

/** What is known of a worker's work at a moment. */
export interface WorkerState extends JobCounts {
  /** For how long the oldest work has waited, whether for its first try or for another, in milliseconds. */
  oldestMs: number;
  /** Hints in the stream, where there is one. */
  streamLength?: number;
}

/**
 * Hands what happens to a consumer: a conversation's events in order, conversations beside each other up to a bound.
 *
 * What is done stands in the database, as a cursor for each conversation; so does who works on it, and when it is tried
 * again. Memory holds the turns that run and one page of hints. An event is handed over at least once: again where a crash
 * or a lost lease came between its being handled and its cursor.
 */
export class Worker {
  private readonly running = new Map<string, Promise<void>>();
  /** Conversations with news while their turn runs: another follows. */
  private readonly again = new Map<string, Hint>();
  private readonly aborter = new AbortController();
  private loop: Promise<void> = Promise.resolve();
  private isStopping = false;
  /** When all is compared once more, by the steady clock. */
  private lookAgainAt = Number.POSITIVE_INFINITY;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private dueAt = 0;
  private countAt = 0;
  private known: JobCounts = { parked: 0, waiting: 0, oldestMs: 0 };

  constructor(private readonly options: WorkerOptions) {}

  /** Begins in the background: a database that is away delays it, and nothing else. */
  start(): void {
    this.loop = this.run();
  }

  /** Takes nothing new and waits for what runs; what is not done by then is given back. */
  async stop(graceMs: number): Promise<void> {
    this.isStopping = true;
    const timer = setTimeout(() => this.aborter.abort(new Error('the worker stops')), graceMs);
    await this.loop;
    await Promise.all(this.running.values());
    clearTimeout(timer);
    await this.options.source.stop();
  }

  /** Compares everything once more: the database may have gone back, as after a failover. */
  lookAgain(): void {
    this.lookAgainAt = 0;
  }

  get consumer(): string {
    return this.options.consumer.name;
  }

  state(): WorkerState {
    const { oldestMs, streamLength } = this.options.source.state();
    return { ...this.known, oldestMs: Math.max(this.known.oldestMs, oldestMs), streamLength };
  }

  private async run(): Promise<void> {
    await this.untilItWorks(() => this.begin());
    while (!this.isStopping) await this.untilItWorks(() => this.step());
  }

  /** What fails is tried again until it works, or the worker stops. */
  private async untilItWorks(work: () => Promise<void>): Promise<void> {
    for (let failures = 0; !this.isStopping; failures++) {
      try {
        await work();
        return;
      } catch (error) {
        const level = failures === 0 ? 'error' : 'debug';
        this.options.log[level]({ err: error, consumer: this.options.consumer.name }, 'the worker failed');
        await Bun.sleep(RECOVER_MS);
      }
    }
  }

  /**
   * The first time, everything that stands in the log is passed over: cursors are made at its end. A conversation without a
   * cursor is from then on one that is newer than the consumer.
   */
  private async begin(): Promise<void> {
    const { repository, feed, source, consumer, isAlone, log } = this.options;
    // Who keeps its own cursors knows from where on.
    if (typeof consumer.cursor !== 'object' && !(await repository.hasBegun())) {
      for await (const positions of feed.positions(BEGIN_PAGE)) await repository.insertCursors(positions);
      await repository.noteBegun();
      log.info({ consumer: consumer.name }, 'the consumer begins: what happens from now on is handed to it');
    }
    if (isAlone) await repository.releaseAll();
    await source.start();
  }

  private async step(): Promise<void> {
    if (performance.now() >= this.lookAgainAt) {
      this.lookAgainAt = Number.POSITIVE_INFINITY;
      this.lookedAt = performance.now();
      await this.options.source.start();
    }
    await this.count();
    const free = this.options.concurrency - this.running.size;
    if (free <= 0) {
      await Promise.race(this.running.values());
      return;
    }
    if (performance.now() >= this.dueAt) {
      this.dueAt = performance.now() + DUE_POLL_MS;
      await this.startDue(free);
      return;
    }
    const hints = await this.options.source.take(free, DUE_POLL_MS);
    if (hints.length > 0) await this.startHinted(hints);
  }

  /** What a metric says may be a little old; a scrape costs no query. */
  private async count(): Promise<void> {
    if (performance.now() < this.countAt) return;
    this.countAt = performance.now() + COUNT_MS;
    this.known = await this.options.repository.counts();
  }

  private async startDue(limit: number): Promise<void> {
    const { repository } = this.options;
    for (const conversationId of await repository.listDue(limit)) this.startTurn(conversationId);
    const left = this.options.concurrency - this.running.size;
    if (left <= 0) return;
    for (const job of await repository.listDueParked(left)) this.startAlone(`parked:${job.id}`, () => this.retry(job));
  }

  private async startHinted(hints: Hint[]): Promise<void> {
    const { repository, feed } = this.options;
    const idle = hints.filter((hint) => !this.noteNews(hint));
    const ids = idle.map((hint) => hint.conversationId);
    // Cursors first: what is done meanwhile makes a hint look needed, never needless.
    const cursors = await repository.cursorsOf(ids);
    const positions = await feed.positionsOf(ids);
    for (const hint of idle) {
      const cursor = cursors.get(hint.conversationId);
      const head = positions.get(hint.conversationId) ?? BEFORE_ALL;
      // What waits for its next try is due by itself.
      const isNeedless = cursor?.isWaiting || head.rev <= (cursor?.rev ?? 0);
      if (isNeedless) hint.done();
      else this.startTurn(hint.conversationId, hint);
    }
  }

  /**
   * True where a turn of the conversation runs: another follows it, and one hint is kept for that. Without a lease the hints
   * are all that reminds others, and all of them are kept until the turn is.
   */
  private noteNews(hint: Hint): boolean {
    const { conversationId } = hint;
    if (!this.running.has(conversationId)) return false;
    const waiting = this.again.get(conversationId);
    if (!waiting) this.again.set(conversationId, hint);
    else if (isUnleased(this.options.consumer)) this.again.set(conversationId, joined(waiting, hint));
    else hint.done();
    return true;
  }

  private startTurn(conversationId: string, hint?: Hint): void {
    this.startAlone(conversationId, () => this.turn(conversationId, hint));
  }

  private startAlone(key: string, work: () => Promise<void>): void {
    if (this.running.has(key)) return;
    const { log, consumer } = this.options;
    const turn = work()
      .catch((error) => {
        log.error({ err: error, consumer: consumer.name }, 'a turn of the worker failed');
        // What it held is due again when the lease ends; where there is none, only a comparison finds it.
        if (isUnleased(consumer)) this.lookAgainAt = Math.max(performance.now(), this.lookedAt + LOOK_AGAIN_MS);
      })
      .finally(() => {
        this.running.delete(key);
        const hint = this.again.get(key);
        this.again.delete(key);
        if (hint && !this.isStopping) this.startTurn(key, hint);
      });
    this.running.set(key, turn);
  }

  private async turn(conversationId: string, hint?: Hint): Promise<void> {
    const { repository, feed, consumer } = this.options;
    const claim = await repository.claim(conversationId, this.leaseMs, () => hint?.done());
    if (!claim) return;
    let handed = 0;
    const wants = consumer.wants.bind(consumer);
    while (handed < TURN_EVENTS && !this.isStopping) {
      const { isDerived, seq, rev } = claim;
      const { events, end, isWhole } = await feed.eventsAfter(conversationId, { seq, rev, isDerived, wants });
      const freshUntil = performance.now() + FRESH_MS;
      let isFresh = true;
      for (const event of events) {
        if (!isFresh) break;
        if (!(await this.handOver(claim, event))) return;
        handed++;
        isFresh = !this.isStopping && performance.now() <= freshUntil;
      }
      if (!isFresh) continue;
      // What is not wanted is passed over.
      Object.assign(claim, end, { isDerived: false });
      if (isWhole) {
        await repository.release(claim);
        return;
      }
      handed++;
    }
    await repository.giveBack(claim);
  }

  /** True where the event is done or parked, and the turn goes on behind it. */
  private async handOver(claim: Claim, { event, head, position }: PlacedEvent): Promise<boolean> {
    const { repository, retry, consumer, log } = this.options;
    // What lies between was passed over.
    Object.assign(claim, positionBefore(head, position), { isDerived: false });
    const outcome = await this.attempt(event, position);
    if (outcome === undefined) {
      await repository.giveBack(claim);
      return false;
    }
    if (outcome.kind === 'done') {
      Object.assign(claim, position);
      const isMine = await repository.advance(claim, this.leaseMs);
      claim.attempts = 0;
      return isMine;
    }
    const { conversation_id, rev, kind } = event;
    const attempts = claim.attempts + 1;
    const fields = { consumer: consumer.name, conversation_id, rev, kind, attempts, reason: outcome.reason };
    if (outcome.kind === 'hopeless' || retry.isOver(attempts)) {
      if (this.known.parked < MAX_PARKED) {
        Object.assign(claim, position, { attempts: 0 });
        const isMine = await repository.park(claim, head, attempts, outcome.reason, this.leaseMs);
        this.known.parked++;
        this.options.observe('parked');
        log.error(fields, 'a job is parked: see "parley jobs"');
        return isMine;
      }
      log.error(fields, 'too many jobs are parked: the conversation waits');
    }
    const delayMs = this.delayAfter(attempts, outcome);
    log[attempts === 1 ? 'warn' : 'debug']({ ...fields, delay_ms: delayMs }, 'a job failed and is tried again');
    await repository.postpone(claim, attempts, delayMs);
    return false;
  }

  /** Another try of a job that was parked, apart from its conversation's order. */
  private async retry(job: ParkedJob): Promise<void> {
    const { repository, feed, retry, log, consumer } = this.options;
    if (!(await repository.claimParked(job, this.leaseMs))) return;
    const head = headOfParked(job) ?? (await feed.creation(job.conversation_id, job.seq ?? 0));
    const event = head && (await feed.event(job.conversation_id, head));
    const outcome: Outcome | undefined = event
      ? await this.attempt(event)
      : { kind: 'hopeless', reason: 'there is no such message' };
    if (outcome === undefined) {
      await repository.postponeParked(job.id, job.attempts, job.reason, 0);
      return;
    }
    if (outcome.kind === 'done') {
      await repository.deleteParked(job.id);
      return;
    }
    const attempts = job.attempts + 1;
    const isOver = outcome.kind === 'hopeless' || retry.isOver(attempts);
    const delayMs = isOver ? undefined : this.delayAfter(attempts, outcome);
    await repository.postponeParked(job.id, attempts, outcome.reason, delayMs);
    if (!isOver) return;
    this.options.observe('parked');
    log.error({ consumer: consumer.name, job_id: job.id, attempts, reason: outcome.reason }, 'a job is parked again');
  }

  /** How long to wait after so many failures, and not less than the other side asked for. */
  private delayAfter(attempts: number, outcome: Outcome): number {
    return this.options.retry.delay(attempts, outcome.kind === 'failed' ? outcome.afterMs : undefined);
  }

  /** One try; undefined where it was broken off because the worker stops. */
  private async attempt(event: ConversationEvent, position?: Position): Promise<Outcome | undefined> {
    const { consumer, observe, log } = this.options;
    const { signal } = this.aborter;
    let outcome: Outcome;
    try {
      outcome = await consumer.handle(event, signal, position);
    } catch (error) {
      if (signal.aborted) return undefined;
      log.error({ err: error, consumer: consumer.name }, 'a consumer threw');
      outcome = { kind: 'failed', reason: 'an error of the program: see its log' };
    }
    observe(outcome.kind === 'done' ? 'done' : 'failed');
    return outcome;
  }

  private get leaseMs(): number {
    return this.options.consumer.timeoutMs + LEASE_SLACK_MS;
  }
}

function joined(one: Hint, other: Hint): Hint {
  return {
    conversationId: one.conversationId,
    done() {
      one.done();
      other.done();
    },
  };
}

function positionBefore({ seq, rev }: EventHead, position: Position): Position {
  return { seq: seq === undefined ? position.seq : seq - 1, rev: rev - 1 };
}

/** Whether turns write nothing while all goes well. */
export function isUnleased({ cursor = 'each' }: Consumer): boolean {
  return cursor !== 'each';
}
