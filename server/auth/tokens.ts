import { createSecretKey, type KeyObject } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { Tokens as TokensAnswer } from '../../protocol/resources.ts';
import { Id } from '../../protocol/schemas.ts';
import type { Secrets } from '../config/secret.ts';
import type { Session, TokenClaims } from '../sessions/model.ts';
import { ParleyError } from '../shared/errors.ts';
import { VerifiedTokens } from './verified-tokens.ts';

const ISSUER = 'parley';
/** Whom the tokens of sessions are for: this program's own interface, and nothing else that knows the secret. */
const AUDIENCE = 'parley';
const ALGORITHM = 'HS256';

export type TokenType = 'access' | 'refresh';

export interface TokenOptions extends Secrets {
  /** Life of an access token, in milliseconds. */
  accessExpiryMs: number;
  now?: () => number;
}

export interface RefreshClaims extends TokenClaims {
  /** Number of this refresh token in its session. */
  generation: number;
}

interface ReadClaims extends TokenClaims {
  generation: unknown;
  /** In milliseconds since the Unix epoch. */
  expiresAt: number;
}

/**
 * Access and refresh tokens: JWTs (RFC 7519) with one algorithm, one issuer, one audience, and a type that keeps either from
 * being taken for the other (RFC 8725 §3.1, §3.9, §3.11; ASVS 9.1, 9.2).
 */
export class Tokens {
  private readonly keys: [KeyObject, ...KeyObject[]];
  private readonly accessExpiryMs: number;
  private readonly now: () => number;
  private readonly verified: VerifiedTokens;

  constructor(options: TokenOptions) {
    const previous = options.previous === '' ? [] : [toKey(options.previous)];
    this.keys = [toKey(options.current), ...previous];
    this.accessExpiryMs = options.accessExpiryMs;
    this.now = options.now ?? Date.now;
    this.verified = new VerifiedTokens(this.now);
  }

  /**
   * The tokens of a session as it now stands. The refresh token depends on the row alone, to the last byte: that is how
   * a repeated exchange gets the same successor though no token is stored.
   */
  async issue(session: Session): Promise<TokensAnswer> {
    const now = this.now();
    const expiresAt = Math.min(now + this.accessExpiryMs, session.expires_at);
    const claims = { sub: session.user_id, sid: session.id };
    return {
      access_token: await this.sign({ ...claims, typ: 'access' }, now, expiresAt),
      refresh_token: await this.sign(
        { ...claims, gen: session.generation, typ: 'refresh' },
        session.rotated_at,
        session.expires_at,
      ),
      expires_in: Math.max(1, Math.floor((expiresAt - now) / 1000)),
    };
  }

  /** Fails with `token_expired`, or with `invalid_token` for all that is no access token of ours. */
  async readAccess(token: string): Promise<TokenClaims> {
    const known = this.verified.get(token);
    if (known) return known;
    const { userId, sessionId, expiresAt } = await this.read(token, 'access', new Date(this.now()));
    this.verified.keep(token, { userId, sessionId }, expiresAt);
    return { userId, sessionId };
  }

  /** Fails with `token_expired`, or with `invalid_token` for all that is no refresh token of ours. */
  async readRefresh(token: string): Promise<RefreshClaims> {
    const { userId, sessionId, generation } = await this.read(token, 'refresh', new Date(this.now()));
    if (!Number.isSafeInteger(generation)) throw new ParleyError('invalid_token');
    return { userId, sessionId, generation: generation as number };
  }

  /** Whose token it is, expired or not: enough to sign out with, and for nothing else. */
  async readIgnoringExpiry(token: string, type: TokenType): Promise<TokenClaims | undefined> {
    try {
      return await this.read(token, type, new Date(0));
    } catch (error) {
      if (error instanceof ParleyError) return undefined;
      throw error;
    }
  }

  private async read(token: string, type: TokenType, at: Date): Promise<ReadClaims> {
    const payload = await this.verify(token, at);
    const { sub, sid, typ, gen, exp, aud } = payload;
    const [user, session] = [Id.safeParse(sub), Id.safeParse(sid)];
    // Tokens of before there was an audience say none: they hold until they expire, one JWT_REFRESH_EXPIRY at most.
    if (aud !== undefined && aud !== AUDIENCE) throw new ParleyError('invalid_token');
    if (typ !== type || !user.success || !session.success) throw new ParleyError('invalid_token');
    return { userId: user.data, sessionId: session.data, generation: gen, expiresAt: exp! * 1000 };
  }

  private async verify(token: string, currentDate: Date) {
    const options = { algorithms: [ALGORITHM], issuer: ISSUER, requiredClaims: ['exp'], currentDate };
    for (const key of this.keys) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue;
        if (error instanceof errors.JWTExpired) throw new ParleyError('token_expired');
        if (error instanceof errors.JOSEError) throw new ParleyError('invalid_token');
        throw error;
      }
    }
    throw new ParleyError('invalid_token');
  }

  private sign(claims: Record<string, unknown>, issuedAt: number, expiresAt: number): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt(Math.floor(issuedAt / 1000))
      .setExpirationTime(Math.ceil(expiresAt / 1000)) // up: the session's row is exact, and has the last word
      .sign(this.keys[0]);
  }
}

function toKey(secret: string): KeyObject {
  return createSecretKey(Buffer.from(secret, 'utf8'));
}
