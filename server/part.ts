import type { Router } from './http/router.ts';
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
}
