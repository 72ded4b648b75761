import { type Credentials, type MfaMethod, ParleyError, type Registration, type User } from '../sdk.ts';
import { strings } from '../strings.ts';
import { drafts } from './drafts.svelte.ts';
import { Live } from './live.ts';
import { parley } from './parley.ts';
import { reauthentication } from './reauthentication.svelte.ts';
import { returnTo } from './return-to.ts';

/** By what a second factor came to be asked for: a log-in, a new password, or a session from before there was one. */
export type AskedBy = 'login' | 'reset' | 'session';

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
  /** What is said at the door of how the session ended, where the person may not know it. */
  farewell = $state<string | undefined>();
  /** By what a second factor is asked for, while one is. */
  askedBy = $state<AskedBy>('session');
  /** Whether somebody has been signed in in this browser, as far as it remembers. */
  hasBeenHere = $state(wasSignedIn());
  /** Whether the device has a network at all, as far as the browser knows: it notices before the connection does. */
  hasNetwork = $state(navigator.onLine);
  readonly #connection = new Live(parley.state);
  readonly #challenge = new Live(parley.account.challenge);

  get connection() {
    return this.#connection.value;
  }

  /** The second factor that is asked for before somebody is in. */
  get challenge() {
    return this.#challenge.value;
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

  /** Signs in, or finds out that a second factor is missing: then `challenge` says so. */
  login(credentials: Credentials): Promise<void> {
    return this.#enterBy('login', () => parley.account.login(credentials));
  }

  /** Sets another password by the secret of a letter's link, and comes in, or finds out that a second factor is missing. */
  resetPassword(token: string, new_password: string): Promise<void> {
    return this.#enterBy('reset', () => parley.account.resetPassword({ token, new_password }));
  }

  /** Comes in by a code of the second factor. Where it is too late for that, the password is asked for again. */
  async enterCode(method: MfaMethod, code: string): Promise<void> {
    try {
      this.#entered(await parley.account.enterCode({ method, code: code.trim() }));
    } catch (error) {
      if (ParleyError.from(error).code !== 'link_expired') throw error;
      this.farewell = strings.factor.over;
      return;
    }
    this.#tellTabs();
  }

  /** Back from the second factor to the password. */
  leaveChallenge(): void {
    parley.account.dropChallenge();
  }

  async logout(): Promise<void> {
    returnTo.keep(undefined, 0);
    if (this.user) drafts.forget(this.user.id);
    await parley.account.logout();
  }

  async updateProfile(body: { display_name?: string; status?: string }): Promise<void> {
    this.user = await parley.account.updateProfile(body);
  }

  async changeUsername(username: string): Promise<void> {
    this.user = await reauthentication.guard(() => parley.account.updateProfile({ username }));
  }

  async changePassword(current_password: string, new_password: string): Promise<void> {
    await parley.account.changePassword({ current_password, new_password });
  }

  /** Deletes the account, and all that is kept of it on this device. */
  async deleteAccount(password: string): Promise<void> {
    const { user } = this;
    await parley.account.delete(password);
    returnTo.keep(undefined, 0);
    if (user) drafts.forget(user.id);
    this.farewell = strings.security.deleted;
  }

  /** Asks who one is by now: other devices change it too. */
  async refresh(): Promise<void> {
    await parley.account.refresh();
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
      this.farewell =
        reason === 'logout' ? undefined : reason === 'session_revoked' ? strings.auth.revoked : strings.auth.ended;
      this.askedBy = 'session';
      this.user = undefined;
      this.phase = 'signed_out';
      // Another tab found out that a second factor is missing. This one asks for itself: a code is good for one of them.
      if (reason === 'mfa_required' && parley.account.challenge.get() === undefined) void this.start();
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
    this.farewell = undefined;
    this.askedBy = 'session';
    this.hasBeenHere = true;
    this.user = user;
    drafts.load(user.id);
    this.phase = 'signed_in';
    void parley.connect().catch(() => {});
  }

  async #enterBy(door: AskedBy, enter: () => Promise<User>): Promise<void> {
    this.askedBy = door;
    try {
      this.#entered(await enter());
    } catch (error) {
      if (ParleyError.from(error).code === 'mfa_required') return;
      this.askedBy = 'session';
      throw error;
    }
    this.#tellTabs();
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
