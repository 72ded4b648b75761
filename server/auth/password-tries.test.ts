import { describe, expect, test } from 'bun:test';
import { RateLimit } from '../limits/rate-limits.ts';
import { ParleyError } from '../shared/errors.ts';
import { PasswordTries } from './password-tries.ts';

const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const [ALICE, HERE, THERE] = ['0199a3f0-8c00-7a00-8000-000000000002', '203.0.113.7', '203.0.113.8'];

function tries(account = 2, strangers = 3): PasswordTries {
  return new PasswordTries(
    {
      login_account: new RateLimit('account', { points: account, seconds: 60 }),
      login_account_strangers: new RateLimit('strangers', { points: strangers, seconds: 60 }),
    },
    SECRET,
  );
}

const wrong = async () => false;
const right = async () => true;
const busy = async () => {
  throw new ParleyError('unavailable');
};
const tooMany = { code: 'rate_limited' };

describe('a try', () => {
  test('that was not judged does not count', async () => {
    const counted = tries();
    const how = counted.byStranger(ALICE, HERE);
    for (let n = 0; n < 10; n++) await expect(counted.judge(how, busy)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await counted.judge(how, wrong)).toBe(false);
    expect(await counted.judge(how, wrong)).toBe(false);
    await expect(counted.judge(how, right)).rejects.toMatchObject(tooMany);
    expect(await counted.judge(counted.byStranger(ALICE, THERE), wrong)).toBe(false);
    await expect(counted.judge(counted.byStranger(ALICE, THERE), right)).rejects.toMatchObject(tooMany);
  });

  test('that is refused by one count is in none', async () => {
    const counted = tries(2, 3);
    const here = counted.byStranger(ALICE, HERE);
    for (let n = 0; n < 2; n++) expect(await counted.judge(here, wrong)).toBe(false);
    for (let n = 0; n < 10; n++) await expect(counted.judge(here, wrong)).rejects.toMatchObject(tooMany);
    expect(await counted.judge(counted.byStranger(ALICE, THERE), wrong)).toBe(false);
    await expect(counted.judge(counted.byStranger(ALICE, THERE), wrong)).rejects.toMatchObject(tooMany);
  });

  test('that is right forgets the wrong ones from there, and none from elsewhere', async () => {
    const counted = tries(2, 4);
    const [here, there] = [counted.byStranger(ALICE, HERE), counted.byStranger(ALICE, THERE)];
    expect(await counted.judge(there, wrong)).toBe(false);
    for (let n = 0; n < 2; n++) {
      expect(await counted.judge(here, wrong)).toBe(false);
      expect(await counted.judge(here, right)).toBe(true);
    }
    // Three wrong ones have been counted for the account, and no right one.
    expect(await counted.judge(there, wrong)).toBe(false);
    await expect(counted.judge(there, wrong)).rejects.toMatchObject(tooMany);
  });
});

describe('the name that tries count for', () => {
  test('is no text that was typed, and the same for all of its spellings', () => {
    const typed = ['Tr0ub4dor', 'tr0ub4dor', ' TR0UB4DOR '].map((username) => tries().nameOf(undefined, { username }));
    expect(new Set(typed).size).toBe(1);
    expect(typed[0]).toMatch(/^nobody-[\w-]{22}$/);
    expect(tries().nameOf(undefined, { username: 'another' })).not.toBe(typed[0]!);
    const strange = [{ username: 'a b' }, { email: 'a b' }, { phone_number: 'a b' }];
    for (const handle of strange) expect(tries().nameOf(undefined, handle)).toMatch(/^nobody-[\w-]{22}$/);
  });

  test('is another where the secret is', () => {
    const other = new PasswordTries({}, `${SECRET}.`);
    const handle = { email: 'nobody@example.com' };
    expect(other.nameOf(undefined, handle)).not.toBe(tries().nameOf(undefined, handle));
  });
});
