import type { Api } from '../api.ts';
import type { User } from '../protocol.ts';
import type { Credentials, PasswordReset, Registration, Session } from '../session.ts';
import type { Store } from '../store/store.ts';
import type { UserLife } from '../user-life.ts';

/** @internal */
export interface AccountOptions {
  api: Api;
  session: Session;
  userLife: UserLife;
  store: Store;
}

/** Signing in and out, and who one is. */
export class Account {
  /** @internal */
  constructor(private readonly options: AccountOptions) {}

  /** Makes an account and signs in to it. */
  register(body: Registration): Promise<User> {
    return this.options.userLife.enter(() => this.options.session.register(body));
  }

  /** Signs in, by e-mail, username or phone number; whoever was signed in before is left. `invalid_credentials`. */
  login(body: Credentials): Promise<User> {
    return this.options.userLife.enter(() => this.options.session.login(body));
  }

  /**
   * Sets another password by the token of a letter's link, and signs in; every other session ends. `link_expired`,
   * `password_too_weak`; `mfa_required` where the account has a second factor: the password is changed all the same.
   */
  resetPassword(body: PasswordReset): Promise<User> {
    return this.options.userLife.enter(() => this.options.session.resetPassword(body));
  }

  /** Signs in as who was signed in on this device last, with what was kept; undefined where nobody was. Works offline. */
  async resume(): Promise<User | undefined> {
    const user = await this.options.session.resume();
    return user && this.options.userLife.begin(user);
  }

  /** Signs out and wipes all that was kept of the user. */
  logout(): Promise<void> {
    return this.options.userLife.logout();
  }

  /** Changes one's own name or status. */
  async updateProfile(body: Parameters<Api['updateMe']>[0]): Promise<User> {
    const { api, session, store } = this.options;
    const user = await api.updateMe(body);
    await session.changeUser(user);
    store.me = user;
    return user;
  }
}
