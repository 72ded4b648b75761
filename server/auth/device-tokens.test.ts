import { describe, expect, test } from 'bun:test';
import { DEVICE_KNOWN_MS, DeviceTokens } from './device-tokens.ts';
import { Tokens } from './tokens.ts';

const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const OTHER_SECRET = 'another-secret-of-more-than-thirty-two-chars';
const NOW = 1_800_000_000_500;

const at = (now: number, { secret = SECRET, previousSecret = '' } = {}) =>
  new DeviceTokens({ current: secret, previous: previousSecret, now: () => now });
const user = (n: number) => `0199a3f0-8c00-7a00-8000-${String(n).padStart(12, '0')}`;

describe('the token of a device', () => {
  test('says which it is, and to whom it is known', async () => {
    const token = await at(NOW).issue(user(1));
    const device = await at(NOW).read(token);
    expect(device!.userIds).toEqual([user(1)]);
    const next = await at(NOW).read(await at(NOW).issue(user(2), device));
    expect(next).toEqual({ id: device!.id, userIds: [user(2), user(1)] });
    expect((await at(NOW).read(await at(NOW).issue(user(1))))!.id).not.toBe(device!.id);
  });

  test('names the latest eight accounts, each once', async () => {
    let device = await at(NOW).read(await at(NOW).issue(user(0)));
    for (const n of [1, 2, 3, 2, 4, 5, 6, 7, 8]) device = await at(NOW).read(await at(NOW).issue(user(n), device));
    expect(device!.userIds).toEqual([8, 7, 6, 5, 4, 2, 3, 1].map(user));
  });

  test('holds for 400 days, and under the previous secret too', async () => {
    const token = await at(NOW).issue(user(1));
    expect(await at(NOW + DEVICE_KNOWN_MS - 2000).read(token)).toBeDefined();
    expect(await at(NOW + DEVICE_KNOWN_MS).read(token)).toBeUndefined();
    expect(await at(NOW, { secret: OTHER_SECRET, previousSecret: SECRET }).read(token)).toBeDefined();
    expect(await at(NOW, { secret: OTHER_SECRET }).read(token)).toBeUndefined();
  });

  test('is no token of a session, and none of those is one', async () => {
    const tokens = new Tokens({ current: SECRET, previous: '', accessExpiryMs: 900_000, now: () => NOW });
    const token = await at(NOW).issue(user(1));
    await expect(tokens.readAccess(token)).rejects.toMatchObject({ code: 'invalid_token' });
    await expect(tokens.readRefresh(token)).rejects.toMatchObject({ code: 'invalid_token' });
    const row = { id: user(9), user_id: user(1), created_at: NOW, expires_at: NOW + 9e5, ended_at: null };
    const shown = { device: null, address: null, proofs: 'password', proved_at: NOW, end_reason: null };
    const { access_token, refresh_token } = await tokens.issue({ ...row, ...shown, generation: 1, rotated_at: NOW });
    for (const other of [access_token, refresh_token, '', 'nonsense', `${token}x`]) {
      expect(await at(NOW).read(other)).toBeUndefined();
    }
  });
});
