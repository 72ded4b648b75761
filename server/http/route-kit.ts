import type { RouteConfig, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ErrorCode } from '../../protocol/errors.ts';
import { MAX_BODY_BYTES } from '../../protocol/limits.ts';
import { addressKey, type RateLimits } from '../limits/rate-limits.ts';
import { parseBoundedJson } from '../shared/bounded-json.ts';
import { ParleyError, validationFailed } from '../shared/errors.ts';
import { RESTRICTED, type Restriction } from '../shared/restriction.ts';
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
  /**
   * Counted before its body is read: by address on a public route, by account elsewhere. What services count is not named here.
   */
  limit?: keyof RateLimits;
  /** Largest body, where that is less than what any may have. */
  maxBodyBytes?: number;
  /** Whether tokens or codes are in its answers: they are never compressed. */
  secret?: boolean;
}

/** What only routes for those who are signed in have. */
interface SignedInOptions {
  /** By which restrictions it may be used: whoever has something to do first may do this and that, and nothing else. */
  whileRestricted?: readonly Restriction[];
  /** Whether it asks that somebody showed who they are within ten minutes (ASVS 7.5.1). */
  needsFreshProof?: boolean;
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
  const { body, ...parts } = route.request ?? ({} as RequestParts);

  const handle = async (c: RouteContext<Parts>) => {
    if (body) c.req.addValidatedData('json', check(body, c.var.json) as object);
    const result = await handler(c);
    if (result instanceof Answered) return answerJson(c as HttpContext, result.value, byStatus.get(result.status)!);
    return answerJson(c as HttpContext, result, plain);
  };
  const declared = declare(route);
  router.openAPIRegistry.registerPath(declared);
  // The framework checks all but the body, which it would read and parse whatever it holds.
  const served = { ...declared, request: parts, middleware: gate(route), hide: true };
  router.openapi(served, handle as Parameters<typeof router.openapi>[1]);
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
function failuresOf({ kind, method, request, fails = [], whileRestricted = [], needsFreshProof }: Route): ErrorCode[] {
  const codes: ErrorCode[] = ['invalid_request'];
  if (request?.body) codes.push('invalid_json');
  if (request) codes.push('validation_failed');
  if (kind !== 'public') codes.push('missing_token', 'invalid_token', 'token_expired');
  if (kind !== 'public' && !SAFE_METHODS.has(method.toUpperCase())) codes.push('origin_not_allowed');
  if (kind === 'admin') codes.push('forbidden');
  if (kind !== 'public') codes.push('session_revoked', ...refusedBy(whileRestricted));
  if (needsFreshProof) codes.push('reauthentication_required');
  codes.push(...fails, 'method_not_allowed');
  if (request?.body) codes.push('request_timeout', 'payload_too_large', 'unsupported_media_type');
  codes.push('rate_limited', 'internal', 'unavailable');
  return codes;
}

/** What those are told who have something to do first, on a route that not all of them may use. */
function refusedBy(allowed: readonly Restriction[]): ErrorCode[] {
  const restrictions = Object.keys(RESTRICTED) as Restriction[];
  return restrictions.filter((one) => !allowed.includes(one)).map((one) => RESTRICTED[one]);
}

/**
 * What a request passes before what it says is looked at. Who it is comes first, then how often; its body is read only then, and
 * before its turn: nobody waits for a body that does not come.
 */
function gate(route: Route): MiddlewareHandler<HttpEnv> {
  const { kind, request, reads, limit, maxBodyBytes = MAX_BODY_BYTES, whileRestricted = [], needsFreshProof } = route;
  const isSignedIn = kind !== 'public';
  const hasBody = request?.body !== undefined;

  return async (c, next) => {
    if (isSignedIn) {
      const caller = await c.var.authenticate();
      c.set('caller', caller); // the line of a refused request says whose it was, too
      if (kind === 'admin' && caller.role !== 'admin') throw new ParleyError('forbidden');
      const { restriction, sessionId } = caller;
      if (restriction && !whileRestricted.includes(restriction)) throw new ParleyError(RESTRICTED[restriction]);
      if (needsFreshProof) await c.var.requireFreshProof(sessionId);
    }
    if (limit) await c.var.takeLimit(limit, isSignedIn ? c.var.caller.userId : addressKey(c.env.address));
    if (reads) await c.var.takeLimit('reads', c.var.caller.userId);
    if (hasBody) c.set('json', await readJson(c, maxBodyBytes));
    return reads ? readInTurn(c, reads, next) : next();
  };
}

const JSON_TYPE = /^application\/json\s*(;|$)/i;

/** Reads the body, within the bounds of what any may be. One that is empty counts as `{}`, whatever its type. */
async function readJson(c: HttpContext, maxBytes: number): Promise<unknown> {
  const { body } = c.env;
  const type = c.req.header('content-type');
  if (body && type && !JSON_TYPE.test(type)) throw new ParleyError('unsupported_media_type');
  const text = (await body?.text(maxBytes)) ?? '';
  if (text !== '' && !type) throw new ParleyError('unsupported_media_type');
  return text === '' ? {} : parseBoundedJson(text, 'body');
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) throw validationFailed(result.error);
  return result.data;
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
