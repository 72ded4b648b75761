import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Address } from './addresses.ts';

/** Of an answer's body more than this is not read, in bytes. */
const MAX_BODY = 65_536;

export interface PostAnswer {
  status: number;
  /** The header `Retry-After`, as it was sent. */
  retryAfter?: string;
}

/**
 * Posts to a URL at the addresses that its name was found to have, and nowhere else: the name is not asked again, and no
 * redirect is followed. The certificate must be the name's. The status is the answer; the body is read to its end or to a
 * bound, and forgotten. Fails as `node:http` does, and when `signal` is aborted.
 */
export function post(
  url: URL,
  addresses: Address[],
  headers: Record<string, string>,
  body: string,
  signal: AbortSignal,
): Promise<PostAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<PostAnswer>();
  let answer: PostAnswer | undefined;
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
    url,
    {
      method: 'POST',
      headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
      signal,
      lookup: (_name, _options, found) => found(null, addresses),
    },
    (response) => {
      const { statusCode = 0, headers } = response;
      const status = { status: statusCode, retryAfter: headers['retry-after'] };
      answer = status;
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BODY) request.destroy();
      });
      // However the body ends: the status was the answer.
      for (const end of ['end', 'error', 'close']) response.on(end, () => resolve(status));
    },
  );
  request.on('error', (error) => (answer ? resolve(answer) : reject(error)));
  request.end(body);
  return promise;
}
