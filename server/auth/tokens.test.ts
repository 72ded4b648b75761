import { describe, expect, test } from 'bun:test';
import { createHmac } from 'node:crypto';
import { decodeJwt, SignJWT } from 'jose';
import type { Session } from '../sessions/model.ts';
import { Tokens } from './tokens.ts';

const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const OTHER_SECRET = 'another-secret-of-more-than-thirty-two-chars';
const NOW = 1_800_000_000_500;
const MINUTE = 60_000;

const session: Session = {
  id: '0199a3f0-8c00-7a00-8000-000000000001',
  user_id: '0199a3f0-8c00-7a00-8000-000000000002',
  created_at: NOW,
  expires_at: NOW + 60 * MINUTE,
  ended_at: null,
  generation: 3,
  rotated_at: NOW,
  device: null,
  address: null,
  proofs: 'password',
  proved_at: NOW,
  end_reason: null,
};
const owner = { userId: session.user_id, sessionId: session.id };

function tokensAt(now: number, { secret = SECRET, previousSecret = '' } = {}): Tokens {
  return new Tokens({ current: secret, previous: previousSecret, accessExpiryMs: 15 * MINUTE, now: () => now });
}

function forge(claims: Record<string, unknown>, { alg = 'HS256', secret = SECRET } = {}): Promise<string> {
  return new SignJWT({ iss: 'parley', sub: session.user_id, sid: session.id, exp: NOW / 1000 + 60, ...claims })
    .setProtectedHeader({ alg })
    .sign(new TextEncoder().encode(secret.padEnd(64, '.')));
}

