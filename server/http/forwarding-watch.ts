import type { Logger } from '../shared/logger.ts';
import type { ProxyTrust } from './proxy-trust.ts';

export interface ForwardingWatchOptions {
  proxies: ProxyTrust;
  publicUrl: string;
  log: Logger;
}

/**
 * Notices that a proxy stands before this server which the settings do not know (ASVS 13.2.4), and says so once, with what to set:
 * until then all of its clients are one address, and the cookies of a connection that is encrypted are not `Secure`.
 */
export class ForwardingWatch {
  private hasSaid = false;

  constructor(private readonly options: ForwardingWatchOptions) {}

  look(peer: string, headers: Headers): void {
    if (this.hasSaid) return;
    const { proxies, publicUrl, log } = this.options;
    if (!isForwarded(headers) || proxies.trusts(peer)) return;
    this.hasSaid = true;
    const isNamed = publicUrl.startsWith('https://');
    const cookies = isNamed ? '' : ', and cookies are not Secure';
    const address = isNamed ? '' : ' and PUBLIC_URL to the address in browsers, such as https://chat.example.com';
    log.warn(
      { peer },
      `!!! requests come through a proxy that is not trusted: all who come through it count as one address${cookies}. ` +
        `Set TRUST_PROXY to its address (this one came from ${peer})${address}`,
    );
  }
}

/** Whether a proxy, or a browser that knows of one, says so: a page that was loaded over TLS was not loaded from here. */
function isForwarded(headers: Headers): boolean {
  if (headers.has('x-forwarded-for') || headers.has('x-forwarded-proto') || headers.has('forwarded')) return true;
  const origin = headers.get('origin');
  return origin?.startsWith('https://') === true && URL.parse(origin)?.host === headers.get('host');
}
