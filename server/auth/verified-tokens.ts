import { hash } from 'node:crypto';
import type { TokenClaims } from '../sessions/model.ts';

const MAX_TOKENS = 10_000;

/**
 * Access tokens whose signature was found good, until they expire: the same one comes with every request of a client, and
 * to verify it takes a turn at another thread. Only that the token is ours is remembered; whether its session holds is
 * asked each time. Tokens are known by their SHA-256, so that none lies in memory.
 */
export class VerifiedTokens {
  private readonly known = new Map<string, { claims: TokenClaims; expiresAt: number }>();

  constructor(private readonly now: () => number) {}

  /** What the token says, where it was verified before and has not expired. */
  get(token: string): TokenClaims | undefined {
    const key = keyOf(token);
    const found = this.known.get(key);
    if (!found) return undefined;
    if (found.expiresAt > this.now()) return found.claims;
    this.known.delete(key);
    return undefined;
  }

  /** `expiresAt`: in milliseconds since the Unix epoch. */
  keep(token: string, claims: TokenClaims, expiresAt: number): void {
    if (this.known.size >= MAX_TOKENS) this.known.delete(this.known.keys().next().value!);
    this.known.set(keyOf(token), { claims, expiresAt });
  }
}

function keyOf(token: string): string {
  return hash('sha256', token, 'base64url');
}
