import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { Cursor, pageLimit, UpdateUserBody } from '../../protocol/requests.ts';
import { PublicUser, User } from '../../protocol/resources.ts';
import { Id } from '../../protocol/schemas.ts';
import { isStorableText } from '../../protocol/text.ts';
import { longJson } from '../http/long-answers.ts';
import {
  createRouter,
  failures,
  jsonAnswer,
  jsonBody,
  type Router,
  SIGNED_IN,
  SIGNED_IN_READ,
} from '../http/router.ts';
import type { UsersService } from './service.ts';

const SearchQuery = z.object({
  query: z
    .string()
    .max(254)
    .refine(isStorableText, { error: 'must be well-formed Unicode without NUL' })
    .default('')
    .meta({ description: 'Beginning of a username or display name, or a whole e-mail address; empty: everyone' }),
  limit: pageLimit(50, 100),
  cursor: Cursor,
});

const searchRoute = createRoute({
  method: 'get',
  path: '/api/v1/users',
  ...SIGNED_IN_READ,
  tags: ['Users'],
  summary: 'Find people',
  description: 'People found by username come first, in its order; those found by display name follow.',
  request: { query: SearchQuery },
  responses: {
    200: jsonAnswer('A page', z.object({ users: z.array(PublicUser), next_cursor: z.string().optional() })),
    ...failures('validation_failed', 'missing_token', 'invalid_token', 'token_expired', 'rate_limited'),
  },
});

const readRoute = createRoute({
  method: 'get',
  path: '/api/v1/users/{id}',
  ...SIGNED_IN,
  tags: ['Users'],
  summary: 'One user',
  description: 'Others are seen without `email`, `phone_number` and `role`. Who deleted the account is "deleted user".',
  request: { params: z.object({ id: Id }) },
  responses: {
    200: jsonAnswer('The user', z.union([User, PublicUser])),
    ...failures('validation_failed', 'missing_token', 'invalid_token', 'token_expired', 'user_not_found'),
  },
});

const updateRoute = createRoute({
  method: 'patch',
  path: '/api/v1/users/me',
  ...SIGNED_IN,
  tags: ['Users'],
  summary: 'Change your own name or status',
  request: { body: jsonBody(UpdateUserBody) },
  responses: {
    200: jsonAnswer('You, as you now are', User),
    ...failures(
      'validation_failed',
      'missing_token',
      'invalid_token',
      'token_expired',
      'username_taken',
      'rate_limited',
    ),
  },
});

export function usersRoutes(users: UsersService): Router {
  const router = createRouter();

  router.openapi(searchRoute, async (c) => longJson(c, await users.search(c.var.caller.userId, c.req.valid('query'))));

  router.openapi(updateRoute, async (c) =>
    c.json(await users.updateProfile(c.var.caller.userId, c.req.valid('json')), 200),
  );

  router.openapi(readRoute, async (c) => c.json(await users.seenBy(c.var.caller.userId, c.req.valid('param').id), 200));

  return router;
}
