import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSecret } from './secret.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the secret', () => {
  test('is the one of the configuration where it is given', () => {
    expect(loadSecret({ jwt_secret: 'of the configuration' }, folder)).toBe('of the configuration');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is made once, and only its owner may read it', () => {
    const dir = join(folder, 'data');
    const secret = loadSecret({ jwt_secret: '' }, dir);
    expect(secret.length).toBeGreaterThanOrEqual(32);
    expect(loadSecret({ jwt_secret: '' }, dir)).toBe(secret);
    expect(readdirSync(dir)).toEqual(['jwt-secret']);
    expect(statSync(join(dir, 'jwt-secret')).mode & 0o777).toBe(0o600);
  });

  test('of an installation in memory is another at every start', () => {
    const make = () => loadSecret({ jwt_secret: '' }, ':memory:');
    expect(make()).not.toBe(make());
  });

  test('is not taken from a file that was cut short', () => {
    for (const cut of ['', 'short\n', `${'0'.repeat(64)}\n`]) {
      writeFileSync(join(folder, 'jwt-secret'), cut);
      expect(() => loadSecret({ jwt_secret: '' }, folder)).toThrow('holds no secret');
    }
  });
});
