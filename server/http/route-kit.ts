import type { RouteConfig, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ErrorCode } from '../../protocol/errors.ts';
import { MAX_BODY_BYTES } from '../../protocol/limits.ts';
import { addressKey, type RateLimits } from '../limits/rate-limits.ts';
import { ParleyError } from '../shared/errors.ts';
import { Answered, answerJson, type WrittenJson } from './answer.ts';
import { type Described, declaredAnswer, declaredFailures } from './declared-answers.ts';
import { SAFE_METHODS } from './methods.ts';
import type { ReadKind } from './read-turns.ts';
import type { HttpContext, HttpEnv, Router } from './router.ts';

/** What a route takes. */
export interface RequestParts {
  params?: z.ZodObject;
  query?: z.ZodObject;
  headers?: z.ZodObject;
  /** A body of JSON. */
  body?: z.ZodType;
}

/** What a route answers, by its status; the first is what a handler's plain value is answered with. */
export type Answers = { [status: number]: Described };

/** What a route is, as it is served and as the OpenAPI document describes it. */
export interface Declaration<Parts extends RequestParts, Answering extends Answers> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  path: string;
  /** Names the operation in clients that are made from the document: `sendMessage`. */
  operationId: string;
  tag: string;
  summary: string;
  description?: string;
  request?: Parts;
  answers: Answering;
  /** Failures of its own: those that each route of its kind can answer with are known. */
  fails?: readonly ErrorCode[];
  /** Counted before its handler: by address on a public route, by account elsewhere. What services count is not named here. */
  limit?: keyof RateLimits;
  /** Largest body, where that is less than what any may have. */
  maxBodyBytes?: number;
  /** Whether tokens or codes are in its answers: they are never compressed. */
  secret?: boolean;
}

/** What only routes for those who are signed in have. */
interface SignedInOptions {
  /** Its answer is a list, or what holds one: it waits for a turn among those who read what may be long. */
  reads?: ReadKind;
}

/** What only public routes have. */
interface PublicOptions {
  /** Whether a session is looked at where there is one. */
  looksAtSession?: boolean;
}

type Kind = 'public' | 'signedIn' | 'admin';

/** A route that can be mounted. */
export interface Route<Parts extends RequestParts = RequestParts, Answering extends Answers = Answers>
  extends Declaration<Parts, Answering>,
    SignedInOptions,
    PublicOptions {
  kind: Kind;
}

/** A route that everybody may use. */
export function publicRoute<const Parts extends RequestParts, const Answering extends Answers>(
  declaration: Declaration<Parts, Answering> & PublicOptions,
): Route<Parts, Answering> {
  return { ...declaration, kind: 'public' };
}

/** A route for those who are signed in; `c.var.caller` is who it is. */
export function signedInRoute<const Parts extends RequestParts, const Answering extends Answers>(
  declaration: Declaration<Parts, Answering> & SignedInOptions,
): Route<Parts, Answering> {
  return { ...declaration, kind: 'signedIn' };
}

/** A route for admins of the installation; others who are signed in get `forbidden`. */
export function adminRoute<const Parts extends RequestParts, const Answering extends Answers>(
  declaration: Declaration<Parts, Answering> & SignedInOptions,
): Route<Parts, Answering> {
  return { ...declaration, kind: 'admin' };
}

type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : never;
type Part<Parts, Name extends keyof RequestParts, As extends string> = Parts extends { [N in Name]: z.ZodType }
  ? { [A in As]: Output<Parts[Name]> }
  : Record<never, never>;
type Valid<Parts extends RequestParts> = Part<Parts, 'params', 'param'> &
  Part<Parts, 'query', 'query'> &
  Part<Parts, 'headers', 'header'> &
  Part<Parts, 'body', 'json'>;

/** The context of a handler: `c.req.valid(…)` is what its route takes, checked. */
export type RouteContext<Parts extends RequestParts> = Context<
  HttpEnv,
  string,
  { in: Valid<Parts>; out: Valid<Parts> }
>;

type Value<Answering extends Answers> = {
  [S in keyof Answering]: Answering[S] extends Described<infer Schema> ? z.output<Schema> : never;
}[keyof Answering];
type Result<Answering extends Answers> =
  | Value<Answering>
  | Answered<keyof Answering & number, Value<Answering>>
  | WrittenJson;

/** Does what a route is for, and returns what it answers: the kit writes it. */
export type RouteHandler<Parts extends RequestParts, Answering extends Answers> = (
  c: RouteContext<Parts>,
) => Promise<Result<Answering>> | Result<Answering>;

