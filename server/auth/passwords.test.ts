import { describe, expect, test } from 'bun:test';
import { PasswordStrength } from './password-strength.ts';
import { Passwords } from './passwords.ts';

const strength = new PasswordStrength({ password_strength: 'refuse' }, 'chat.example.com');
const argon2id = new Passwords({ password_hash: 'argon2id', password_hash_concurrency: 2 }, strength);
const bcrypt = new Passwords({ password_hash: 'bcrypt', password_hash_concurrency: 1 }, strength);

const asker = { kind: 'stranger', key: '203.0.113.7' } as const;

describe('passwords', () => {
  test('of either kind verify, whichever is configured', async () => {
    const hashes = [await argon2id.hash('correct horse', asker), await bcrypt.hash('correct horse', asker)];
    expect(hashes[0]).toStartWith('$argon2id$v=19$m=19456,t=2,p=1$');
    expect(hashes[1]).toStartWith('$2b$10$');
    for (const hash of hashes) {
      for (const passwords of [argon2id, bcrypt]) {
        expect(await passwords.verify('correct horse', hash, asker)).toMatchObject({ hash });
        expect(await passwords.verify('wrong horse', hash, asker)).toBeUndefined();
      }
    }
  });

  test('never fit where there is no hash, or one that is no hash', async () => {
    expect(await argon2id.verify('anything', undefined, asker)).toBeUndefined();
    expect(await argon2id.verify('anything', null, asker)).toBeUndefined();
    expect(await argon2id.verify('anything', 'plain text', asker)).toBeUndefined();
  });

  test('of more than 72 bytes count to their end with bcrypt too', async () => {
    const hash = await bcrypt.hash(`${'x'.repeat(80)}a`, asker);
    expect(await bcrypt.verify(`${'x'.repeat(80)}b`, hash, asker)).toBeUndefined();
  });

  test('are hashed again when their kind is the other, or their cost an older one', async () => {
    const older = await Bun.password.hash('x', { algorithm: 'argon2id', memoryCost: 8192, timeCost: 2 });
    const cheaper = await Bun.password.hash('x', { algorithm: 'bcrypt', cost: 4 });
    const [new2id, newBcrypt] = [await argon2id.hash('x', asker), await bcrypt.hash('x', asker)];
    for (const [passwords, expected] of [
      [argon2id, [false, true, true, true]],
      [bcrypt, [true, false, true, true]],
    ] as const) {
      const fits = [new2id, newBcrypt, older, cheaper].map((hash) => passwords.verify('x', hash, asker));
      expect((await Promise.all(fits)).map((fit) => fit!.isOld)).toEqual([...expected]);
    }
  });

  test('are one however they are written, and hashes of what was typed fit who types that, as old ones', async () => {
    const [composed, decomposed] = ['Gr\u00f6\u00dfe', 'Gro\u0308\u00dfe'];
    const hash = await argon2id.hash(decomposed, asker);
    for (const form of [composed, decomposed]) {
      expect(await argon2id.verify(form, hash, asker)).toEqual({ hash, isOld: false });
    }
    const before = await Bun.password.hash(decomposed, { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 });
    expect(await argon2id.verify(decomposed, before, asker)).toEqual({ hash: before, isOld: true });
    expect(await argon2id.verify(composed, before, asker)).toBeUndefined();
  });

  test('that would wait behind a hundred others are refused', async () => {
    const hash = await Bun.password.hash('x', { algorithm: 'bcrypt', cost: 4 });
    const busy = new Passwords({ password_hash: 'argon2id', password_hash_concurrency: 1 }, strength);
    const outcomes = await Promise.allSettled(Array.from({ length: 110 }, () => busy.verify('x', hash, asker)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.length).toBeGreaterThanOrEqual(9);
    expect(refused[0]!.reason).toMatchObject({ code: 'unavailable' });
  });
});
