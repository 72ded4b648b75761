import { createHash } from 'node:crypto';

/**
 * A digest of the hash of a password: what carries it is worth nothing once there is another password, and tells nothing of
 * the hash.
 */
export function passwordMark(hash: string | null): string | null {
  return hash === null ? null : createHash('sha256').update(hash).digest('base64url');
}
