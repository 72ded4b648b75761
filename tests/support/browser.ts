import type { User } from '../../protocol/resources.ts';
import { type Answer, request } from './people.ts';
import type { TestServer } from './server.ts';

/** A cookie as the server set it; the names of its attributes are in lower case. */
export interface Cookie {
  value: string;
  attributes: Map<string, string>;
}

/** What a browser does for a web client: keeps the cookies, and sends each where its path says. */
export class Browser {
  readonly cookies = new Map<string, Cookie>();
  user!: User;

  constructor(
    readonly server: TestServer,
    /** Headers of every request, such as `Origin`. */
    readonly headers: Record<string, string> = {},
  ) {}

  /** A browser in which somebody signed in. */
  static async signIn(server: TestServer, account: { email: string; password: string }): Promise<Browser> {
    const browser = new Browser(server);
    const { status, body } = await browser.call('POST', '/auth/login', account, { 'X-Auth-Mode': 'cookie' });
    if (status !== 200) throw new Error(`signing in failed: ${status} ${JSON.stringify(body)}`);
    browser.user = body.user;
    return browser;
  }

  async call<T = any>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const url = path.startsWith('/api') ? path : `/api/v1${path}`;
    const sent = { ...this.headers, Cookie: this.cookieHeader(url), ...headers };
    const answer = await request<T>(this.server, method, url, { body, headers: sent });
    for (const line of answer.headers.getSetCookie()) this.keep(line);
    return answer;
  }

  /** The `Cookie` header of a request to `path`. */
  cookieHeader(path: string): string {
    return [...this.cookies]
      .filter(([, { attributes }]) => path.startsWith(attributes.get('path') ?? '/'))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
  }

  private keep(line: string): void {
    const [pair = '', ...rest] = line.split('; ');
    const [name = '', value = ''] = pair.split('=');
    const attributes = new Map(rest.map((one) => one.split('=')).map(([key, is]) => [key!.toLowerCase(), is ?? '']));
    if (attributes.get('max-age') === '0') this.cookies.delete(name);
    else this.cookies.set(name, { value, attributes });
  }
}
