import { destinationIn } from '../lib/return-to.ts';

/** Where one signs in or up, or gets back in. */
export type Door = '/login' | '/signup' | '/forgot';

const DOORS: readonly string[] = ['/login', '/signup', '/forgot'] satisfies Door[];
const LINK = /^\/(reset|verify)$/;
const CONVERSATION = /^\/c\/([0-9a-f-]{36})$/;
/** Where one keeps one's account one's own. */
const SECURITY = '/settings/security';
/** Names, in the address of a door, where somebody wanted to go. */
const RETURN_TO = 'return_to';

/** Where in the client one is: the address says it, so that reload, back and bookmarks work. */
class Router {
  path = $state(location.pathname);
  /** Whether one came from another screen of the client. */
  hasMoved = false;
  #search = $state(location.search);
  #hash = $state(location.hash);

  get conversationId(): string | undefined {
    return CONVERSATION.exec(this.path)?.[1];
  }

  get isSecurity(): boolean {
    return this.path === SECURITY;
  }

  /** The screen for links of letters that the address is of. */
  get link(): 'reset' | 'verify' | undefined {
    return LINK.exec(this.path)?.[1] as 'reset' | 'verify' | undefined;
  }

  /** The secret of a letter's link stands behind the `#` of its address, which no server and no proxy sees. */
  get token(): string {
    return this.#hash.slice(1);
  }

  get door(): Door | undefined {
    return DOORS.includes(this.path) ? (this.path as Door) : undefined;
  }

  /** Where somebody wants to go who has to come in first: where they are, or what a door's address says of it. */
  get destination(): string | undefined {
    const wanted = this.door ? new URLSearchParams(this.#search).get(RETURN_TO) : this.path;
    return wanted === '/' ? undefined : destinationIn(wanted);
  }

  go(path: string, { replace = false } = {}): void {
    if (path === this.path + this.#search) return;
    if (replace) history.replaceState(null, '', path);
    else history.pushState(null, '', path);
    this.#read();
  }

  /** To a door, from which one goes on to where one wanted to go. */
  toDoor(door: Door, options?: { replace?: boolean }): void {
    const { destination } = this;
    this.go(destination === undefined ? door : `${door}?${RETURN_TO}=${encodeURIComponent(destination)}`, options);
  }

  openSecurity(): void {
    this.go(SECURITY);
  }

  open(conversationId: string): void {
    this.go(`/c/${conversationId}`);
  }

  watch(): void {
    // The latter comes alone where another link of a letter is opened in this tab.
    for (const event of ['popstate', 'hashchange']) addEventListener(event, () => this.#read());
  }

  #read(): void {
    this.hasMoved = true;
    this.path = location.pathname;
    this.#search = location.search;
    this.#hash = location.hash;
  }
}

export const router = new Router();
