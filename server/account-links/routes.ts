import { ChangeEmailBody, ForgotPasswordBody, ResetPasswordBody, VerifyEmailBody } from '../../protocol/requests.ts';
import { type Arrivals, authMode, SignedInAnswer } from '../auth/arrivals.ts';
import { visitOf } from '../auth/authenticate.ts';
import { credentials } from '../auth/credentials.ts';
import { answer, Success } from '../http/declared-answers.ts';
import { mount, publicRoute, signedInRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';
import type { EmailService } from './email-service.ts';
import type { PasswordService } from './password-service.ts';

const forgotPassword = publicRoute({
  ...credentials,
  method: 'post',
  path: '/api/v1/auth/password/forgot',
  operationId: 'forgotPassword',
  summary: 'Ask for a link for a new password',
  description:
    'The answer is the same whether or not there is an account with the address. The link is good for an hour.',
  request: { body: ForgotPasswordBody },
  answers: { 202: answer('Whoever reads that address’s mail gets a link, if it has an account', Success) },
  fails: ['mail_unavailable'],
  limit: 'forgot',
});

const resetPassword = publicRoute({
  ...credentials,
  method: 'post',
  path: '/api/v1/auth/password/reset',
  operationId: 'resetPassword',
  summary: 'Choose a new password by a link',
  description:
    'Ends every session and every other link of the account, and signs in. An account with a second factor is asked for it: ' +
    'the password is the new one all the same.',
  request: { headers: authMode, body: ResetPasswordBody },
  answers: { 200: answer('The password is changed; signed in', SignedInAnswer) },
  fails: ['password_too_weak', 'link_expired', 'mfa_required'],
  limit: 'links',
});

const verifyEmail = publicRoute({
  ...credentials,
  method: 'post',
  path: '/api/v1/auth/email/verify',
  operationId: 'verifyEmail',
  summary: 'Confirm an address',
  description:
    'By the `token` of a link, for which nobody needs to be signed in; or by the six digits of the letter, for who is: a ' +
    'wrong one is `validation_failed`, and after five the letter is no longer good. All others who gave the address lose it.',
  looksAtSession: true,
  request: { body: VerifyEmailBody },
  answers: { 200: answer('The address is theirs', Success) },
  fails: ['link_expired', 'missing_token', 'invalid_token', 'token_expired', 'session_revoked', 'origin_not_allowed'],
  limit: 'links',
});

const resendVerification = signedInRoute({
  ...credentials,
  method: 'post',
  path: '/api/v1/auth/email/verify/resend',
  operationId: 'resendVerification',
  whileRestricted: ['password', 'email', 'factor'],
  summary: 'Send another letter for the address that waits to be confirmed',
  description: 'The link and the code of the letter before are no longer good.',
  answers: { 202: answer('A letter is on its way', Success) },
  fails: ['not_found', 'email_taken', 'mail_unavailable'],
});

const changeEmail = signedInRoute({
  ...credentials,
  method: 'post',
  path: '/api/v1/auth/email',
  operationId: 'changeEmail',
  whileRestricted: ['email'],
  needsFreshProof: true,
  summary: 'Change your address',
  description:
    'A letter with a link and a code goes to the new address; the account has the old one until it is confirmed.',
  request: { body: ChangeEmailBody },
  answers: { 202: answer('A letter is on its way', Success) },
  fails: ['email_taken', 'mail_unavailable'],
});

export interface AccountLinksRoutesDeps {
  emails: EmailService;
  passwords: PasswordService;
  arrivals: Arrivals;
}

export function accountLinksRoutes({ emails, passwords, arrivals }: AccountLinksRoutesDeps): Router {
  const router = createRouter();

  mount(router, forgotPassword, async (c) => {
    await passwords.forgot(c.req.valid('json').email, visitOf(c));
    return { success: true };
  });

  mount(router, resetPassword, async (c) => {
    const { token, new_password, device_token } = c.req.valid('json');
    const arrival = await arrivals.of(c, device_token);
    return arrivals.answer(c, await passwords.reset(token, new_password, arrival), device_token);
  });

  mount(router, verifyEmail, async (c) => {
    const { token, code } = c.req.valid('json');
    if (token !== undefined) await emails.verifyByToken(token, visitOf(c));
    else await emails.verifyByCode(await c.var.authenticate(), code!, visitOf(c));
    return { success: true };
  });

  mount(router, resendVerification, async (c) => {
    await emails.resend(c.var.caller, visitOf(c));
    return { success: true };
  });

  mount(router, changeEmail, async (c) => {
    await emails.change(c.var.caller, c.req.valid('json').new_email, visitOf(c));
    return { success: true };
  });

  return router;
}
