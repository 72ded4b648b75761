import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import { validationFailed } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { Restriction } from '../shared/restriction.ts';
import type { Sending } from './answers-under-way.ts';
import type { IncomingBody } from './bodies-under-way.ts';
import type { BeginRead } from './read-turns.ts';

/** Who makes a request, known by a session that holds at this moment. */
export interface Caller {
  userId: string;
  sessionId: string;
  username: string;
  role: 'user' | 'admin';
  /** What they have to do before anything else. */
  restriction?: Restriction;
}

export type TakeLimit = (name: keyof RateLimits, key: string) => Promise<void> | undefined;

/** What every handler finds in its context. */
export interface HttpEnv {
  Bindings: {
    /** The address at the other end of the connection. */
    peer: string;
    /** The client's address, proxies seen through. */
    address: string;
    /** Why nothing of this request counts: its address is none. */
    malformed?: unknown;
    /** Why this request is not looked at: its client has too many under way, or too much in them. */
    refused?: unknown;
    /** Its body, where it has one. */
    body?: IncomingBody;
    /** The body as a stream that waits for its reader, and is cut where nobody reads it. */
    send(body: Uint8Array<ArrayBuffer>, accountId?: string): ReadableStream;
    /** What is being sent so. */
    sending?: Sending;
    /** Why a WebSocket handshake failed, and whose it was, where that was known. */
    refusal?: unknown;
    refusedId?: string;
  };
  Variables: {
    requestId: string;
    log: Logger;
    /** Whether the client's connection is encrypted. */
    secure: boolean;
    /** Finds out who asks, or fails with 401 or `origin_not_allowed`. */
    authenticate: () => Promise<Caller>;
    /** Fails with `reauthentication_required` where it is too long ago that it was shown who uses the session. */
    requireFreshProof: (sessionId: string) => Promise<void>;
    /** The code of the failure that is answered: which of its gates refused a request (ASVS 16.3.2, 16.3.3). */
    failure?: ErrorCode;
    /** Set on routes for those who are signed in. */
    caller: Caller;
    /** The body of a route that takes one, as JSON that nobody has checked. */
    json: unknown;
    /** Counts one use of a limit, by an address or an account. Fails with `rate_limited` where there were too many. */
    takeLimit: TakeLimit;
    /** Waits until an account may read what can be long. */
    beginRead: BeginRead;
  };
}

export type Router = OpenAPIHono<HttpEnv>;
export type HttpContext = Context<HttpEnv>;

/** Every service's routes are declared on one of these: validation, and its error, are alike everywhere. */
export function createRouter(): Router {
  return new OpenAPIHono<HttpEnv>({
    defaultHook: (result) => {
      if (!result.success) throw validationFailed(result.error);
    },
  });
}
