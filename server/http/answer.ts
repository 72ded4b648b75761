import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { compress, type Encoding, isWorthCompressing, negotiateEncoding } from './compression.ts';
import { inOnePiece } from './long-answers.ts';
import type { HttpContext } from './router.ts';

/** What a handler returns where its route has several answers: which one, and its value. */
export class Answered<Status extends number, Value> {
  constructor(
    readonly status: Status,
    readonly value: Value,
  ) {}
}

/** The answer with this status. */
export function withStatus<Status extends number, Value>(status: Status, value: Value): Answered<Status, Value> {
  return new Answered(status, value);
}

/** A value that is JSON already. */
export class WrittenJson {
  constructor(readonly text: string) {}
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
/** Of an answer that is long enough to be compressed: what a cache must know, whether it was or not. */
const PLAIN = { ...JSON_TYPE, Vary: 'Accept-Encoding' };
const COMPRESSED: Record<Encoding, Record<string, string>> = {
  zstd: { ...PLAIN, 'Content-Encoding': 'zstd' },
  br: { ...PLAIN, 'Content-Encoding': 'br' },
  gzip: { ...PLAIN, 'Content-Encoding': 'gzip' },
};

export interface AnswerOptions {
  status: ContentfulStatusCode;
  /**
   * Whether tokens or codes are in it. It is never compressed: from the lengths of compressed answers that hold both a secret
   * and something of an attacker's choice, the secret can be guessed piece by piece (BREACH).
   */
  secret: boolean;
}

/** The one way to answer with a value, whatever its length. */
export function answerJson(c: HttpContext, value: unknown, options: AnswerOptions): Response | Promise<Response> {
  const text = value instanceof WrittenJson ? value.text : JSON.stringify(value);
  if (options.secret || !isWorthCompressing(text)) return c.body(inOnePiece(c, text), options.status, JSON_TYPE);
  const encoding = negotiateEncoding(c.req.header('accept-encoding'));
  // Of a HEAD only the headers are sent: a body would wait for a reader who never comes.
  if (c.req.method === 'HEAD') return c.body(null, options.status, encoding ? COMPRESSED[encoding] : PLAIN);
  if (encoding === undefined) return c.body(inOnePiece(c, text), options.status, PLAIN);
  return answerCompressed(c, text, encoding, options.status);
}

async function answerCompressed(c: HttpContext, text: string, encoding: Encoding, status: ContentfulStatusCode) {
  const bytes = await compress(Buffer.from(text), encoding);
  return c.body(inOnePiece(c, bytes), status, COMPRESSED[encoding]);
}
