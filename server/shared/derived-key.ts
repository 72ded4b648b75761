import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { Secrets } from '../config/secret.ts';

/**
 * A key for one purpose, made of the secret that signs tokens (RFC 5869): what is signed with it is worth nothing where
 * another key of ours is asked for.
 */
export function derivedKey(secret: string, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `parley ${purpose}`, 32)));
}

/** The keys for one purpose: the first makes what is new, each of them reads. */
export function derivedKeys({ current, previous }: Secrets, purpose: string): [KeyObject, ...KeyObject[]] {
  const older = previous === '' ? [] : [derivedKey(previous, purpose)];
  return [derivedKey(current, purpose), ...older];
}
