import { ParleyError } from '../shared/errors.ts';

/**
 * A host and perhaps a port (RFC 9110 §7.2), in what of RFC 3986 names of hosts are made of: letters, digits, `-`, `.`, `_` and
 * `~`, or an IPv6 address in brackets. No name and password, no zone, no percent signs: no host has them.
 */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~-]+)(?::\d*)?$/i;

/** The last one that was found to be valid: nearly all requests name the same. */
let known: string | undefined;

/**
 * Fails with `invalid_request` unless the address of a request is what its client asked for. The runtime builds it from the
 * `Host`: with one that is none, two, or an empty one, it is no address, and another path would be found in it than the one
 * that a proxy before this server has looked at. So would a `#`, at which some end a path and others do not.
 */
export function requireTarget({ url, headers }: Request): void {
  const host = headers.get('host');
  if (host === null) throw new ParleyError('invalid_request', 'The request names no Host');
  if (host !== known) {
    // Of two Hosts the runtime makes one, with a comma. What no URL can have, such as port 65536 or 999.1.1.1, is none either.
    if (!HOST.test(host) || !URL.canParse(url)) {
      throw new ParleyError('invalid_request', 'The Host of the request is none');
    }
    known = host;
  }
  if (url.includes('#')) throw new ParleyError('invalid_request', 'The address of a request has no fragment');
}

/** Such a request as one that can be answered: without its body, and the path as its client wrote it, for the log. */
export function withoutHost({ url, method, headers }: Request): Request {
  const path = url.slice(url.startsWith('/') ? 0 : url.indexOf('/', 'http://'.length));
  return new Request(`http://localhost${path}`, { method, headers });
}
