import { z } from 'zod';
import { PAGE_SIZES } from '../../protocol/limits.ts';
import { Cursor, pageLimit } from '../../protocol/requests.ts';
import { PublicUser, User } from '../../protocol/resources.ts';
import { Id } from '../../protocol/schemas.ts';
import { isStorableText } from '../../protocol/text.ts';
import { answer } from '../http/declared-answers.ts';
import { mount, signedInRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';
import type { UsersService } from './service.ts';

const SearchQuery = z.object({
  query: z
    .string()
    .max(254)
    .refine(isStorableText, { error: 'must be well-formed Unicode without NUL' })
    .default('')
    .meta({ description: 'Beginning of a username or display name, or a whole e-mail address; empty: everyone' }),
  limit: pageLimit(PAGE_SIZES.users),
  cursor: Cursor,
});

const findUsers = signedInRoute({
  method: 'get',
  path: '/api/v1/users',
  operationId: 'findUsers',
  tag: 'Users',
  summary: 'Find people',
  description: 'People found by username come first, in its order; those found by display name follow.',
  reads: 'page',
  request: { query: SearchQuery },
  answers: { 200: answer('A page', z.object({ users: z.array(PublicUser), next_cursor: z.string().optional() })) },
});

const getUser = signedInRoute({
  method: 'get',
  path: '/api/v1/users/{id}',
  operationId: 'getUser',
  tag: 'Users',
  summary: 'One user',
  description: 'Others are seen without `email`, `phone_number` and `role`. Who deleted the account is "deleted user".',
  request: { params: z.object({ id: Id }) },
  answers: { 200: answer('The user', z.union([User, PublicUser])) },
  fails: ['user_not_found'],
});

export function usersRoutes(users: UsersService): Router {
  const router = createRouter();
  mount(router, findUsers, (c) => users.search(c.var.caller.userId, c.req.valid('query')));
  mount(router, getUser, (c) => users.seenBy(c.var.caller.userId, c.req.valid('param').id));
  return router;
}
