import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { ERRORS, type ErrorCode } from '../../protocol/errors.ts';
import { ErrorBodySchema } from '../../protocol/resources.ts';
import { validationFailed } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { Sending } from './answers-under-way.ts';
import type { BeginRead, ReadKind } from './read-turns.ts';

/** Who makes a request, known by a session that holds at this moment. */
export interface Caller {
  userId: string;
  sessionId: string;
  username: string;
  role: 'user' | 'admin';
}

/** What every handler finds in its context. */
export interface HttpEnv {
  Bindings: {
    /** The address at the other end of the connection. */
    peer: string;
    /** The client's address, proxies seen through. */
    address: string;
    /** Why this request is not looked at: its client has too many under way. */
    refused?: unknown;
    /** The body as a stream that waits for its reader, and is cut where nobody reads it. */
    send(body: Uint8Array<ArrayBuffer>, accountId?: string): ReadableStream;
    /** What is being sent so. */
    sending?: Sending;
    /** Why a WebSocket handshake failed. */
    refusal?: unknown;
  };
  Variables: {
    requestId: string;
    log: Logger;
    /** Whether the client's connection is encrypted. */
    secure: boolean;
    /** Finds out who asks, or fails with 401 or `origin_not_allowed`. */
    authenticate: () => Promise<Caller>;
    /** Set behind `signedIn`. */
    caller: Caller;
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

/** Lets only those through who are signed in; `c.var.caller` is who it is. */
export const signedIn = createMiddleware<HttpEnv>(async (c, next) => {
  c.set('caller', await c.var.authenticate());
  await next();
});

/** Takes a turn among those who read what may be long. */
const inTurn = (kind: ReadKind) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const turn = await c.var.beginRead(c.var.caller.userId, kind);
    try {
      await next();
    } finally {
      turn.made();
      if (c.env.sending) void c.env.sending.begun.then(turn.sent);
      else turn.sent();
    }
  });

/** For the declaration of a route that needs a session. */
const SECURITY: Record<string, string[]>[] = [{ bearer: [] }, { cookie: [] }];
export const SIGNED_IN = { middleware: signedIn, security: SECURITY };
/** The same for a route that answers a list, or what holds one. It can fail with `rate_limited`. */
export const SIGNED_IN_READ = { middleware: [signedIn, inTurn('page')], security: SECURITY };
export const SIGNED_IN_SYNC = { middleware: [signedIn, inTurn('sync')], security: SECURITY };

/** The declaration of a JSON body. */
export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true as const, content: { 'application/json': { schema } } };
}

/** The declaration of a JSON answer. */
export function jsonAnswer<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { 'application/json': { schema } } };
}

/** The declaration of the failures that a route can answer with, beside those that any can. */
export function failures(...codes: ErrorCode[]) {
  const byStatus: Record<string, ReturnType<typeof jsonAnswer<typeof ErrorBodySchema>>> = {};
  for (const code of codes) {
    const { status } = ERRORS[code];
    const known = byStatus[status]?.description;
    byStatus[status] = jsonAnswer(known ? `${known}, \`${code}\`` : `\`${code}\``, ErrorBodySchema);
  }
  return byStatus;
}
