import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/**
 * A key for one purpose, made of the secret that signs tokens (RFC 5869): what is signed with it is worth nothing where
 * another key of ours is asked for.
 */
export function derivedKey(secret: string, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `parley ${purpose}`, 32)));
}

/** What keys are made of. */
export interface Secrets {
  secret: string;
  /** The one before it, while it is being rotated out; empty for none. */
  previousSecret: string;
}

/** The keys for one purpose: the first makes what is new, each of them reads. */
export function derivedKeys({ secret, previousSecret }: Secrets, purpose: string): [KeyObject, ...KeyObject[]] {
  const previous = previousSecret === '' ? [] : [derivedKey(previousSecret, purpose)];
  return [derivedKey(secret, purpose), ...previous];
}
