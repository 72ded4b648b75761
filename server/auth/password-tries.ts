import { createHmac, type KeyObject } from 'node:crypto';
import type { RateLimit, RateLimits } from '../limits/rate-limits.ts';
import { derivedKey } from '../shared/derived-key.ts';
import { type Account, type Handle, uniqueName } from '../users/model.ts';
import type { Asker } from './hash-queue.ts';

type Limits = Pick<RateLimits, 'login_account' | 'login_account_strangers'>;

/** A password that is about to be tried: how it counts, and how it waits to be hashed. */
export interface Try {
  asker: Asker;
  /** The limits that count it, the tightest first, each with its key. */
  counts: { limit?: RateLimit; key: string }[];
}

/**
 * Counts the passwords that are tried at an account, so that nobody guesses one and nobody's guesses keep its owner out
 * (ASVS 6.1.1, 6.3.1): strangers by the account and their address, and loosely by the account alone; a device that has
 * signed in to the account before by itself; who is signed in by their session.
 */
export class PasswordTries {
  private readonly key: KeyObject;

  constructor(
    private readonly limits: Limits,
    secret: string,
  ) {
    this.key = derivedKey(secret, 'names of accounts');
  }

  /** By somebody at `address` who has shown nothing yet; `name` is of `nameOf`. */
  byStranger(name: string, address: string): Try {
    const { login_account, login_account_strangers } = this.limits;
    return {
      asker: { kind: 'stranger', key: address },
      counts: [
        { limit: login_account, key: `${name} from ${address}` },
        { limit: login_account_strangers, key: name },
      ],
    };
  }

  /** By a device that has signed in to the account before. */
  byDevice(userId: string, deviceId: string): Try {
    return {
      asker: { kind: 'known', key: userId },
      counts: [{ limit: this.limits.login_account, key: `${userId} by device ${deviceId}` }],
    };
  }

  /** By somebody who is signed in and is asked for the password again. */
  bySession(userId: string, sessionId: string): Try {
    return {
      asker: { kind: 'known', key: userId },
      counts: [{ limit: this.limits.login_account, key: `${userId} by session ${sessionId}` }],
    };
  }

  /**
   * Counts a try, and asks `isRight`. A right one forgets the wrong ones before it where they were counted as tightly, and
   * does not count anywhere; one that was not judged, as there was no room to hash it, does not count either. Fails with
   * `rate_limited` where there were too many.
   */
  async judge({ counts }: Try, isRight: () => Promise<boolean>): Promise<boolean> {
    const counted: typeof counts = [];
    const giveBack = (some: typeof counts) => Promise.all(some.map(({ limit, key }) => limit?.giveBack(key)));
    try {
      for (const count of counts) {
        await count.limit?.take(count.key);
        counted.push(count);
      }
      if (!(await isRight())) return false;
    } catch (error) {
      await giveBack(counted);
      throw error;
    }
    const [tightest, ...others] = counts;
    await Promise.all([tightest?.limit?.reset(tightest.key), giveBack(others)]);
    return true;
  }

  /**
   * The name that tries count for: the account, by whichever of its names it is called; for one that is not there the name itself,
   * with all of its spellings alike: else they would tell, by when they are too many, whether there is an account. The name
   * is told by a keyed hash, in counters and in logs: what was typed there may have been the password (ASVS 16.2.5).
   */
  nameOf(account: Account | undefined, handle: Handle): string {
    if (account) return account.id;
    const name = uniqueName(handle);
    const typed = name
      ? `${name.column}:${name.value}`
      : `none:${(handle.email ?? handle.username ?? handle.phone_number ?? '').trim().toLowerCase()}`;
    return `nobody-${createHmac('sha256', this.key).update(typed).digest('base64url').slice(0, 22)}`;
  }
}
