import { expect, test } from 'bun:test';
import { createHmac, hkdfSync } from 'node:crypto';
import { Seal } from './seal.ts';

const SECRETS = { current: 'the secret', previous: 'the secret before' };

test('a seal is the HMAC-SHA-256 of place and text, by a key that HKDF derives for its kind', () => {
  const seal = new Seal('sessions', SECRETS);
  const key = Buffer.from(hkdfSync('sha256', 'the secret', '', 'parley redis sessions', 32));
  for (const text of ['', 'a', 'Grüße 👋', 'x'.repeat(100_000)]) {
    const hmac = createHmac('sha256', key).update(`5:place${text}`).digest('base64url');
    expect(seal.of('place', text)).toBe(hmac.slice(0, 22));
    expect(seal.of('place', text.slice(0, 3), text.slice(3))).toBe(hmac.slice(0, 22));
  }
});

test('a seal holds at its place, for its text, by this secret or the one before, and nowhere else', () => {
  const seal = new Seal('sessions', SECRETS);
  for (const current of ['the secret', 'the secret before']) {
    const made = new Seal('sessions', { current, previous: '' }).of('place', 'text');
    expect(seal.holds(made, 'place', 'text')).toBe(true);
    expect(seal.holds(made, 'place', 'te', 'xt')).toBe(true);
    expect(seal.holds(made, 'place1', 'text')).toBe(false);
    expect(seal.holds(made, 'plac', 'etext')).toBe(false);
    expect(seal.holds(made, 'place', 'texts')).toBe(false);
    for (const wrong of [
      '',
      made.slice(1),
      `${made}A`,
      'A'.repeat(22),
      'é'.repeat(11),
      'é'.repeat(22),
      '\0'.repeat(22),
    ]) {
      expect(seal.holds(wrong, 'place', 'text')).toBe(false);
    }
  }
  for (const other of [
    new Seal('publications', SECRETS),
    new Seal('sessions', { current: 'another', previous: '' }),
    new Seal('sessions', { current: '', previous: '' }),
  ]) {
    expect(seal.holds(other.of('place', 'text'), 'place', 'text')).toBe(false);
  }
});
