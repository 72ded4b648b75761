import { expect, test } from 'bun:test';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { compress, isWorthCompressing, negotiateEncoding } from './compression.ts';

test.each([
  [undefined, undefined],
  ['', undefined],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['GZIP', 'gzip'],
  ['br', 'br'],
  ['zstd', 'zstd'],
  ['gzip, deflate, br, zstd', 'zstd'],
  ['gzip, deflate, br', 'br'],
  ['deflate', undefined],
  ['identity', undefined],
  ['*', 'zstd'],
  ['br;q=0.5, gzip', 'gzip'],
  ['br;q=0.5,gzip;q=0.8,zstd;q=0.1', 'gzip'],
  ['br ; q=0.9 , gzip;q=0.1', 'br'],
  ['gzip;q=0', undefined],
  ['gzip;q=0.000, br', 'br'],
  ['zstd;q=0, *', 'br'],
  ['*;q=0', undefined],
  ['*;q=0, gzip', 'gzip'],
  ['*;q=0.5, br;q=0.4', 'zstd'],
  ['identity;q=0', undefined],
  ['identity;q=0, gzip;q=0', undefined],
  ['identity, gzip', 'gzip'],
  ['identity, gzip;q=0.5', undefined],
  ['identity;q=0.5, gzip;q=0.7, br;q=0.6', 'gzip'],
  ['gzip;q=0.2', 'gzip'],
  ['gzip;q=much', undefined],
  ['gzip;q=', undefined],
  ['gzip;q=2', undefined],
  [',;q=1, , gzip', 'gzip'],
  ['__proto__, constructor', undefined],
])('a client that accepts %p gets %p', (accepted, expected) => {
  expect(negotiateEncoding(accepted)).toBe(expected as ReturnType<typeof negotiateEncoding>);
});

test('what was compressed is what it was', async () => {
  const text = JSON.stringify(Array.from({ length: 500 }, (_, n) => ({ n, content: `message ${n} 😀` })));
  const bytes = new TextEncoder().encode(text);
  for (const [encoding, decompress] of [
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
    ['zstd', zstdDecompressSync],
  ] as const) {
    const compressed = await compress(bytes, encoding);
    expect(compressed.length).toBeLessThan(bytes.length / 3);
    expect(new TextDecoder().decode(decompress(compressed))).toBe(text);
  }
});

test('a text is worth it beyond 1 KiB, counted in bytes', () => {
  expect(isWorthCompressing('x'.repeat(1024))).toBe(false);
  expect(isWorthCompressing('x'.repeat(1025))).toBe(true);
  expect(isWorthCompressing('é'.repeat(512))).toBe(false);
  expect(isWorthCompressing('é'.repeat(513))).toBe(true);
  expect(isWorthCompressing('€'.repeat(341))).toBe(false);
  expect(isWorthCompressing('€'.repeat(342))).toBe(true);
});
