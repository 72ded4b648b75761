import type { Logger } from '../shared/logger.ts';
import type { Outcome } from '../shared/outcome.ts';
import { untilAborted, WentOn } from './deadline.ts';
import type { JobHandler } from './handlers.ts';
import type { ClaimedJob } from './job-repository.ts';

/** How a try ended; `broken off` by a stop of the node. */
export type Ending = Outcome | { kind: 'broken off' };

/** One try of one job: it ends by itself, by its time, or by a stop of the node. */
export class JobTry {
  private readonly aborter = new AbortController();
  private isOverdue = false;

  constructor(
    private readonly job: ClaimedJob,
    private readonly handler: JobHandler<unknown>,
    private readonly log: Logger,
  ) {}

  /** Never fails. An abort of `stopping` breaks it off. */
  async run(stopping: AbortSignal): Promise<Ending> {
    if (stopping.aborted) return { kind: 'broken off' };
    const stop = () => this.aborter.abort(stopping.reason);
    stopping.addEventListener('abort', stop, { once: true });
    const timer = setTimeout(() => {
      this.isOverdue = true;
      this.aborter.abort(new Error('the time for the job is over'));
    }, this.handler.timeoutMs);
    try {
      return await this.handle();
    } catch (error) {
      return this.endingOf(error);
    } finally {
      clearTimeout(timer);
      stopping.removeEventListener('abort', stop);
    }
  }

  private async handle(): Promise<Outcome> {
    const { id, attempts, payload: text } = this.job;
    const payload = this.handler.schema.safeParse(JSON.parse(text));
    // What is wrong with it may quote it, and is not told.
    if (!payload.success) return { kind: 'hopeless', reason: 'the payload has another shape than the handler takes' };
    const { signal } = this.aborter;
    return untilAborted(this.handler.handle(payload.data, { signal, attempt: attempts, jobId: id }), signal);
  }

  private endingOf(error: unknown): Ending {
    const fields = { job_id: this.job.id, kind: this.job.kind };
    if (error instanceof WentOn) this.log.error(fields, 'a handler of jobs does not heed its signal, and goes on');
    if (this.isOverdue) return { kind: 'failed', reason: `it took longer than ${this.handler.timeoutMs} ms` };
    if (this.aborter.signal.aborted) return { kind: 'broken off' };
    this.log.error({ err: error, ...fields }, 'a handler of jobs threw');
    return { kind: 'failed', reason: 'an error of the program: see its log' };
  }
}
