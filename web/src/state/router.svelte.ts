const LINK = /^\/(forgot|reset|verify)$/;
const CONVERSATION = /^\/c\/([0-9a-f-]{36})$/;

/** Where in the client one is: the address says it, so that reload, back and bookmarks work. */
class Router {
  path = $state(location.pathname);

  get conversationId(): string | undefined {
    return CONVERSATION.exec(this.path)?.[1];
  }

  /** The screen for links of letters that the address is of. */
  get link(): 'forgot' | 'reset' | 'verify' | undefined {
    return LINK.exec(this.path)?.[1] as 'forgot' | 'reset' | 'verify' | undefined;
  }

  go(path: string, { replace = false } = {}): void {
    if (path === this.path) return;
    if (replace) history.replaceState(null, '', path);
    else history.pushState(null, '', path);
    this.path = path;
  }

  open(conversationId: string): void {
    this.go(`/c/${conversationId}`);
  }

  watch(): void {
    addEventListener('popstate', () => {
      this.path = location.pathname;
    });
  }
}

export const router = new Router();
