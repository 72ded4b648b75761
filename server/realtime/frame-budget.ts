import {
  FRAME_BURST_BYTES,
  FRAME_BYTES_A_SECOND,
  MAX_FRAME_BYTES,
  MAX_WAITING_BYTES,
  MIN_FRAME_BYTES,
} from '../../protocol/limits.ts';

const BYTES_A_MS = FRAME_BYTES_A_SECOND / 1000;

/** What was sent lately, in bytes: it is forgotten at the pace at which it may be sent. */
class Meter {
  private bytes = 0;
  private at = 0;

  /** Adds bytes, and returns what there is with them. */
  add(bytes: number, now: number): number {
    this.bytes = Math.max(0, this.bytes - (now - this.at) * BYTES_A_MS) + bytes;
    this.at = now;
    return this.bytes;
  }
}

/** What a socket may send. Times are those of `performance.now()`. */
export interface FrameBudget {
  /**
   * Counts a frame. Returns when it may be handled: now, or once it may have been sent; undefined where the socket is to be
   * closed.
   */
  take(bytes: number, now: number): number | undefined;
  /** To be called when the socket is gone. */
  release(): void;
}

/** That of a server without limits. */
export const NO_LIMIT: FrameBudget = { take: (_, now) => now, release() {} };

interface Account {
  meter: Meter;
  sockets: number;
}

/**
 * Counts the bytes of frames of each account on this node, all of its sockets together. A burst that is too large is handled
 * more slowly, not refused: a client that comes back has much to say. One that goes on all the same is closed, and not its
 * account's other sockets: they have sent little.
 */
export class FrameBudgets {
  private readonly accounts = new Map<string, Account>();

  /** The budget of one more socket of an account. */
  open(userId: string): FrameBudget {
    const account = this.accounts.get(userId) ?? { meter: new Meter(), sockets: 0 };
    this.accounts.set(userId, account);
    account.sockets++;
    const own = new Meter();
    return {
      take(length, now) {
        const bytes = Math.max(MIN_FRAME_BYTES, length);
        const ownBytes = own.add(bytes, now);
        const beyond = account.meter.add(bytes, now) - FRAME_BURST_BYTES;
        if (beyond <= 0) return now;
        return beyond > MAX_WAITING_BYTES && ownBytes > MAX_FRAME_BYTES ? undefined : now + beyond / BYTES_A_MS;
      },
      release() {
        account.sockets--;
      },
    };
  }

  /** Forgets who has no socket and has sent nothing lately. Who comes back before goes on where they were. */
  sweep(now: number): void {
    for (const [userId, { meter, sockets }] of this.accounts) {
      if (sockets === 0 && meter.add(0, now) === 0) this.accounts.delete(userId);
    }
  }
}
