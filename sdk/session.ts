import { backoff } from './backoff.ts';
import { type Challenge, ParleyError } from './errors.ts';
import type { Http } from './http.ts';
import type { Locks } from './locks.ts';
import type { MfaMethod, Tokens, User } from './protocol.ts';
import type { Batch, Storage } from './storage/storage.ts';
import { Value } from './store/observable.ts';

/** `token`: the SDK keeps the tokens. `cookie`: the browser does, and no script sees them. */
export type AuthMode = 'token' | 'cookie';

export interface Registration {
  email: string;
  password: string;
  username?: string;
  phone_number?: string;
  display_name?: string;
}

/** One of the account's names, and its password. */
export type Credentials = { password: string } & ({ email: string } | { username: string } | { phone_number: string });

/** The session as it is stored. */
interface Held {
  user: User;
  /** Absent in cookie mode. */
  tokens?: Pick<Tokens, 'access_token' | 'refresh_token'>;
  /** When the access token is to be exchanged: well before it expires, in milliseconds since the Unix epoch. */
  refresh_at: number;
  /** When it expires. */
  expires_at: number;
}

/** The secret of a letter's link, and the password to be. */
export interface PasswordReset {
  token: string;
  new_password: string;
}

/** A second factor as it is shown. */
export interface FactorCode {
  method: MfaMethod;
  /** Six digits of the authenticator app, or a recovery code; case, spaces and dashes do not matter. */
  code: string;
  /** Of which `mfa_required`; left out: of the last one. */
  ticket?: string;
}

/** Leaves whoever was signed in before. */
type Leave = () => Promise<void>;

type Grant = { user: User; tokens?: Tokens; device_token?: string };

export interface SessionOptions {
  http: Http;
  storage: Storage;
  locks: Locks;
  mode: AuthMode;
  /** The user changed, by what this client did or was told. */
  onChange(user: User): void;
  /** The session is over, for this reason; not called by `logout`. */
  onOver(reason: string): void;
}

const SESSION_KEY = 'session';
/** By what the server knows this device at its next log-in, whoever's it is: it outlives sessions. Browsers keep it as a cookie. */
const DEVICE_KEY = 'device';
/** Set until a sign-out by cookie has been told to the server: only the server can delete those cookies. */
const LEAVING_KEY = 'leaving';
/** Tokens are exchanged this long before they expire, or after three quarters of a life that is short. */
const REFRESH_MARGIN_MS = 60_000;
/**
 * How long a cookie holds is only told when it is exchanged: one that the server just gave or accepted is taken to hold this
 * long, in seconds.
 */
const PROVEN_S = 10;
/** Longest wait of a timer, in milliseconds: a device that slept looks again soon. */
const MAX_TIMER_MS = 60_000;

