import { describe, expect, test } from 'bun:test';
import { ProxyTrust } from './proxy-trust.ts';

const forwarded = (list: string, proto = 'https') =>
  new Headers({ 'x-forwarded-for': list, 'x-forwarded-proto': proto });

describe('the client behind proxies', () => {
  test('is the peer where no proxy is trusted, whatever headers say', () => {
    const nobody = new ProxyTrust([]);
    expect(nobody.clientAddress('203.0.113.7', forwarded('198.51.100.1'))).toBe('203.0.113.7');
    expect(nobody.isSecure('203.0.113.7', forwarded(''))).toBe(false);
  });

  test('is the rightmost address that no trusted proxy vouches for', () => {
    const proxies = new ProxyTrust(['10.0.0.0/8', 'loopback']);
    const hops = forwarded('6.6.6.6, 198.51.100.1, 10.1.2.3');
    expect(proxies.clientAddress('127.0.0.1', hops)).toBe('198.51.100.1');
    expect(proxies.clientAddress('10.9.9.9', hops)).toBe('198.51.100.1');
    expect(proxies.clientAddress('203.0.113.7', hops)).toBe('203.0.113.7');
  });

  test('is the last trusted proxy where nothing was forwarded', () => {
    const proxies = new ProxyTrust(['loopback']);
    expect(proxies.clientAddress('127.0.0.1', new Headers())).toBe('127.0.0.1');
    expect(proxies.clientAddress('::1', forwarded('127.0.0.5'))).toBe('127.0.0.5');
  });

  test('is known on sockets that write IPv4 as IPv6', () => {
    const proxies = new ProxyTrust(['127.0.0.1']);
    expect(proxies.clientAddress('::ffff:127.0.0.1', forwarded('::ffff:198.51.100.1'))).toBe('198.51.100.1');
  });

  test('is known where proxies write the port as well', () => {
    const proxies = new ProxyTrust(['10.0.0.0/8', 'fd00::/8']);
    const seen = (hops: string) => proxies.clientAddress('10.9.9.9', forwarded(hops));
    expect(seen('198.51.100.1:4711, 10.1.2.3:80')).toBe('198.51.100.1');
    expect(seen('198.51.100.1, [fd00::1]:443')).toBe('198.51.100.1');
    expect(seen('[2001:db8::1]:4711')).toBe('2001:db8::1');
    expect(seen('[2001:db8::1]')).toBe('2001:db8::1');
    expect(seen('2001:db8::1')).toBe('2001:db8::1');
  });

  test('has an encrypted connection only if a trusted proxy says so', () => {
    const proxies = new ProxyTrust(['fd00::/8']);
    expect(proxies.isSecure('fd00::1', forwarded('', 'https'))).toBe(true);
    expect(proxies.isSecure('fd00::1', forwarded('', 'http'))).toBe(false);
    expect(proxies.isSecure('2001:db8::1', forwarded('', 'https'))).toBe(false);
  });
});

test('a proxy that is no address is refused at the start', () => {
  expect(() => new ProxyTrust(['proxy.example.com'])).toThrow();
});
