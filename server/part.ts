import type { Router } from './http/router.ts';
import type { Duty } from './jobs/duties.ts';
import type { AnyKinds, JobHandlers } from './jobs/handlers.ts';
import type { Check } from './monitoring/readiness.ts';
import type { FrameHandlers } from './realtime/frames.ts';
import type { Consumer } from './worker/jobs.ts';

/**
 * What a service adds to the program. Its `create-<service>.ts` makes the service from what it needs, tells the life cycle
 * how it starts and ends, registers its metrics, and returns this beside the service. `app.ts` lists the parts.
 */
export interface Part {
  /** Calls, answered by nodes with the role `api`. */
  routes?: Router[];
  /** Frames of sockets, taken by nodes with the role `realtime`. */
  frames?: FrameHandlers;
  /** Who is handed what happens in conversations, by nodes with the role `worker`. */
  consumers?: Consumer[];
  /** Who does which kinds of jobs of the queue, on nodes with the role `worker`. */
  jobs?: JobHandlers<AnyKinds>;
  /** What is done by the clock, on one node at a time: sweeps, what is kept only for so long. */
  duties?: Duty[];
  /** What must work for a node to take requests, by name. */
  checks?: Record<string, Check>;
  /** What a node goes on without, by name. */
  optionalChecks?: Record<string, Check>;
}
