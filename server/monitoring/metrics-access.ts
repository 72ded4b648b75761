import { createHash, timingSafeEqual } from 'node:crypto';
import ipaddr from 'ipaddr.js';

export interface MetricsRequest {
  /** The client's address, proxies seen through. */
  address: string;
  headers: Headers;
}

/**
 * Says who may read the metrics: this machine itself, and who brings the token.
 *
 * A request that a proxy passed on is never local: from a proxy on this machine that `TRUST_PROXY` does not name, each
 * client would seem to be. One that adds no `X-Forwarded-For` cannot be told apart: let it not pass on /metrics.
 */
export class MetricsAccess {
  private readonly token: Buffer | undefined;

  constructor(options: { token: string }) {
    this.token = options.token === '' ? undefined : digest(options.token);
  }

  allows({ address, headers }: MetricsRequest): boolean {
    return (isLoopback(address) && !wasForwarded(headers)) || this.hasToken(headers);
  }

  /** Compares digests, which are alike in length, in a time that says nothing of where they differ (ASVS 11.2.4). */
  private hasToken(headers: Headers): boolean {
    const given = /^Bearer +(.+)$/i.exec(headers.get('authorization') ?? '')?.[1];
    return this.token !== undefined && given !== undefined && timingSafeEqual(digest(given), this.token);
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
}

function wasForwarded(headers: Headers): boolean {
  return headers.has('x-forwarded-for') || headers.has('forwarded');
}
