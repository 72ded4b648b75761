import type { BehindCursorsRepository } from './behind-cursors-repository.ts';
import type { Relay } from './relay.ts';
import type { Worker, WorkerState } from './worker.ts';

/** The workers of this process: each consumer has one of its own, so that none waits for another. */
export class Workers {
  constructor(
    private readonly workers: Worker[],
    private readonly behind: BehindCursorsRepository,
    /** Where there are several nodes. */
    private readonly relay: Relay | undefined,
  ) {}

  start(): void {
    this.behind.start();
    for (const worker of this.workers) worker.start();
    this.relay?.start();
  }

  /** Takes nothing new and waits for what runs, at most so long; what is not done by then is given back. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.workers.map((worker) => worker.stop(graceMs)), this.relay?.stop()]);
    await this.behind.stop();
  }

  /** Compares everything once more: the database may have gone back, as after a failover. */
  lookAgain(): void {
    this.behind.forget();
    for (const worker of this.workers) worker.lookAgain();
    this.relay?.lookAgain();
  }

  /** What is known of each consumer's work. */
  states(): Map<string, WorkerState> {
    return new Map(this.workers.map((worker) => [worker.consumer, worker.state()]));
  }
}
