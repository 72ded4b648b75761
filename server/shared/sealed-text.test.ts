import { expect, test } from 'bun:test';
import { derivedKey } from './derived-key.ts';
import { SealedTexts } from './sealed-text.ts';

const [old, today, other] = ['old', 'today', 'other'].map((secret) => derivedKey(secret, 'test')) as [
  never,
  never,
  never,
];

test('a text that was sealed is opened again, by its own key and as what it is', () => {
  const seals = new SealedTexts([today]);
  const sealed = seals.seal('JBSWY3DPEHPK3PXP', 'totp 1');
  expect(sealed).toStartWith(seals.prefix);
  expect(sealed).not.toContain('JBSW');
  expect(seals.open(sealed, 'totp 1')).toEqual({ text: 'JBSWY3DPEHPK3PXP', isOld: false });
  expect(seals.open(sealed, 'totp 2')).toBeUndefined();
  expect(new SealedTexts([other]).open(sealed, 'totp 1')).toBeUndefined();
});

test('no two seals of one text are alike', () => {
  const seals = new SealedTexts([today]);
  expect(seals.seal('a', 'b')).not.toBe(seals.seal('a', 'b'));
});

test('while a secret is rotated out, what it sealed is opened, and said to be old', () => {
  const sealed = new SealedTexts([old]).seal('secret', 'totp 1');
  const rotated = new SealedTexts([today, old]);
  expect(rotated.open(sealed, 'totp 1')).toEqual({ text: 'secret', isOld: true });
  expect(sealed).not.toStartWith(rotated.prefix);
});

test('what is no seal of ours is not opened, wherever it was touched', () => {
  const seals = new SealedTexts([today]);
  const sealed = seals.seal('secret', 'a');
  const [version, id, body] = sealed.split('.') as [string, string, string];
  const flipped = Buffer.from(body, 'base64url');
  const forged = Array.from(flipped, (_, index) => {
    const bytes = Buffer.from(flipped);
    bytes[index]! ^= 1;
    return `${version}.${id}.${bytes.toString('base64url')}`;
  });
  for (const text of ['', 'v1', 'v1..', `v2.${id}.${body}`, `${version}.${id}.AAAA`, ...forged]) {
    expect(seals.open(text, 'a')).toBeUndefined();
  }
});
