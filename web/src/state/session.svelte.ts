import { type Credentials, ParleyError, type Registration, type User } from '../sdk.ts';
import { drafts } from './drafts.svelte.ts';
import { Live } from './live.ts';
import { parley } from './parley.ts';
import { returnTo } from './return-to.ts';

/** `unreachable`: nothing is stored here, and the server cannot be asked. */
export type Phase = 'starting' | 'unreachable' | 'signed_out' | 'signed_in';

/**
 * Written by the tab in which somebody signs in: tabs that show the door hear of it and come along. It stays, and says no more
 * than that this browser has had an account.
 */
const SIGNED_IN_KEY = 'parley.signed-in';

/** Who is signed in, and what the connection is doing. */
class SessionState {
  phase = $state<Phase>('starting');
  user = $state.raw<User | undefined>();
  /** Whether the session ended without the person having asked for it. */
  wasEnded = $state(false);
  /** Whether somebody has been signed in in this browser, as far as it remembers. */
  hasBeenHere = $state(wasSignedIn());
  /** Whether the device has a network at all, as far as the browser knows: it notices before the connection does. */
  hasNetwork = $state(navigator.onLine);
  readonly #connection = new Live(parley.state);

  get connection() {
    return this.#connection.value;
  }

  get isOnline(): boolean {
    return this.hasNetwork && (this.connection === 'online' || this.connection === 'syncing');
  }

  /** Goes on as who was signed in here last; what was read is there without a network. */
  async start(): Promise<void> {
    try {
      const user = await parley.account.resume();
      if (user) this.#entered(user);
      else this.phase = 'signed_out';
    } catch {
      this.phase = 'unreachable';
    }
  }

  async register(body: Registration): Promise<void> {
    this.#entered(await parley.account.register(body));
    this.#tellTabs();
  }

  async login(credentials: Credentials): Promise<void> {
    this.#entered(await parley.account.login(credentials));
    this.#tellTabs();
  }

  /**
   * Sets another password by the secret of a letter's link, and comes in. False where it is set, and a second factor is
   * needed to come in.
   */
  async resetPassword(token: string, new_password: string): Promise<boolean> {
    try {
      this.#entered(await parley.account.resetPassword({ token, new_password }));
    } catch (error) {
      if (ParleyError.from(error).code === 'mfa_required') return false;
      throw error;
    }
    this.#tellTabs();
    return true;
  }

  async logout(): Promise<void> {
    returnTo.keep(undefined, 0);
    if (this.user) drafts.forget(this.user.id);
    await parley.account.logout();
  }

  async updateProfile(body: { display_name?: string; status?: string }): Promise<void> {
    this.user = await parley.account.updateProfile(body);
  }

  async changePassword(current_password: string, new_password: string): Promise<void> {
    await parley.api.changePassword({ current_password, new_password });
  }

  /** Tries to connect now rather than after the wait. */
  reconnect(): void {
    if (this.connection === 'stopped') void parley.connect().catch(() => {});
    else parley.reconnect();
  }

  /** To be called once: follows what ends or begins a session elsewhere. */
  watch(): void {
    // Other devices change who one is, and the server says so with what it answers.
    parley.account.user.subscribe((user) => {
      if (user && this.phase === 'signed_in') this.user = user;
    });
    parley.on('signed_out', ({ reason }) => {
      this.wasEnded = reason !== 'logout';
      this.user = undefined;
      this.phase = 'signed_out';
    });
    for (const event of ['online', 'offline'] as const) {
      window.addEventListener(event, () => {
        this.hasNetwork = event === 'online';
      });
    }
    window.addEventListener('storage', ({ key }) => {
      if (key === SIGNED_IN_KEY && this.phase === 'signed_out') void this.start();
    });
  }

  #entered(user: User): void {
    this.wasEnded = false;
    this.hasBeenHere = true;
    this.user = user;
    drafts.load(user.id);
    this.phase = 'signed_in';
    void parley.connect().catch(() => {});
  }

  #tellTabs(): void {
    try {
      localStorage.setItem(SIGNED_IN_KEY, String(Date.now()));
    } catch {
      // Without storage the other tabs find out when they are reloaded.
    }
  }
}

function wasSignedIn(): boolean {
  try {
    return localStorage.getItem(SIGNED_IN_KEY) !== null;
  } catch {
    return false;
  }
}

export const session = new SessionState();
