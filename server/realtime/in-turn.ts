import pLimit, { type LimitFunction } from 'p-limit';

/** Does what is asked for under one key one after the other: an account's many sockets are not to take all threads that read. */
export class InTurn {
  private readonly turns = new Map<string, LimitFunction>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turns = this.turns.get(key) ?? pLimit(1);
    this.turns.set(key, turns);
    try {
      return await turns(work);
    } finally {
      if (turns.activeCount + turns.pendingCount === 0) this.turns.delete(key);
    }
  }
}
