import { expect, test } from 'bun:test';
import { isPublic, publicAddresses, RefusedAddress } from './addresses.ts';

test.each([
  '127.0.0.1',
  '127.255.0.9',
  '0.0.0.0',
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '192.0.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::1',
  '2002:7f00:1::1',
  '2001::1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  '2001:db8::1',
  'no address',
])('%s is not public', (address) => {
  expect(isPublic(address)).toBe(false);
});

test.each(['1.1.1.1', '203.0.114.1', '::ffff:1.1.1.1', '2606:4700::1111'])('%s is public', (address) => {
  expect(isPublic(address)).toBe(true);
});

test.each(['127.1', '0x7f000001', '2130706433', '0177.0.0.1', '[::ffff:7f00:1]', 'localhost'])(
  'a URL to %s is refused, and found where private addresses are allowed',
  async (host) => {
    const { hostname } = new URL(`https://${host}/`);
    await expect(publicAddresses(hostname, false)).rejects.toThrow(RefusedAddress);
    expect((await publicAddresses(hostname, true)).length).toBeGreaterThan(0);
  },
);
