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
  summary: 'Change your own names, number or status',
  description: 'Another username or number asks for a proof of the last ten minutes, and is told to you by letter.',
  request: { body: UpdateUserBody },
  answers: { 200: answer('You, as you now are', User) },
  fails: ['username_taken', 'phone_taken', 'reauthentication_required'],
});

export interface ProfileRoutesDeps {
  users: UsersService;
  changes: AccountChanges;
  mails: Mails;
}

/** What the audit trail and the letter call another name to sign in by. */
const CHANGED = {
  username: { kind: 'username.changed', letter: 'usernameChanged' },
  phone_number: { kind: 'phone.changed', letter: 'phoneChanged' },
} as const;

/** What people say of themselves. Another name to sign in by is written down, and told to its owner (ASVS 6.3.7). */
export function profileRoutes({ users, changes, mails }: ProfileRoutesDeps): Router {
  const router = createRouter();

  mount(router, updateMe, async (c) => {
    const { userId, sessionId } = c.var.caller;
    const visit = visitOf(c);
    const body = c.req.valid('json');
    const who = { actorId: userId, subjectId: userId, sessionId, whence: visit.whence };
    try {
      return await users.updateProfile(userId, body, {
        // Where somebody could be asked whether it is theirs, nobody signs in by a number that was merely given.
        phoneSignsIn: !mails.isPossible,
        requireProof: () => c.var.requireFreshProof(sessionId),
        async onChange(change, account, which) {
          change.record({ kind: CHANGED[which].kind, ...who });
          await notify(mails, change.tx, account, { letter: CHANGED[which].letter, visit });
        },
      });
    } catch (error) {
      const asked = (['username', 'phone_number'] as const).filter((which) => body[which] !== undefined);
      for (const which of error instanceof ParleyError ? asked : []) {
        changes.audit.refused({ kind: CHANGED[which].kind, ...who, detail: { code: (error as ParleyError).code } });
      }
      throw error;
    }
  });

  return router;
}