/** Serves a route: whatever its kind asks for comes before its handler, and its answers and failures are in the document. */
export function mount<const Parts extends RequestParts, const Answering extends Answers>(
  router: Router,
  route: Route<Parts, Answering>,
  handler: RouteHandler<Parts, Answering>,
): void {
  const statuses = Object.keys(route.answers).map(Number) as ContentfulStatusCode[];
  const secret = route.secret ?? false;
  const plain = { status: statuses[0]!, secret };
  const byStatus = new Map<number, typeof plain>(statuses.map((status) => [status, { status, secret }]));
  const { limit, kind } = route;

  const handle = async (c: RouteContext<Parts>) => {
    if (limit) await c.var.takeLimit(limit, kind === 'public' ? addressKey(c.env.address) : c.var.caller.userId);
    const result = await handler(c);
    if (result instanceof Answered) return answerJson(c as HttpContext, result.value, byStatus.get(result.status)!);
    return answerJson(c as HttpContext, result, plain);
  };
  const declared = { ...declare(route), middleware: gates(route) };
  router.openapi(declared, handle as Parameters<typeof router.openapi>[1]);
}

/** What the document says of a route. */
function declare(route: Route): RouteConfig {
  const { method, path, operationId, tag, summary, description, request, answers } = route;
  const { body, ...parts } = request ?? {};
  const responses = Object.entries(answers).map(([status, one]) => [status, declaredAnswer(Number(status), one)]);
  return {
    method,
    path,
    operationId,
    tags: [tag],
    summary,
    description,
    security: securityOf(route),
    request: { ...parts, ...(body && { body: { required: true, content: { 'application/json': { schema: body } } } }) },
    responses: { ...declaredFailures(failuresOf(route)), ...Object.fromEntries(responses) },
  };
}

function securityOf({ kind, looksAtSession }: Route): Record<string, string[]>[] | undefined {
  if (kind !== 'public') return [{ bearer: [] }, { cookie: [] }];
  return looksAtSession ? [{ bearer: [] }, { cookie: [] }, {}] : undefined;
}

/** Every failure that a route can answer with: by its kind, by what it takes, and its own. */
function failuresOf({ kind, method, request, fails = [] }: Route): ErrorCode[] {
  const codes: ErrorCode[] = [];
  if (request?.body) codes.push('invalid_json');
  if (request) codes.push('validation_failed');
  if (kind !== 'public') codes.push('missing_token', 'invalid_token', 'token_expired');
  if (kind !== 'public' && !SAFE_METHODS.has(method.toUpperCase())) codes.push('origin_not_allowed');
  if (kind === 'admin') codes.push('forbidden');
  codes.push(...fails, 'method_not_allowed');
  if (request?.body) codes.push('payload_too_large', 'unsupported_media_type');
  codes.push('rate_limited', 'internal', 'unavailable');
  return codes;
}

/** What a request passes before what it says is looked at. Who it is comes first. */
function gates(route: Route): MiddlewareHandler<HttpEnv>[] {
  const { kind, request, reads, maxBodyBytes = MAX_BODY_BYTES } = route;
  const isSignedIn = kind !== 'public';
  const hasBody = request?.body !== undefined;

  const gate: MiddlewareHandler<HttpEnv> = async (c, next) => {
    if (isSignedIn) {
      const caller = await c.var.authenticate();
      c.set('caller', caller); // the line of a refused request says whose it was, too
      if (kind === 'admin' && caller.role !== 'admin') throw new ParleyError('forbidden');
    }
    if (hasBody) requireJson(c.req.header('content-type'));
    return reads ? readInTurn(c, reads, next) : next();
  };
  return maxBodyBytes < MAX_BODY_BYTES ? [limitBody(maxBodyBytes), gate] : [gate];
}

/** Refuses bodies of more bytes, whether they say their length or not. */
export function limitBody(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw new ParleyError('payload_too_large');
    },
  });
}

/** Of a body without a type the framework says the same, where it is not empty. */
function requireJson(type: string | undefined): void {
  if (type && !/^application\/json\s*(;|$)/i.test(type)) throw new ParleyError('unsupported_media_type');
}

/** Takes a turn among those who read what may be long. */
async function readInTurn(c: HttpContext, kind: ReadKind, next: () => Promise<void>): Promise<void> {
  const turn = await c.var.beginRead(c.var.caller.userId, kind);
  try {
    await next();
  } finally {
    turn.made();
    if (c.env.sending) void c.env.sending.begun.then(turn.sent);
    else turn.sent();
  }
}
