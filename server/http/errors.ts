import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ErrorBody, ErrorCode } from '../../protocol/errors.ts';
import { ParleyError, toParleyError } from '../shared/errors.ts';
import type { HttpContext } from './router.ts';

/** After how long to try again where nobody knows better: another node may answer, or the queue be shorter. */
const UNAVAILABLE_MS = 1000;

/** What reading a body fails with once its client is gone, or breaks the rules of chunks: nobody hears the answer. */
function brokenOff(thrown: unknown, { req }: HttpContext): ParleyError | undefined {
  const isAbort = (thrown as Error | undefined)?.name === 'AbortError' && req.raw.signal.aborted;
  return isAbort ? new ParleyError('invalid_json', 'The request was broken off') : undefined;
}

/** What the framework itself refuses, in the contract's words. */
function fromHttpException({ status }: HTTPException): ParleyError | undefined {
  if (status === 415) return new ParleyError('unsupported_media_type');
  if (status === 413) return new ParleyError('payload_too_large');
  if (status === 400) return new ParleyError('invalid_json');
  return undefined;
}

/** Answers with the one shape of every failure (PROTOCOL.md §2), and logs what was not the client's fault. */
export function answerError(thrown: unknown, c: HttpContext, failed: (code: ErrorCode) => void): Response {
  const error =
    (thrown instanceof HTTPException && fromHttpException(thrown)) || brokenOff(thrown, c) || toParleyError(thrown);
  failed(error.code);
  c.set('failure', error.code);
  const cause = error.details.cause ?? (error.code === 'internal' ? thrown : undefined);
  if (cause !== undefined) c.var.log.error({ err: cause }, 'request failed');
  const body: ErrorBody = { code: error.code, message: error.message, request_id: c.var.requestId };
  if (error.details.errors) body.errors = error.details.errors;
  Object.assign(body, error.details.mfa);
  if (error.code === 'upgrade_required') c.header('Upgrade', 'websocket'); // RFC 9110 §15.5.22
  // What of the body still comes is not waited for.
  if (error.code === 'request_timeout') c.header('Connection', 'close'); // RFC 9110 §15.5.9
  const { retryAfterMs = error.code === 'unavailable' ? UNAVAILABLE_MS : undefined, limit } = error.details;
  if (retryAfterMs !== undefined) {
    const seconds = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
    c.header('Retry-After', seconds);
    if (limit) {
      c.header('RateLimit-Limit', String(limit.points));
      c.header('RateLimit-Remaining', String(limit.remaining));
      c.header('RateLimit-Reset', seconds);
    }
  }
  return c.json(body, error.status as ContentfulStatusCode);
}
