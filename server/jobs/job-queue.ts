import type { Database, Executor } from '../database/database.ts';
import type { JobKinds } from './handlers.ts';
import { insertJob } from './job-repository.ts';

/** What goes first; among equals what was due first. A higher one that never ends lets the lower ones wait. */
export const PRIORITIES = { high: 0, normal: 1, low: 2 } as const;
export type Priority = keyof typeof PRIORITIES;

/** The most that a payload may be, in bytes of its JSON: name large things, do not carry them. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;
const MAX_DEDUPE_KEY = 256;

export interface NewJob<Kind extends string, Payload> {
  kind: Kind;
  payload: Payload;
  /** Not before so many milliseconds from now. */
  delayMs?: number;
  priority?: Priority;
  /** Of a kind there is one job with this key at a time, whether it waits or runs. Operators see it: no secret. */
  dedupeKey?: string;
  /**
   * Where one with the key waits. `keep`, the default: that one stands for both, with its payload, at the earlier of the two
   * times and the higher of the two priorities; if it waits for another try, it goes on waiting. `replace`: this one takes
   * its place, with all tries.
   *
   * Where one with the key runs, it goes again after that, with the payload that is chosen in the same way.
   */
  onDuplicate?: 'keep' | 'replace';
}

/**
 * Where jobs come from. A job is written in the transaction of its cause: it is there exactly when that is committed, and
 * from then on it is tried until it is done or parked.
 */
export class JobQueue<Kinds extends object = JobKinds> {
  private readonly listeners = new Set<() => void>();

  constructor(private readonly engine: Database['engine']) {}

  /** Answers the id of the job, which is another's where that one stands for both. Call `wake` after the commit. */
  async enqueue<Kind extends keyof Kinds & string>(tx: Executor, job: NewJob<Kind, Kinds[Kind]>): Promise<string> {
    const { kind, delayMs = 0, priority = 'normal', dedupeKey, onDuplicate = 'keep' } = job;
    const payload = JSON.stringify(job.payload);
    if (payload === undefined) throw new TypeError(`the payload of a ${kind} is no JSON`);
    if (Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES) throw new RangeError(`the payload of a ${kind} is too large`);
    if (dedupeKey !== undefined && dedupeKey.length > MAX_DEDUPE_KEY) {
      throw new RangeError(`the dedupe key of a ${kind} is too long`);
    }
    return insertJob(tx, this.engine, {
      kind,
      payload,
      delayMs: Math.max(0, Math.round(delayMs)),
      priority: PRIORITIES[priority],
      dedupeKey: dedupeKey ?? null,
      onDuplicate,
    });
  }

  /** A hint: something was committed. The runner of this node looks at once, those of others within half a second. */
  wake(): void {
    for (const hear of this.listeners) hear();
  }

  /** Calls `hear` at each `wake`. Answers what ends that. */
  onWake(hear: () => void): () => void {
    this.listeners.add(hear);
    return () => this.listeners.delete(hear);
  }
}
