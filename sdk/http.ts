import { ERRORS, type ErrorBody } from '../protocol/errors.ts';
import { type Challenge, ParleyError } from './errors.ts';
import type { ErrorCode } from './protocol.ts';

/** What of `fetch` the SDK uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  /** `https://chat.example.com`; empty for the page's own server. */
  baseUrl: string;
  fetch: Fetch;
  /** How long an answer may take, in milliseconds. */
  timeoutMs: number;
  /** Whether cookies go along. */
  credentials: RequestCredentials;
}

export interface RequestOptions {
  body?: unknown;
  query?: Record<string, string | number | undefined>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Requests to the REST interface. Every failure is a ParleyError. */
export class Http {
  constructor(private readonly options: HttpOptions) {}

  async request<T>(
    method: string,
    path: string,
    { body, query = {}, headers, signal }: RequestOptions = {},
  ): Promise<T> {
    const controller = new AbortController();
    const abort = () => controller.abort();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      abort();
    }, this.options.timeoutMs);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    try {
      const response = await this.options.fetch(this.urlOf(path, query), {
        method,
        headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: this.options.credentials,
        signal: controller.signal,
      });
      const answer = await readJson(response);
      if (!response.ok || answer === undefined) throw failureOf(response, answer);
      return answer as T;
    } catch (error) {
      if (error instanceof ParleyError) throw error;
      const code = signal?.aborted ? 'aborted' : isLate ? 'timeout' : 'network';
      throw new ParleyError(code, undefined, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  private urlOf(path: string, query: Record<string, string | number | undefined>): string {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
    return `${this.options.baseUrl}/api/v1${path}${search && `?${search}`}`;
  }
}

/** The body, or undefined where it is no JSON: an error page of something in between. */
async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failureOf(response: Response, answer: unknown): ParleyError {
  const body = (answer ?? {}) as Partial<ErrorBody>;
  const { status, headers } = response;
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return new ParleyError(body.code ?? codeOf(status), body.message, {
    status,
    errors: body.errors,
    requestId: body.request_id ?? headers.get('x-request-id') ?? undefined,
    challenge: challengeOf(body),
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  });
}

function challengeOf({ ticket, methods = [], expires_in = 0 }: Partial<ErrorBody>): Challenge | undefined {
  return ticket === undefined ? undefined : { ticket, methods, expires_at: Date.now() + expires_in * 1000 };
}

/** The code for an answer that did not come from Parley itself. */
function codeOf(status: number): ErrorCode {
  if (status >= 500) return 'unavailable';
  const codes = Object.keys(ERRORS) as ErrorCode[];
  return codes.find((code) => ERRORS[code].status === status) ?? 'internal';
}
