import { expect, test } from 'bun:test';
import { ERRORS } from '../../../protocol/errors.ts';
import { ParleyError } from '../sdk.ts';
import { strings } from '../strings.ts';
import { failureText, fieldErrors } from './failure.ts';

test('a failure is told in the client’s own words, in the server’s where the client has none', () => {
  expect(failureText(new ParleyError('unavailable', 'as the server says it'))).toBe(strings.failures.unavailable!);
  expect(failureText({ code: 'of_tomorrow', message: 'as the server says it' })).toBe('as the server says it');
});

test('there are words for every failure that people can mend', () => {
  const codes = Object.entries(ERRORS).filter(([, { status }]) => [409, 413, 429, 503].includes(status));
  const forPrograms = ['resync_required', 'cannot_leave_direct'];
  for (const [code] of codes) if (!forPrograms.includes(code)) expect(strings.failures).toHaveProperty(code);
});

test('what is wrong with a field stands beside it', () => {
  const errors = [{ path: 'username', message: 'Username must be at least 3 characters' }];
  expect(fieldErrors(new ParleyError('validation_failed', undefined, { errors }))).toEqual({
    username: strings.fields.username,
  });
  expect(fieldErrors(new ParleyError('email_taken'))).toEqual({ email: strings.failures.email_taken });
  expect(fieldErrors(new ParleyError('rate_limited'))).toEqual({ form: strings.failures.rate_limited });
  const weak = [{ path: 'new_password', message: 'This is made of a name that others know' }];
  expect(fieldErrors(new ParleyError('password_too_weak', undefined, { errors: weak }))).toEqual({
    new_password: 'This is made of a name that others know.',
  });
});

test('who has to wait is told until when', () => {
  const limited = new ParleyError('rate_limited', undefined, { retryAfterMs: 11 * 60_000 + 1 });
  expect(failureText(limited)).toBe('That was a lot at once. Try again in 12 minutes.');
});