/** Who is signed in, with tokens that are exchanged before they expire: once, however many ask, also in several tabs. */
export class Session {
  /** Who is signed in, as the server last said. */
  readonly current = new Value<User | undefined>(undefined);
  /** The second factor that was asked for last, and has not been shown. */
  readonly challenge = new Value<Challenge | undefined>(undefined);
  private heldNow: Held | undefined;
  private exchanging: Promise<void> | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: SessionOptions) {}

  get user(): User | undefined {
    return this.held?.user;
  }

  private get held(): Held | undefined {
    return this.heldNow;
  }

  private set held(held: Held | undefined) {
    this.heldNow = held;
    this.current.set(held?.user);
    if (held) this.challenge.set(undefined);
  }

  register(body: Registration, leave: Leave): Promise<User> {
    return this.begin('/auth/register', body, leave);
  }

  login(body: Credentials, leave: Leave): Promise<User> {
    return this.begin('/auth/login', body, leave);
  }

  resetPassword(body: PasswordReset, leave: Leave): Promise<User> {
    return this.begin('/auth/password/reset', body, leave);
  }

  /** Goes on where `mfa_required` was answered, for a log-in or for a session that began before there was a second factor. */
  async enterCode({ ticket = this.challenge.get()?.ticket, method, code }: FactorCode, leave: Leave): Promise<User> {
    if (ticket === undefined) throw new ParleyError('link_expired');
    try {
      return await this.begin('/auth/mfa', { ticket, method, code }, leave);
    } catch (error) {
      if (ParleyError.from(error).code === 'link_expired') this.challenge.set(undefined);
      throw error;
    }
  }

  /** The session of last time, without asking the server where one is stored; undefined where there is none. */
  async resume(): Promise<User | undefined> {
    const { storage, mode } = this.options;
    // Asked together: each takes a turn of the device's database.
    const leaving = storage.get(LEAVING_KEY);
    leaving.catch(() => {}); // told below, where it matters
    this.held = await this.stored();
    if (this.held || mode === 'token') return this.user;
    if (await leaving) {
      await this.tellLogout();
      return undefined;
    }
    return this.findByCookie();
  }

  /** Signs out. Nothing is left on this device, whether or not the server could be told. */
  async logout(): Promise<void> {
    const headers = this.held && authorizationOf(this.held);
    await this.forget(this.options.mode === 'cookie' ? { [LEAVING_KEY]: true } : {});
    await this.tellLogout(headers);
  }

  /** Headers that authorize a request, with a token that holds, and when that one expires, which tells it from others. */
  async authorize(): Promise<{ headers: Record<string, string>; by: number }> {
    if (!this.held) throw new ParleyError('signed_out');
    if (Date.now() >= this.held.refresh_at) {
      try {
        await this.exchange();
      } catch (error) {
        // One that could not be exchanged just now holds until it expires.
        if (!this.held?.tokens || Date.now() >= this.held.expires_at) throw error;
      }
    }
    return { headers: authorizationOf(this.held), by: this.held.expires_at };
  }

  /** A token that holds, to open a socket with; undefined in cookie mode. */
  async token(): Promise<string | undefined> {
    await this.authorize();
    return this.held?.tokens?.access_token;
  }

  /**
   * To be called when the server refused what `authorize` gave, or without it to hear whether the session holds. Fails where
   * it is over.
   */
  async renew(by = this.held?.expires_at): Promise<void> {
    if (!this.held) throw new ParleyError('signed_out');
    if (this.held.expires_at === by) await this.exchange();
  }

  /** The user as they now are, kept on the device and told to the other tabs. */
  async changeUser(user: User): Promise<void> {
    if (!this.hearUser(user)) return;
    this.options.onChange(user);
    // Another tab may have exchanged the tokens: the newest are those that are stored.
    const stored = await this.stored();
    if (stored?.user.id !== user.id) return;
    // A device that cannot store it asks the server again next time.
    await this.options.storage.write({ [SESSION_KEY]: { ...stored, user } }).catch(() => {});
  }

  /** The same, as another tab has kept it. Returns whether it is the user of this session. */
  hearUser(user: User): boolean {
    if (this.held?.user.id !== user.id) return false;
    this.held = { ...this.held, user };
    return true;
  }

  /** Exchanges tokens as they come of age, also while nothing is asked. */
  keepFresh(attempt = 0): void {
    clearTimeout(this.timer);
    if (!this.held) return;
    const due = attempt > 0 ? backoff(attempt) : this.held.refresh_at - Date.now();
    const again = (next: number) => {
      // It may be to rest, meanwhile.
      if (this.timer === timer) this.keepFresh(next);
    };
    const timer = setTimeout(
      () =>
        this.authorize().then(
          () => again(0),
          () => again(attempt + 1),
        ),
      Math.min(Math.max(due, 0), MAX_TIMER_MS),
    );
    this.timer = timer;
  }

  rest(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Forgets the session on this device; what is to be remembered instead is stored with that. */
  async forget(instead: Batch = {}): Promise<void> {
    this.rest();
    this.held = undefined;
    await this.options.storage.write({ [SESSION_KEY]: undefined, ...instead });
  }

  /** Leaves the session for another. Where the browser keeps the tokens, the log-in that follows ends it at the server. */
  leave(): Promise<void> {
    if (this.held?.tokens) void this.tellLogout(authorizationOf(this.held));
    return this.forget();
  }

  /** The session that this one stood for is over: ended elsewhere, or expired. */
  async end(reason: string): Promise<void> {
    const { held } = this;
    if (!held) return;
    const stored = await this.stored();
    if (this.held?.expires_at !== held.expires_at) return;
    // A session that another tab began since is not this one's to forget.
    await this.forget(stored?.expires_at === held.expires_at ? {} : { [SESSION_KEY]: stored }).catch(() => {});
    this.options.onOver(reason);
  }

  /** The same, as another tab found it; unless there is a session by now that somebody began since. */
  async hearEnd(reason: string): Promise<void> {
    if (!(await this.stored())) await this.end(reason);
  }

  private async begin(
    path: string,
    shown: Registration | Credentials | PasswordReset | FactorCode,
    leave: Leave,
  ): Promise<User> {
    const { http, storage } = this.options;
    const body = { ...shown, device_token: (await storage.get(DEVICE_KEY).catch(() => {})) ?? '' };
    const { user, tokens, device_token } = await http
      .request<Grant>('POST', path, { body, headers: this.modeHeaders() })
      .catch((error) => {
        throw this.noted(error);
      });
    await leave();
    await storage.write({ [LEAVING_KEY]: undefined, [DEVICE_KEY]: device_token });
    await this.keep(heldOf(user, tokens));
    return user;
  }

  /** Cookies may be there that no script can see. */
  private async findByCookie(): Promise<User | undefined> {
    const { http } = this.options;
    try {
      const me = () => http.request<User>('GET', '/auth/me');
      const user = await me().catch(async (error) => {
        if (ParleyError.from(error).code !== 'token_expired') throw error;
        await http.request('POST', '/auth/refresh', { body: {}, headers: this.modeHeaders() });
        return me();
      });
      // What is read of this device from here on is read after it is written.
      void this.keep(heldOf(user));
      return user;
    } catch (error) {
      // A second factor may be all that is missing: who looks at `challenge` asks for it.
      if (this.noted(error).status === 401) return undefined;
      throw error;
    }
  }

  /** One exchange at a time, whoever asks. */
  private exchange(): Promise<void> {
    this.exchanging ??= this.options.locks
      .request(`parley refresh ${this.options.storage.name}`, {}, () => this.exchangeAlone())
      .finally(() => {
        this.exchanging = undefined;
      });
    return this.exchanging;
  }

  private async exchangeAlone(): Promise<void> {
    const { http } = this.options;
    const held = this.held;
    if (!held) throw new ParleyError('signed_out');
    const stored = await this.stored();
    if (stored?.user.id !== held.user.id) {
      await this.end(stored ? 'another_user' : 'signed_out');
      throw new ParleyError('signed_out');
    }
    if (stored.expires_at > held.expires_at) {
      this.held = stored; // another tab exchanged them
      return;
    }
    const body = held.tokens ? { refresh_token: held.tokens.refresh_token } : {};
    try {
      const answer = await http.request<Partial<Tokens> & { expires_in: number }>('POST', '/auth/refresh', {
        body,
        headers: this.modeHeaders(),
      });
      // Who signed out meanwhile stays so.
      if (this.held?.user.id === held.user.id) await this.keep(heldOf(this.held.user, answer));
    } catch (error) {
      const failure = this.noted(error);
      if (failure.status === 401) await this.end(failure.code);
      throw failure;
    }
  }

  /** A failure; where it asks for a second factor, that is noted. */
  private noted(error: unknown): ParleyError {
    const failure = ParleyError.from(error);
    if (failure.challenge) this.challenge.set(failure.challenge);
    return failure;
  }

  /** The session as the device has it; where it cannot say, the one that is held. */
  private stored(): Promise<Held | undefined> {
    return this.options.storage.get(SESSION_KEY).catch(() => this.held) as Promise<Held | undefined>;
  }

  private async keep(held: Held): Promise<void> {
    this.held = held;
    // A device that cannot store it is signed in until it forgets.
    await this.options.storage.write({ [SESSION_KEY]: held }).catch(() => {});
    if (this.timer !== undefined) this.keepFresh();
  }

  private async tellLogout(headers: Record<string, string> = {}): Promise<void> {
    const { http, storage } = this.options;
    try {
      await http.request('POST', '/auth/logout', { body: {}, headers });
    } catch {
      return; // it is told when there is a network, if it was by cookie
    }
    await storage.write({ [LEAVING_KEY]: undefined });
  }

  private modeHeaders(): Record<string, string> {
    return this.options.mode === 'cookie' ? { 'X-Auth-Mode': 'cookie' } : {};
  }
}

function authorizationOf({ tokens }: Held): Record<string, string> {
  return tokens ? { Authorization: `Bearer ${tokens.access_token}` } : {};
}

function heldOf(user: User, { expires_in = PROVEN_S, access_token, refresh_token }: Partial<Tokens> = {}): Held {
  const now = Date.now();
  const lifeMs = expires_in * 1000;
  return {
    user,
    tokens: access_token && refresh_token ? { access_token, refresh_token } : undefined,
    refresh_at: now + Math.max(lifeMs - REFRESH_MARGIN_MS, lifeMs * 0.75),
    expires_at: now + lifeMs,
  };
}
