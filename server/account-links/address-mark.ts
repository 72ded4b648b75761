import { createHash } from 'node:crypto';

/** By what an address is counted: the counters hold none that was typed. */
export function addressMark(email: string): string {
  return createHash('sha256').update(email).digest('base64url');
}
