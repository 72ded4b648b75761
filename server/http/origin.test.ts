import { describe, expect, test } from 'bun:test';
import { OriginPolicy } from './origin.ts';

const policy = new OriginPolicy({
  publicUrl: 'https://chat.example.com/',
  corsOrigins: ['http://localhost:5173'],
});
const mayUse = (headers: Record<string, string>) => policy.mayUseCookies(new Headers(headers));

describe('cookies may be used', () => {
  test('by pages of the server itself, by whichever name it was asked', () => {
    expect(mayUse({ 'sec-fetch-site': 'same-origin' })).toBe(true);
    expect(mayUse({ origin: 'https://chat.example.com' })).toBe(true);
    expect(mayUse({ origin: 'http://10.0.0.5:8080', host: '10.0.0.5:8080' })).toBe(true);
  });

  test('by the origins of CORS_ORIGINS', () => {
    expect(mayUse({ origin: 'http://localhost:5173', 'sec-fetch-site': 'same-site' })).toBe(true);
  });

  test('by programs, which send no Origin', () => {
    expect(mayUse({ host: 'chat.example.com' })).toBe(true);
  });
});

describe('cookies may not be used', () => {
  test('by pages of other sites, sister sites among them', () => {
    expect(mayUse({ origin: 'https://evil.example', host: 'chat.example.com' })).toBe(false);
    expect(mayUse({ origin: 'https://evil.example.com', 'sec-fetch-site': 'same-site' })).toBe(false);
    expect(mayUse({ origin: 'https://chat.example.com.evil.example' })).toBe(false);
    expect(mayUse({ origin: 'http://localhost:51730' })).toBe(false);
  });

  test('by pages that hide where they are from', () => {
    expect(mayUse({ origin: 'null', host: 'chat.example.com' })).toBe(false);
    expect(mayUse({ 'sec-fetch-site': 'cross-site' })).toBe(false);
  });
});

test('only origins that were named may read answers', () => {
  expect(policy.isTrusted('https://chat.example.com')).toBe(true);
  expect(policy.isTrusted('http://localhost:5173')).toBe(true);
  expect(policy.isTrusted('http://chat.example.com')).toBe(false);
});
