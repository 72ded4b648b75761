import type { KeyObject } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { Id } from '../../protocol/schemas.ts';
import type { Secrets } from '../config/secret.ts';
import { derivedKeys } from '../shared/derived-key.ts';

/** How long a device is known after its last log-in, in milliseconds: as long as browsers keep a cookie (RFC 6265bis §5.5). */
export const DEVICE_KNOWN_MS = 400 * 86_400_000;
/** Accounts that one device is known to at once, the latest first: people share a browser. */
const MAX_ACCOUNTS = 8;

const ISSUER = 'parley';
const AUDIENCE = 'parley-device';
const ALGORITHM = 'HS256';
const PURPOSE = 'device tokens';

/** A browser or an app that has signed in before. */
export interface Device {
  id: string;
  /** The accounts that it signed in to. */
  userIds: string[];
}

const Claims = z.object({ typ: z.literal('device'), did: Id, users: z.array(Id).min(1).max(MAX_ACCOUNTS) });

/**
 * Says that a device has signed in to an account before, and nothing else: nobody is signed in by it. It is signed by a key of
 * its own and has an audience and a type of its own, so that it is no token of a session, nor one of those it (ASVS 9.2.2, 9.2.3).
 */
export class DeviceTokens {
  private readonly keys: [KeyObject, ...KeyObject[]];
  private readonly now: () => number;

  constructor(options: Secrets & { now?: () => number }) {
    this.keys = derivedKeys(options, PURPOSE);
    this.now = options.now ?? Date.now;
  }

  /** The device that a token is of; undefined where it is none of ours, or too old: whoever sends it is a stranger, no more. */
  async read(token: string): Promise<Device | undefined> {
    for (const key of this.keys) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: [ALGORITHM],
          issuer: ISSUER,
          audience: AUDIENCE,
          requiredClaims: ['exp'],
          currentDate: new Date(this.now()),
        });
        const claims = Claims.safeParse(payload);
        return claims.success ? { id: claims.data.did, userIds: claims.data.users } : undefined;
      } catch (error) {
        if (!(error instanceof errors.JOSEError)) throw error;
      }
    }
    return undefined;
  }

  /** The token of a device that has just signed in to an account: of the one that it was, or of a new one. */
  issue(userId: string, before?: Device): Promise<string> {
    const users = [userId, ...(before?.userIds ?? []).filter((id) => id !== userId)].slice(0, MAX_ACCOUNTS);
    const now = this.now();
    return new SignJWT({ typ: 'device', did: before?.id ?? crypto.randomUUID(), users })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.floor((now + DEVICE_KNOWN_MS) / 1000))
      .sign(this.keys[0]);
  }
}
