import { normalPassword } from '../../protocol/text.ts';
import type { Config } from '../config/config.ts';
import { type Asker, HashQueue } from './hash-queue.ts';
import type { Names, PasswordField, PasswordStrength } from './password-strength.ts';

/** OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB and two passes, bcrypt with a work factor of 10. */
const ARGON2ID = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const;
const BCRYPT = { algorithm: 'bcrypt', cost: 10 } as const;

const ARGON2ID_HASH = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$/;
const BCRYPT_HASH = /^\$2[aby]\$(\d\d)\$/;

/** Passwords of strangers that may wait for each slot before some are refused as `unavailable`, and as many of those who are known. */
const WAITING_PER_SLOT = 100;

/** A hash that a password fits. */
export interface Fit {
  hash: string;
  /** Whether it is no hash as new ones are: of the kind that is not configured, cheaper, or of a password as it was typed. */
  isOld: boolean;
}

/**
 * Hashes and verifies passwords in their normal form (ASVS 11.4.2), a few at once: each takes tens of milliseconds of a core
 * and, with Argon2id, 19 MiB. Never called while a transaction is open.
 */
export class Passwords {
  private readonly kind: Config['auth']['password_hash'];
  private readonly queue: HashQueue;
  /** Verified where there is no account, so that this takes as long as a wrong password (ASVS 6.3.8). */
  private readonly dummy: Promise<string>;

  constructor(
    config: Pick<Config['auth'], 'password_hash' | 'password_hash_concurrency'>,
    private readonly strength: PasswordStrength,
  ) {
    this.kind = config.password_hash;
    const { password_hash_concurrency: atOnce } = config;
    this.queue = new HashQueue(atOnce, WAITING_PER_SLOT * atOnce);
    this.dummy = this.hash(crypto.randomUUID(), { kind: 'known', key: '' });
  }

  /** The hash of a password that somebody chose. Fails with `password_too_weak`. */
  async choose(password: string, asker: Asker, names: Names, field: PasswordField): Promise<string> {
    await this.strength.require(password, names, field);
    return this.hash(password, asker);
  }

  /** A hash of the configured kind. */
  hash(password: string, asker: Asker): Promise<string> {
    const normal = normalPassword(password);
    return this.queue.run(asker, () => Bun.password.hash(normal, this.kind === 'bcrypt' ? BCRYPT : ARGON2ID));
  }

  /**
   * Whether `password` is the one behind `hash`, of either kind. Hashes from before passwords were normalised are of what was
   * typed: a password that is not in its normal form is tried as it is, too. Without a hash: nothing, after the same time.
   */
  async verify(password: string, hash: string | null | undefined, asker: Asker): Promise<Fit | undefined> {
    const known = hash && (ARGON2ID_HASH.test(hash) || BCRYPT_HASH.test(hash)) ? hash : undefined;
    const compared = known ?? (await this.dummy);
    const normal = normalPassword(password);
    for (const form of new Set([normal, password])) {
      const matches = await this.queue.run(asker, () => Bun.password.verify(form, compared));
      if (matches && known !== undefined) return { hash: known, isOld: form !== normal || this.isOld(known) };
    }
    return undefined;
  }

  /** Whether `hash` is of the kind that is not configured, or cheaper than new ones are. */
  private isOld(hash: string): boolean {
    if (this.kind === 'bcrypt') return Number(BCRYPT_HASH.exec(hash)?.[1] ?? 0) < BCRYPT.cost;
    const [, memory, passes] = ARGON2ID_HASH.exec(hash) ?? [];
    return Number(memory ?? 0) < ARGON2ID.memoryCost || Number(passes ?? 0) < ARGON2ID.timeCost;
  }
}
