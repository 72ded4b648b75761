import { z } from 'zod';
import { SessionInfo } from '../../protocol/resources.ts';
import { Id } from '../../protocol/schemas.ts';
import { answer, Success } from '../http/declared-answers.ts';
import { mount, signedInRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';
import type { AccountChanges } from '../sessions/account-changes.ts';
import type { Session } from '../sessions/model.ts';
import type { SessionsService } from '../sessions/sessions.ts';
import { ParleyError } from '../shared/errors.ts';
import { visitOf } from './authenticate.ts';

const TAG = 'Sessions';

const listSessions = signedInRoute({
  method: 'get',
  path: '/api/v1/auth/sessions',
  operationId: 'listSessions',
  tag: TAG,
  summary: 'Where you are signed in',
  description: 'Every session of yours that holds, the one used last first.',
  reads: 'page',
  answers: { 200: answer('Your sessions', z.object({ sessions: z.array(SessionInfo) })) },
});

const endSession = signedInRoute({
  method: 'delete',
  path: '/api/v1/auth/sessions/{id}',
  operationId: 'endSession',
  tag: TAG,
  summary: 'Sign a device out',
  description:
    'Its sockets close, and its next call is answered `session_revoked`: it then drops what it keeps of you.',
  needsFreshProof: true,
  request: { params: z.object({ id: Id }) },
  answers: { 200: answer('Ended', Success) },
  fails: ['not_found'],
});

const endOtherSessions = signedInRoute({
  method: 'delete',
  path: '/api/v1/auth/sessions',
  operationId: 'endOtherSessions',
  tag: TAG,
  summary: 'Sign all your other devices out',
  needsFreshProof: true,
  answers: { 200: answer('How many were ended', z.object({ ended: z.int().nonnegative() })) },
});

export interface SessionRoutesDeps {
  sessions: SessionsService;
  changes: AccountChanges;
}

/** Where somebody is signed in, and how they end it (ASVS 7.4.4, 7.5.2). */
export function sessionRoutes({ sessions, changes }: SessionRoutesDeps): Router {
  const router = createRouter();

  mount(router, listSessions, async (c) => {
    const { userId, sessionId } = c.var.caller;
    return { sessions: (await sessions.list(userId)).map((session) => present(session, sessionId)) };
  });

  mount(router, endSession, async (c) => {
    const { userId, sessionId: actingSession } = c.var.caller;
    const { id } = c.req.valid('param');
    const { whence } = visitOf(c);
    await changes.run(async (change) => {
      // One's own ends as by signing out: this device knows that it did it.
      const reason = id === actingSession ? undefined : 'revoked';
      if (!(await sessions.endIn(change, userId, id, reason))) throw new ParleyError('not_found');
      change.record({ kind: 'session.ended', actorId: userId, subjectId: userId, sessionId: id, whence });
    });
    return { success: true };
  });

  mount(router, endOtherSessions, async (c) => {
    const { userId, sessionId } = c.var.caller;
    const { whence } = visitOf(c);
    const ended = await changes.run(async (change) => {
      const count = await sessions.endAll(change, userId, { except: sessionId, reason: 'revoked' });
      if (count > 0) {
        change.record({
          kind: 'session.ended',
          actorId: userId,
          subjectId: userId,
          sessionId,
          whence,
          detail: { count },
        });
      }
      return count;
    });
    return { ended };
  });

  return router;
}

function present(session: Session, currentId: string): SessionInfo {
  const { id, device, address, created_at, rotated_at } = session;
  return {
    id,
    device: device ?? 'unknown device',
    address: address ?? undefined,
    created_at,
    last_used_at: rotated_at,
    is_current: id === currentId,
  };
}
