import { type OpenAPIHono, z } from '@hono/zod-openapi';
import { ERRORS, type ErrorCode } from '../../protocol/errors.ts';
import { ErrorBodySchema } from '../../protocol/resources.ts';
import type { HttpEnv } from './router.ts';

/** An answer of a route: what it means, and its shape. */
export interface Described<Schema extends z.ZodType = z.ZodType> {
  description: string;
  schema: Schema;
}

/** The declaration of a JSON answer. */
export function answer<Schema extends z.ZodType>(description: string, schema: Schema): Described<Schema> {
  return { description, schema };
}

/** What is answered where there is nothing more to say. */
export const Success = z.object({ success: z.literal(true) });

const seconds = { type: 'integer', minimum: 0 } as const;

/** Headers of answers, as the document describes them. */
const HEADERS = {
  'X-Request-Id': {
    description: 'Names this request in the server’s log: the client’s own, where it sent one',
    schema: { type: 'string', maxLength: 255 },
  },
  'Retry-After': { description: 'After how many seconds to try again', schema: { type: 'integer', minimum: 1 } },
  'RateLimit-Limit': { description: 'How often it may be done', schema: { type: 'integer', minimum: 1 } },
  'RateLimit-Remaining': { description: 'How often it still may be', schema: { type: 'integer', minimum: 0 } },
  'RateLimit-Reset': { description: 'After how many seconds it may be done again as often', schema: seconds },
  Allow: { description: 'The methods that there are at this address', schema: { type: 'string' } },
} as const;
type HeaderName = keyof typeof HEADERS;

/** What comes with some statuses, beside what comes with all. `RateLimit-*` tells of a limit that counts, where one was hit. */
const HEADERS_OF: Record<number, HeaderName[]> = {
  405: ['Allow'],
  429: ['Retry-After', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'],
  503: ['Retry-After'],
};

/** The document's part of answers with a status. */
export function declaredAnswer(status: number, { description, schema }: Described) {
  const names: HeaderName[] = ['X-Request-Id', ...(HEADERS_OF[status] ?? [])];
  const headers = Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
  return { description, headers, content: { 'application/json': { schema } } };
}

/** The document's part of failures: by their status, each with the codes that it can have. */
export function declaredFailures(codes: Iterable<ErrorCode>) {
  const byStatus = Map.groupBy(new Set(codes), (code) => ERRORS[code].status);
  const answers = [...byStatus].map(([status, ofStatus]) => {
    const description = ofStatus.map((code) => `\`${code}\``).join(', ');
    return [status, declaredAnswer(status, { description, schema: ErrorBodySchema })];
  });
  return Object.fromEntries(answers) as Record<string, ReturnType<typeof declaredAnswer>>;
}

/** Puts into the document what its operations refer to: ways to sign in, and headers. */
export function registerComponents({ openAPIRegistry: registry }: OpenAPIHono<HttpEnv>): void {
  registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' });
  registry.registerComponent('securitySchemes', 'cookie', {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-access_token',
    description: 'Without TLS `access_token`, which is read under TLS too where the other is not there',
  });
  for (const [name, header] of Object.entries(HEADERS)) registry.registerComponent('headers', name, header);
}