describe('tokens', () => {
  test('say whose they are and of which session', async () => {
    const { access_token, refresh_token, expires_in } = await tokensAt(NOW).issue(session);
    expect(await tokensAt(NOW).readAccess(access_token)).toMatchObject(owner);
    expect(await tokensAt(NOW).readRefresh(refresh_token)).toEqual({ ...owner, generation: 3 });
    expect(expires_in).toBe(900);
  });

  test('of either type are not taken for the other', async () => {
    const { access_token, refresh_token } = await tokensAt(NOW).issue(session);
    await expect(tokensAt(NOW).readAccess(refresh_token)).rejects.toMatchObject({ code: 'invalid_token' });
    await expect(tokensAt(NOW).readRefresh(access_token)).rejects.toMatchObject({ code: 'invalid_token' });
  });

  test('expire, and say so', async () => {
    const { access_token, refresh_token } = await tokensAt(NOW).issue(session);
    const later = tokensAt(NOW + 16 * MINUTE);
    await expect(later.readAccess(access_token)).rejects.toMatchObject({ code: 'token_expired' });
    expect(await later.readRefresh(refresh_token)).toMatchObject(owner);
    const latest = tokensAt(NOW + 61 * MINUTE);
    await expect(latest.readRefresh(refresh_token)).rejects.toMatchObject({ code: 'token_expired' });
  });

  test('expire to the second also for who has seen them hold', async () => {
    let now = NOW;
    const tokens = new Tokens({ current: SECRET, previous: '', accessExpiryMs: 15 * MINUTE, now: () => now });
    const { access_token, refresh_token } = await tokens.issue(session);
    for (now of [NOW, NOW + 14 * MINUTE]) expect(await tokens.readAccess(access_token)).toEqual(owner);
    now = NOW + 15 * MINUTE + 1000;
    await expect(tokens.readAccess(access_token)).rejects.toMatchObject({ code: 'token_expired' });
    await expect(tokens.readAccess(refresh_token)).rejects.toMatchObject({ code: 'invalid_token' });
  });

  test('that were seen to hold make no other hold, and no other type', async () => {
    const tokens = tokensAt(NOW);
    const { access_token } = await tokens.issue(session);
    await tokens.readAccess(access_token);
    for (const other of [`${access_token}x`, access_token.slice(0, -1), `${access_token}.`, ` ${access_token}`]) {
      await expect(tokens.readAccess(other)).rejects.toMatchObject({ code: 'invalid_token' });
    }
    await expect(tokens.readRefresh(access_token)).rejects.toMatchObject({ code: 'invalid_token' });
  });

  test('that have expired still name the session to sign out of', async () => {
    const { access_token } = await tokensAt(NOW).issue(session);
    const later = tokensAt(NOW + 16 * MINUTE);
    expect(await later.readIgnoringExpiry(access_token, 'access')).toMatchObject(owner);
    expect(await later.readIgnoringExpiry(access_token, 'refresh')).toBeUndefined();
    expect(await later.readIgnoringExpiry('nonsense', 'access')).toBeUndefined();
  });

  test('do not outlive their session', async () => {
    const short = { ...session, expires_at: NOW + MINUTE };
    const { access_token, expires_in } = await tokensAt(NOW).issue(short);
    expect(expires_in).toBe(60);
    await expect(tokensAt(NOW + 2 * MINUTE).readAccess(access_token)).rejects.toMatchObject({ code: 'token_expired' });
  });

  test('for refreshing are the same to the byte whenever they are made for the same row', async () => {
    const first = await tokensAt(NOW).issue(session);
    const again = await tokensAt(NOW + 20_000).issue(session);
    expect(again.refresh_token).toBe(first.refresh_token);
    const next = await tokensAt(NOW).issue({ ...session, generation: 4 });
    expect(next.refresh_token).not.toBe(first.refresh_token);
  });

  test('of the previous secret still verify, those of a stranger do not', async () => {
    const { access_token } = await tokensAt(NOW).issue(session);
    const rotated = tokensAt(NOW, { secret: OTHER_SECRET, previousSecret: SECRET });
    expect(await rotated.readAccess(access_token)).toMatchObject(owner);
    const stranger = tokensAt(NOW, { secret: OTHER_SECRET });
    await expect(stranger.readAccess(access_token)).rejects.toMatchObject({ code: 'invalid_token' });
  });

  test('without a signature, or of another algorithm, are refused', async () => {
    const tokens = tokensAt(NOW, { secret: SECRET.padEnd(64, '.') });
    expect(await tokens.readAccess(await forge({ typ: 'access' }))).toMatchObject(owner);

    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const claims = encode({ iss: 'parley', sub: session.user_id, sid: session.id, typ: 'access', exp: 9e9 });
    const unsigned = `${encode({ alg: 'none' })}.${claims}.`;
    const wrongName = `${encode({ alg: 'none' })}.${claims}`;
    const signature = createHmac('sha256', SECRET.padEnd(64, '.')).update(wrongName).digest('base64url');
    for (const token of [unsigned, `${wrongName}.${signature}`, await forge({ typ: 'access' }, { alg: 'HS512' })]) {
      await expect(tokens.readAccess(token)).rejects.toMatchObject({ code: 'invalid_token' });
    }
  });

  test('of another audience are refused; those of before there was one hold until they expire', async () => {
    const tokens = tokensAt(NOW, { secret: SECRET.padEnd(64, '.') });
    const { access_token, refresh_token } = await tokens.issue(session);
    for (const token of [access_token, refresh_token]) expect(decodeJwt(token).aud).toBe('parley');
    for (const aud of ['other', 'parley-device', '', null, 7, [], ['other'], ['parley', 'other'], {}]) {
      const access = await forge({ typ: 'access', aud });
      await expect(tokens.readAccess(access)).rejects.toMatchObject({ code: 'invalid_token' });
      expect(await tokens.readIgnoringExpiry(access, 'access')).toBeUndefined();
      const refresh = await forge({ typ: 'refresh', gen: 3, aud });
      await expect(tokens.readRefresh(refresh)).rejects.toMatchObject({ code: 'invalid_token' });
    }
    for (const aud of ['parley', undefined]) {
      expect(await tokens.readAccess(await forge({ typ: 'access', aud }))).toMatchObject(owner);
      expect(await tokens.readRefresh(await forge({ typ: 'refresh', gen: 3, aud }))).toMatchObject(owner);
    }
    const later = tokensAt(NOW + 61_000, { secret: SECRET.padEnd(64, '.') });
    await expect(later.readAccess(await forge({ typ: 'access' }))).rejects.toMatchObject({ code: 'token_expired' });
  });

  test('of another issuer, without expiry or without an owner are refused', async () => {
    const tokens = tokensAt(NOW, { secret: SECRET.padEnd(64, '.') });
    for (const claims of [{ iss: 'other' }, { exp: undefined }, { sub: undefined }, { sid: 7 }, { typ: undefined }]) {
      const token = await forge({ typ: 'access', ...claims });
      await expect(tokens.readAccess(token)).rejects.toMatchObject({ code: 'invalid_token' });
    }
    for (const gen of [undefined, '1', 1.5]) {
      await expect(tokens.readRefresh(await forge({ typ: 'refresh', gen }))).rejects.toMatchObject({
        code: 'invalid_token',
      });
    }
    for (const token of ['', '.', '..', 'a.b.c', 'é'.repeat(5000)]) {
      await expect(tokens.readAccess(token)).rejects.toMatchObject({ code: 'invalid_token' });
    }
  });
});
