import { describe, expect, test } from 'bun:test';
import { MetricsAccess } from './metrics-access.ts';

const OUTSIDE = '203.0.113.7';

function allows(access: MetricsAccess, address: string, headers: Record<string, string> = {}) {
  return access.allows({ address, headers: new Headers(headers) });
}

describe('the metrics', () => {
  const access = new MetricsAccess({ token: 'a token for Prometheus' });

  test.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])('this machine may, as %p', (address) => {
    expect(allows(access, address)).toBe(true);
  });

  test('whoever brings the token may', () => {
    expect(allows(access, OUTSIDE, { authorization: 'Bearer a token for Prometheus' })).toBe(true);
    expect(allows(access, OUTSIDE, { authorization: 'bearer a token for Prometheus' })).toBe(true);
  });

  test.each([
    {},
    { authorization: 'Bearer' },
    { authorization: 'Bearer another' },
    { authorization: 'Basic a token for Prometheus' },
  ])('an outsider may not, with %p', (headers) => {
    expect(allows(access, OUTSIDE, headers as Record<string, string>)).toBe(false);
  });

  test('a client that a proxy of this machine speaks for may not', () => {
    expect(allows(access, '127.0.0.1', { 'x-forwarded-for': OUTSIDE })).toBe(false);
    expect(allows(access, '127.0.0.1', { forwarded: `for=${OUTSIDE}` })).toBe(false);
  });

  test('no token set means that none opens, an empty one least of all', () => {
    const closed = new MetricsAccess({ token: '' });
    expect(allows(closed, OUTSIDE, { authorization: 'Bearer ' })).toBe(false);
    expect(allows(closed, OUTSIDE, { authorization: 'Bearer x' })).toBe(false);
  });
});
