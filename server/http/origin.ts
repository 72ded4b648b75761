/**
 * Which web pages may act with a visitor's cookies (PROTOCOL.md §3; ASVS 3.5.1): those of the server's own origin and of
 * `CORS_ORIGINS`. The browser says where a page is from, in headers that a page cannot forge.
 */
export class OriginPolicy {
  private readonly own: string | undefined;
  private readonly others: Set<string>;

  constructor(options: { publicUrl: string; corsOrigins: string[] }) {
    this.own = options.publicUrl === '' ? undefined : new URL(options.publicUrl).origin;
    this.others = new Set(options.corsOrigins);
  }

  /** Whether a page of `origin` may read answers: the `Access-Control-Allow-Origin` of CORS. */
  isTrusted(origin: string): boolean {
    return origin === this.own || this.others.has(origin);
  }

  /** Whether a request may be authenticated by its cookies. One without `Origin` is no browser's. */
  mayUseCookies(headers: Headers): boolean {
    const site = headers.get('sec-fetch-site');
    if (site === 'same-origin') return true;
    const origin = headers.get('origin');
    if (origin === null) return site === null || site === 'none';
    return this.isTrusted(origin) || (URL.canParse(origin) && new URL(origin).host === headers.get('host'));
  }
}
