import pLimit, { type LimitFunction } from 'p-limit';
import { ParleyError } from '../shared/errors.ts';

/** How many answers are made at once, of all accounts and of one. */
export interface AtOnce {
  all: number;
  account: number;
}

/** Pages: of one account as many as a browser asks one host for; of all as many as keep the threads that read busy. */
export const PAGES: AtOnce = { all: 8, account: 6 };
/** Answers to a `sync` are short for most of a crowd, and the more of them are made together the more they share. */
export const SYNCS: AtOnce = { all: 64, account: 1 };
/** Requests that wait for their turn, at most. */
const MAX_WAITING = { all: 20_000, account: 100 };
const RETRY_MS = 1000;

/** What is read: a page of something, or all that was missed. */
export type ReadKind = 'page' | 'sync';
export type BeginRead = (accountId: string, kind: ReadKind) => Promise<ReadTurn>;

/** A turn to make an answer that may be long. */
export interface ReadTurn {
  /** The answer is made: somebody else's may be. */
  made(): void;
  /** It is being read: its account may have the next one. */
  sent(): void;
}

/**
 * Who may read what can be long, and when. A crowd that comes back takes turns: little memory is in use at once, and none of
 * them is slow for all. Nobody takes the turns of all, and who does not read their answers holds up only themselves.
 */
export class ReadTurns {
  private readonly all: LimitFunction;
  private readonly accounts = new Map<string, LimitFunction>();
  private waiting = 0;

  constructor(private readonly atOnce: AtOnce) {
    this.all = pLimit(atOnce.all);
  }

  /** Fails with `rate_limited` where too many of the account wait already, with `unavailable` where too many do of all. */
  async take(accountId: string): Promise<ReadTurn> {
    if (this.waiting >= MAX_WAITING.all) throw new ParleyError('unavailable');
    this.waiting++;
    try {
      const sent = await this.takeOfAccount(accountId);
      return { made: await begin(this.all), sent };
    } finally {
      this.waiting--;
    }
  }

  private async takeOfAccount(accountId: string): Promise<() => void> {
    const turns = this.accounts.get(accountId) ?? pLimit(this.atOnce.account);
    this.accounts.set(accountId, turns);
    if (turns.pendingCount >= MAX_WAITING.account) {
      const message = 'Too many requests at once: read the answers to those before';
      throw new ParleyError('rate_limited', message, { retryAfterMs: RETRY_MS });
    }
    return begin(turns, () => {
      if (turns.activeCount + turns.pendingCount === 0) this.accounts.delete(accountId);
    });
  }
}

/** Waits for a turn; resolves with what ends it. `onEnd` is called when it has ended. */
async function begin(turns: LimitFunction, onEnd = () => {}): Promise<() => void> {
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const turn = turns(() => {
    begun.resolve();
    return over.promise;
  });
  void turn.then(onEnd);
  await begun.promise;
  return over.resolve;
}
