import ipaddr from 'ipaddr.js';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/**
 * Whose word counts about where a request came from (`TRUST_PROXY`). Without a trusted proxy the peer of the connection
 * is the client, whatever headers say (ASVS 13.2.4).
 */
export class ProxyTrust {
  private readonly trusted: [ipaddr.IPv4 | ipaddr.IPv6, number][];

  /** Takes addresses, networks such as `10.0.0.0/8`, and the word `loopback`. Throws on anything else. */
  constructor(proxies: string[]) {
    this.trusted = proxies
      .flatMap((one) => (one === 'loopback' ? LOOPBACK : one))
      .map((one) => ipaddr.parseCIDR(one.includes('/') ? one : `${one}/${one.includes(':') ? 128 : 32}`));
  }

  /** The client's address: the rightmost of `X-Forwarded-For` that no trusted proxy vouches for. */
  clientAddress(peer: string, headers: Headers): string {
    let address = plain(peer);
    const hops = (headers.get('x-forwarded-for') ?? '').split(',').map((hop) => hop.trim());
    while (this.trusts(address)) {
      const hop = hops.pop();
      if (!hop) break;
      address = plain(hop);
    }
    return address;
  }

  /** Whether the client's own connection is encrypted, as the proxy that ends TLS says. */
  isSecure(peer: string, headers: Headers): boolean {
    return headers.get('x-forwarded-proto')?.split(',')[0]?.trim() === 'https' && this.trusts(peer);
  }

  /** Whether the word of who has this address counts. */
  trusts(address: string): boolean {
    const parsed = this.trusted.length > 0 && parse(plain(address));
    if (!parsed) return false;
    return this.trusted.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match([network, bits]));
  }
}

/** The address alone, without a port; IPv4 as such, also where the socket speaks IPv6. */
function plain(hop: string): string {
  const address = withoutPort(hop);
  return parse(address)?.toString() ?? address;
}

/** Undefined for what is no address: a proxy may have forwarded anything. */
function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  return ipaddr.isValid(address) ? ipaddr.process(address) : undefined;
}

/** Some proxies forward the port too: `192.0.2.1:4711`, `[2001:db8::1]:4711` (RFC 7239 §6). */
function withoutPort(hop: string): string {
  const [, ipv6, ipv4] = /^(?:\[(.+)\]|([\d.]+))(?::\d+)?$/.exec(hop) ?? [];
  return ipv6 ?? ipv4 ?? hop;
}
