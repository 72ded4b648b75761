import { expect, test } from 'bun:test';
import { ERRORS } from '../protocol/errors.ts';
import { ParleyError } from './errors.ts';
import type { ErrorCode } from './protocol.ts';

test('every code of the contract says what to do', () => {
  const actions = Object.fromEntries(
    (Object.keys(ERRORS) as ErrorCode[]).map((code) => [code, new ParleyError(code).action]),
  );
  expect(actions).toMatchObject({
    validation_failed: 'fix',
    token_expired: 'sign_in',
    invalid_credentials: 'fix',
    forbidden: 'give_up',
    conversation_not_found: 'give_up',
    username_taken: 'fix',
    stale: 'resync',
    resync_required: 'resync',
    payload_too_large: 'fix',
    rate_limited: 'retry',
    internal: 'retry',
    unavailable: 'retry',
  });
});

test('what was thrown elsewhere becomes an error that is not tried again', () => {
  const error = ParleyError.from(new TypeError('undefined is not a function'));
  expect(error).toMatchObject({ code: 'internal', retryable: false, message: 'undefined is not a function' });
  expect(ParleyError.from(error)).toBe(error);
});
