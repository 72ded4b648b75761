import { describe, expect, test } from 'bun:test';
import { nameKey } from '../../protocol/names.ts';
import { Username } from '../../protocol/requests.ts';
import { candidateUsernames, deriveUsername } from './model.ts';

describe('a derived username', () => {
  test.each([
    ['alice@example.com', 'alice'],
    ['alice.b-c_d@example.com', 'alice.b-c_d'],
    ['alice+shop@example.com', 'alice'],
    ["o'hara@example.com", 'ohara'],
    ['.alice.@example.com', 'alice'],
    ['al@example.com', 'user_al'],
    ["'@example.com", 'user'],
    [`${'x'.repeat(64)}@example.com`, 'x'.repeat(50)],
    ['0199a3f0-8c00-7a00-8000-000000000001@example.com', 'user'],
  ])('of %s is %s', (email, username) => {
    expect(deriveUsername(email)).toBe(username);
    expect(Username.safeParse(username).success).toBe(true);
  });

  test('that is taken is tried again with more and more digits, and stays valid', () => {
    const candidates = candidateUsernames({ email: `${'x'.repeat(64)}@example.com` });
    expect(candidates.map((name) => /\d*$/.exec(name)![0].length)).toEqual([0, 4, 6, 8, 10]);
    for (const name of candidates) expect(Username.safeParse(name).success).toBe(true);
  });

  test('is not one that is reserved', () => {
    const candidates = candidateUsernames({ email: 'admin@example.com' }, (name) => name === 'admin');
    expect(candidates.map((name) => name.replace(/\d+$/, ''))).toEqual(Array(5).fill('user'));
  });

  test('is made in time that grows with the address, and no faster', () => {
    const millisecondsFor = (length: number) => {
      const email = `a${'.'.repeat(length)}b@example.com`;
      const started = performance.now();
      expect(deriveUsername(email)).toStartWith('a...');
      return performance.now() - started;
    };
    millisecondsFor(1000);
    // By its square it would be minutes.
    expect(millisecondsFor(1_000_000)).toBeLessThan(1000);
  });

  test('is not made where one was asked for', () => {
    expect(candidateUsernames({ email: 'alice@example.com', username: 'Wonder' })).toEqual(['Wonder']);
  });
});

test('names are compared whatever their case, width and surrounding space', () => {
  expect(nameKey('  ÄLICE ')).toBe('älice');
  expect(nameKey('Ａlice')).toBe('alice');
});
