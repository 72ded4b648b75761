import type { z } from 'zod';
import type { Outcome } from '../shared/outcome.ts';

/**
 * The kinds of jobs, and what each carries: `{ mail: MailJob; thumbnail: ThumbnailJob }`. A feature that has jobs names
 * them here. A kind's name is never given to something else: nodes of two versions work on one queue.
 */
export type JobKinds = Record<never, never>;

/** Kinds that are not known by name. */
export type AnyKinds = Record<string, unknown>;

/** What a handler is told beside the payload. */
export interface JobRun {
  /** Ends the try: its time is over, or the node stops. */
  readonly signal: AbortSignal;
  /** 1 for the first try. */
  readonly attempt: number;
  /** The same for all tries of a job: what is not to happen twice can be known by it. */
  readonly jobId: string;
}

/** Does the jobs of one kind. */
export interface JobHandler<Payload> {
  /** What it takes; a payload of another shape is parked. */
  readonly schema: z.ZodType<Payload>;
  /** The most that a try may take, in milliseconds; then `signal` is aborted. */
  readonly timeoutMs: number;
  /**
   * One try. At least once: after a crash it comes again. It ends soon after `signal` is aborted, and may throw then; what it
   * throws before is a failure that is tried again.
   */
  handle(payload: Payload, run: JobRun): Promise<Outcome>;
}

/** Who does which kinds on this node. A kind that is not here is left to other nodes. */
export type JobHandlers<Kinds extends object = JobKinds> = {
  readonly [Kind in keyof Kinds]?: JobHandler<Kinds[Kind]>;
};

/** The handlers of a part, as the runner takes them: it checks each payload against its handler's schema before the call. */
export function jobsOf<Kinds extends object>(handlers: JobHandlers<Kinds>): JobHandlers<AnyKinds> {
  return handlers as unknown as JobHandlers<AnyKinds>;
}
