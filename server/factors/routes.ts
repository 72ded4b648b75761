import { z } from 'zod';
import { ConfirmTotpBody, MfaBody, ReauthenticateBody } from '../../protocol/requests.ts';
import { RecoveryCodes, TotpSetup } from '../../protocol/resources.ts';
import { type Arrivals, authMode, SignedInAnswer } from '../auth/arrivals.ts';
import { visitOf } from '../auth/authenticate.ts';
import { credentials } from '../auth/credentials.ts';
import { answer, Success } from '../http/declared-answers.ts';
import { mount, publicRoute, signedInRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';
import type { FactorsService } from './service.ts';

const TAG = 'Second factor';

const beginTotp = signedInRoute({
  ...credentials,
  tag: TAG,
  method: 'post',
  path: '/api/v1/auth/totp',
  operationId: 'beginTotp',
  summary: 'Set up an authenticator app',
  description:
    'A secret for the app, as text and as a picture, this one time. It counts once a code of it is shown, within half an hour; ' +
    'an app that is in use stays until then, and is replaced.',
  whileRestricted: ['factor'],
  needsFreshProof: true,
  answers: { 200: answer('What the app is given', TotpSetup) },
});

const confirmTotp = signedInRoute({
  ...credentials,
  tag: TAG,
  method: 'put',
  path: '/api/v1/auth/totp',
  operationId: 'confirmTotp',
  summary: 'Take the authenticator app into use',
  description:
    'By a code of it. Answers ten recovery codes, which are shown this one time. Every other session of yours has to show the ' +
    'second factor before it goes on.',
  whileRestricted: ['factor'],
  request: { body: ConfirmTotpBody },
  answers: { 200: answer('Codes for who has lost the app', RecoveryCodes) },
  fails: ['mfa_failed', 'link_expired'],
});

const removeTotp = signedInRoute({
  method: 'delete',
  path: '/api/v1/auth/totp',
  operationId: 'removeTotp',
  tag: TAG,
  summary: 'Remove the authenticator app',
  description: 'And the recovery codes. Where the installation asks for a second factor it is `forbidden`.',
  needsFreshProof: true,
  answers: { 200: answer('Removed', Success) },
  fails: ['forbidden', 'not_found'],
});

const renewCodes = signedInRoute({
  ...credentials,
  tag: TAG,
  method: 'post',
  path: '/api/v1/auth/recovery-codes',
  operationId: 'renewRecoveryCodes',
  summary: 'Make new recovery codes',
  description:
    'Those of before are worth nothing from then on. Without an authenticator app it is `enrolment_required`.',
  needsFreshProof: true,
  answers: { 200: answer('Codes for who has lost the app', RecoveryCodes) },
});

const countCodes = signedInRoute({
  method: 'get',
  path: '/api/v1/auth/recovery-codes',
  operationId: 'countRecoveryCodes',
  tag: TAG,
  summary: 'How many recovery codes are left',
  answers: { 200: answer('How many', z.object({ left: z.int().nonnegative() })) },
});

const showFactor = publicRoute({
  ...credentials,
  tag: TAG,
  method: 'post',
  path: '/api/v1/auth/mfa',
  operationId: 'showSecondFactor',
  summary: 'Show the second factor',
  description:
    'Goes on where a call answered `mfa_required`, with its `ticket`: answers as a log-in. After a refresh it is the same ' +
    'session that goes on. A ticket takes five codes, for ten minutes, and dies with the password it was made for.',
  request: { headers: authMode, body: MfaBody },
  answers: { 200: answer('Signed in', SignedInAnswer) },
  fails: ['mfa_failed', 'link_expired'],
});

const reauthenticate = signedInRoute({
  ...credentials,
  method: 'post',
  path: '/api/v1/auth/reauthenticate',
  operationId: 'reauthenticate',
  tag: 'Sessions',
  summary: 'Show once more that it is you',
  description:
    'By the password, or by a code of the authenticator app. For ten minutes this session may then do what is answered ' +
    '`reauthentication_required` otherwise.',
  whileRestricted: ['password', 'email', 'factor'],
  request: { body: ReauthenticateBody },
  answers: { 200: answer('It is you', Success) },
  fails: ['invalid_credentials', 'mfa_failed'],
});

export interface FactorRoutesDeps {
  factors: FactorsService;
  arrivals: Arrivals;
}

/** The second factor, and what asks for it. */
export function factorRoutes({ factors, arrivals }: FactorRoutesDeps): Router {
  const router = createRouter();

  mount(router, beginTotp, (c) => factors.begin(c.var.caller, visitOf(c)));
  mount(router, confirmTotp, (c) => factors.confirm(c.var.caller, c.req.valid('json').code, visitOf(c)));
  mount(router, removeTotp, async (c) => {
    await factors.remove(c.var.caller, visitOf(c));
    return { success: true };
  });
  mount(router, renewCodes, (c) => factors.renewCodes(c.var.caller, visitOf(c)));
  mount(router, countCodes, async (c) => ({ left: await factors.codesLeft(c.var.caller.userId) }));

  mount(router, showFactor, async (c) => {
    const { device_token, ...shown } = c.req.valid('json');
    return arrivals.answer(c, await factors.enter(shown, await arrivals.of(c, device_token)), device_token);
  });

  mount(router, reauthenticate, async (c) => {
    await factors.reauthenticate(c.var.caller, c.req.valid('json'), visitOf(c));
    return { success: true };
  });

  return router;
}
