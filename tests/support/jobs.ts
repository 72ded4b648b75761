import { pino } from 'pino';
import { z } from 'zod';
import type { Database } from '../../server/database/database.ts';
import { Duties, type Duty } from '../../server/jobs/duties.ts';
import { DutyRepository } from '../../server/jobs/duty-repository.ts';
import type { AnyKinds, JobHandler, JobHandlers, JobRun } from '../../server/jobs/handlers.ts';
import { JobQueue, type NewJob } from '../../server/jobs/job-queue.ts';
import { JobRepository } from '../../server/jobs/job-repository.ts';
import { JobRunner } from '../../server/jobs/job-runner.ts';
import type { Outcome } from '../../server/shared/outcome.ts';
import { RetryPolicy } from '../../server/shared/retry-policy.ts';
import { eventually } from './eventually.ts';

/** The one kind of the tests. */
export interface Note {
  text: string;
}

/** What one runner is to do. */
export interface NoteRunner {
  handle(note: Note, run: JobRun): Promise<Outcome> | Outcome;
  timeoutMs?: number;
  concurrency?: number;
  /** The longest first wait between two tries, and the longest of all, in milliseconds. */
  waitsMs?: [base: number, cap: number];
}

/** A queue on a database, and what several nodes would run on it. */
export class JobsStage {
  readonly repository: JobRepository;
  readonly queue: JobQueue<{ note: Note }>;
  /** What was logged. */
  readonly lines: { msg: string; [field: string]: unknown }[] = [];
  /** Tries that ended. */
  readonly observed: string[] = [];
  private readonly log = pino({ level: 'debug' }, { write: (line: string) => this.lines.push(JSON.parse(line)) });
  private readonly started = new Set<{ stop(graceMs: number): Promise<void> }>();

  constructor(readonly database: Database) {
    this.repository = new JobRepository(database);
    this.queue = new JobQueue(database.engine);
  }

  /** Writes a job in a transaction of its own, and gives the hint. */
  async add(text: string, options: Partial<NewJob<'note', Note>> = {}): Promise<string> {
    const id = await this.database.transaction((tx) =>
      this.queue.enqueue(tx, { kind: 'note', payload: { text }, ...options }),
    );
    this.queue.wake();
    return id;
  }

  /** Starts a runner, as one of several nodes would. */
  run({ handle, timeoutMs = 10_000, concurrency = 4, waitsMs = [1, 5] }: NoteRunner): JobRunner {
    const note: JobHandler<Note> = {
      schema: z.object({ text: z.string() }),
      timeoutMs,
      handle: async (payload, run) => handle(payload, run),
    };
    return this.start({ note } as JobHandlers<AnyKinds>, concurrency, waitsMs);
  }

  start(handlers: JobHandlers<AnyKinds>, concurrency = 4, [baseMs, capMs] = [1, 5]): JobRunner {
    const runner = new JobRunner({
      handlers,
      queue: this.queue,
      repository: this.repository,
      retry: new RetryPolicy({ tries: 3, baseMs, capMs }, () => 1),
      concurrency,
      isAlone: false,
      log: this.log,
      observe: (_, outcome) => this.observed.push(outcome),
    });
    this.started.add(runner);
    runner.start();
    return runner;
  }

  /** Starts the duties of a node. */
  startDuties(duties: Duty[], leaseMs?: number): Duties {
    const started = new Duties({ duties, repository: new DutyRepository(this.database), log: this.log, leaseMs });
    this.started.add(started);
    started.start();
    return started;
  }

  /** The rows of the queue. */
  rows() {
    return this.database.read.selectFrom('jobs').selectAll().orderBy('id').execute();
  }

  /** Resolves once nothing waits or runs. */
  async settled(): Promise<void> {
    await eventually('the queue is empty', async () =>
      (await this.rows()).every(({ parked_at }) => parked_at !== null),
    );
  }

  async end(): Promise<void> {
    await Promise.all([...this.started].map((one) => one.stop(0)));
  }
}
