import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';

export interface Address {
  address: string;
  family: 4 | 6;
}

/** A name leads to where no webhook may go. */
export class RefusedAddress extends Error {}

/**
 * The addresses of a URL's host, all of them public, for a request that must not reach into the network it is sent from
 * (OWASP, Server-Side Request Forgery Prevention; ASVS 1.3.6). Connect to these and do not ask again: the name may lead
 * elsewhere a moment later. `hostname` as `URL` gives it, which writes `0x7f.1` and `2130706433` as addresses, too.
 * Fails with RefusedAddress where any of them is not public, and as `dns.lookup` does.
 */
export async function publicAddresses(hostname: string, allowPrivate: boolean): Promise<Address[]> {
  const addresses = await addressesOf(hostname);
  if (!allowPrivate && !addresses.every(({ address }) => isPublic(address))) {
    throw new RefusedAddress('the address is private');
  }
  return addresses;
}

async function addressesOf(hostname: string): Promise<Address[]> {
  const literal = hostname.replace(/^\[(.*)\]$/, '$1');
  if (ipaddr.isValid(literal)) {
    return [{ address: literal, family: ipaddr.parse(literal).kind() === 'ipv4' ? 4 : 6 }];
  }
  const found = await lookup(hostname, { all: true });
  return found.map(({ address, family }) => ({ address, family: family === 4 ? 4 : 6 }));
}

/**
 * Whether an address is one of the public internet: no loopback, private, link-local (the metadata services of clouds),
 * carrier-grade NAT, unique-local, multicast or reserved one. IPv4 inside IPv6 counts as the IPv4 it is; other ways to
 * write one address in another (NAT64, 6to4, Teredo) are not public.
 */
export function isPublic(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
}
