import { type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Secrets } from '../config/secret.ts';
import { derivedKeys } from '../shared/derived-key.ts';

/** What nodes seal: each has a key of its own, so that nothing of one can be taken for another. */
export type Sealed = 'publications' | 'sessions';

/** Letters of a seal: 132 bits of the HMAC. */
const LENGTH = 22;

/**
 * Says of what comes from Redis that a node of this installation put it there (HMAC-SHA-256, RFC 2104; ASVS 11.3.3). The keys are
 * derived (HKDF, RFC 5869) from the secret that signs the tokens, and from the one before it, which still verifies.
 *
 * A seal holds at one place alone, such as a channel or an entry of a key. That something was sealed before, and is put there
 * again, it does not see: what is sealed has to bear a time.
 */
export class Seal {
  /** How many letters a seal has: each is one byte. */
  readonly length = LENGTH;
  /** A hasher for each key, which copies begin with: it is told its key once. */
  private readonly hashers: [Bun.CryptoHasher, ...Bun.CryptoHasher[]];
  /** What is compared, without memory of its own for each seal. */
  private readonly given = Buffer.alloc(LENGTH);
  private readonly right = Buffer.alloc(LENGTH);

  constructor(what: Sealed, secrets: Secrets) {
    const [newest, ...older] = derivedKeys(secrets, `redis ${what}`);
    this.hashers = [hasherOf(newest), ...older.map(hasherOf)];
  }

  /** The seal of a text, which may come in parts, at a place. */
  of(place: string, ...text: string[]): string {
    return compute(this.hashers[0], place, text);
  }

  /** Whether a seal is that of this text at this place. Takes the same time wherever it differs (ASVS 11.2.4). */
  holds(seal: string, place: string, ...text: string[]): boolean {
    if (seal.length !== LENGTH) return false;
    this.given.fill(0).write(seal);
    return this.hashers.some((hasher) => {
      this.right.write(compute(hasher, place, text));
      return timingSafeEqual(this.given, this.right);
    });
  }
}

function hasherOf(key: KeyObject): Bun.CryptoHasher {
  return new Bun.CryptoHasher('sha256', key.export());
}

function compute(hasher: Bun.CryptoHasher, place: string, text: string[]): string {
  // With its length, so that no place and text can be read as another place and another text.
  const hmac = hasher.copy().update(`${place.length}:${place}`);
  for (const part of text) hmac.update(part);
  return hmac.digest('base64url').slice(0, LENGTH);
}
