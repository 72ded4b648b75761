/**
 * Work that is asked for again and again, as by a timer: one turn runs at a time, and behind it waits one more at most,
 * which serves everybody who asked meanwhile. So nothing piles up behind a turn that takes long.
 */
export class CoalescedTask {
  private running: Promise<void> | undefined;
  private isWanted = false;

  constructor(
    private readonly work: () => Promise<void>,
    /** Told of a turn that failed; the next one is tried all the same. */
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Asks for a turn that begins after this call. */
  request(): void {
    this.isWanted = true;
    this.running ??= this.run();
  }

  /** Resolves once no turn runs or waits. */
  async idle(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    await Promise.resolve(); // or a turn that asks for another would begin it inside itself
    while (this.isWanted) {
      this.isWanted = false;
      await this.work().catch(this.failed);
    }
    this.running = undefined;
  }
}
