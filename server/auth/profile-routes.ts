import { UpdateUserBody } from '../../protocol/requests.ts';
import { User } from '../../protocol/resources.ts';
import { answer } from '../http/declared-answers.ts';
import { mount, signedInRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';
import type { Mails } from '../mail/mails.ts';
import type { AccountChanges } from '../sessions/account-changes.ts';
import { ParleyError } from '../shared/errors.ts';
import type { UsersService } from '../users/service.ts';
import { visitOf } from './authenticate.ts';
import { notify } from './notices.ts';

const updateMe = signedInRoute({
  method: 'patch',
  path: '/api/v1/users/me',
  operationId: 'updateMe',
  tag: 'Users',
  summary: 'Change your own name or status',
  description: 'Another username asks for a proof of the last ten minutes, and is told to you by letter.',
  request: { body: UpdateUserBody },
  answers: { 200: answer('You, as you now are', User) },
  fails: ['username_taken', 'reauthentication_required'],
});

export interface ProfileRoutesDeps {
  users: UsersService;
  changes: AccountChanges;
  mails: Mails;
}

/** What people say of themselves. One signs in by a username: another one is written down, and told to its owner (ASVS 6.3.7). */
export function profileRoutes({ users, changes, mails }: ProfileRoutesDeps): Router {
  const router = createRouter();

  mount(router, updateMe, async (c) => {
    const { userId, sessionId } = c.var.caller;
    const visit = visitOf(c);
    const body = c.req.valid('json');
    const event = {
      kind: 'username.changed',
      actorId: userId,
      subjectId: userId,
      sessionId,
      whence: visit.whence,
    } as const;
    try {
      return await users.updateProfile(userId, body, {
        requireProof: () => c.var.requireFreshProof(sessionId),
        async onRename(change, account) {
          change.record(event);
          await notify(mails, change.tx, account, { letter: 'usernameChanged', visit });
        },
      });
    } catch (error) {
      if (error instanceof ParleyError && body.username !== undefined) {
        changes.audit.refused({ ...event, detail: { code: error.code } });
      }
      throw error;
    }
  });

  return router;
}
