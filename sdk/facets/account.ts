import type { Api } from '../api.ts';
import { type Challenge, ParleyError } from '../errors.ts';
import type { RecoveryCodes, SessionInfo, TotpSetup, User } from '../protocol.ts';
import type { Credentials, FactorCode, PasswordReset, Registration, Session } from '../session.ts';
import type { Observable } from '../store/observable.ts';
import type { UserLife } from '../user-life.ts';

/** @internal */
export interface AccountOptions {
  api: Api;
  session: Session;
  userLife: UserLife;
  onError(error: ParleyError): void;
}

/**
 * One's account: signing in and out, who one is, and what keeps it one's own. Calls that say so are dangerous: they fail with
 * `reauthentication_required` where it is more than ten minutes ago that it was shown who this is; `reauthenticate`, then call
 * again. Whoever has something to do first gets `password_change_required`, `email_unverified` or `enrolment_required` for all
 * else; `user` says in its `restriction` which it is.
 */
export class Account {
  /** Who is signed in, as the server last said: with what is to be done first, and whether the address is confirmed. */
  readonly user: Observable<User | undefined>;
  /**
   * The second factor that was asked for last, and has not been shown: by a log-in or a reset that failed with `mfa_required`,
   * by `resume`, or in a session that began before the account had one, which then is over with that reason. `enterCode` goes on.
   */
  readonly challenge: Observable<Challenge | undefined>;

  /** @internal */
  constructor(private readonly options: AccountOptions) {
    this.user = options.session.current;
    this.challenge = options.session.challenge;
  }

  // Signing in and out

  /** Makes an account and signs in to it; whoever was signed in before is left then. `email_taken`, `username_taken`, `password_too_weak`. */
  register(body: Registration): Promise<User> {
    return this.options.userLife.enter((leave) => this.options.session.register(body, leave));
  }

  /**
   * Signs in, by e-mail, username or phone number; whoever was signed in before is left then. `invalid_credentials`;
   * `mfa_required` where the account has a second factor: `enterCode`.
   */
  login(body: Credentials): Promise<User> {
    return this.options.userLife.enter((leave) => this.options.session.login(body, leave));
  }

  /**
   * Goes on after `mfa_required`, with a code of the authenticator app or a recovery code. `mfa_failed` for a wrong one; after
   * five of those, after ten minutes or another password `link_expired`: sign in again.
   */
  enterCode(body: FactorCode): Promise<User> {
    return this.options.userLife.enter((leave) => this.options.session.enterCode(body, leave));
  }

  /** Forgets the second factor that was asked for. */
  dropChallenge(): void {
    this.options.session.challenge.set(undefined);
  }

  /** Sends a letter with a link for another password to an address, if an account has it. `mail_unavailable`. */
  async forgotPassword(email: string): Promise<void> {
    await this.options.api.forgotPassword({ email });
  }

  /**
   * Sets another password by the token of a letter's link, and signs in; every other session ends. `link_expired`,
   * `password_too_weak`; `mfa_required` where the account has a second factor: the password is changed all the same.
   */
  resetPassword(body: PasswordReset): Promise<User> {
    return this.options.userLife.enter((leave) => this.options.session.resetPassword(body, leave));
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

  // Who one is

  /** Asks the server who one is by now: other devices change it too. */
  refresh(): Promise<User> {
    return this.options.api.refresh();
  }

  /** Changes one's own names or status. A username is dangerous; `username_taken`. */
  async updateProfile(body: Parameters<Api['updateMe']>[0]): Promise<User> {
    const user = await this.options.api.updateMe(body);
    await this.options.session.changeUser(user);
    return user;
  }

  /**
   * Deletes the account for good, and wipes all that was kept of the user; messages stay, under "deleted user".
   * `invalid_credentials`.
   */
  delete(password: string): Promise<void> {
    return this.options.userLife.remove(() => this.options.api.deleteMe({ password }));
  }

  // The address

  /**
   * Asks for another address; dangerous. A letter with a link and a code goes there, and the account keeps the one that it has
   * until `verifyEmail`: the user's `pending_email`. `email_taken`, `mail_unavailable`.
   */
  async changeEmail(new_email: string): Promise<void> {
    await this.changing('POST', '/auth/email', { new_email });
  }

  /**
   * Confirms an address: by the six digits of a letter, which are `validation_failed` at `code` where they are wrong, or by the
   * token of its link, for which nobody has to be signed in. `link_expired`.
   */
  async verifyEmail(body: { code: string } | { token: string }): Promise<void> {
    if ('code' in body) await this.changing('POST', '/auth/email/verify', body);
    else {
      await this.options.api.verifyEmail(body);
      await this.follow();
    }
  }

  /** Sends another letter for the address that waits to be confirmed; `not_found` where none does. `mail_unavailable`. */
  async resendVerification(): Promise<void> {
    await this.options.api.call('POST', '/auth/email/verify/resend');
  }

  // The password, and showing who one is

  /** Sets a password of 8 to 128 characters; every other session ends. `invalid_credentials`, `password_too_weak`. */
  async changePassword(body: { current_password: string; new_password: string }): Promise<void> {
    await this.options.api.changePassword(body);
    await this.follow();
  }

  /**
   * Shows once more who this is, by the password, by a code of the authenticator app, or by both: for ten minutes nothing is
   * `reauthentication_required`. `invalid_credentials`, `mfa_failed`.
   */
  async reauthenticate(body: { password?: string; code?: string }): Promise<void> {
    await this.options.api.call('POST', '/auth/reauthenticate', { body });
  }

  // The second factor

  /**
   * Makes the secret of an authenticator app, as text and as a picture, this one time; dangerous. It counts once a code of it
   * is confirmed, within half an hour; an app that is in use stays until then.
   */
  beginTotp(): Promise<TotpSetup> {
    return this.options.api.call('POST', '/auth/totp');
  }

  /**
   * Takes the app into use by a code of it. Answers ten recovery codes, which nobody is shown again. Every other session has to
   * show the second factor before it goes on. `mfa_failed`; `link_expired`: begin again.
   */
  async confirmTotp(code: string): Promise<string[]> {
    const { codes } = await this.changing<RecoveryCodes>('PUT', '/auth/totp', { code });
    return codes;
  }

  /** Removes the app and the recovery codes; dangerous. `forbidden` where the installation asks for a second factor. */
  async removeTotp(): Promise<void> {
    await this.changing('DELETE', '/auth/totp');
  }

  /** Makes ten recovery codes, which nobody is shown again; those of before are worth nothing. Dangerous. */
  async renewRecoveryCodes(): Promise<string[]> {
    const { codes } = await this.options.api.call<RecoveryCodes>('POST', '/auth/recovery-codes');
    return codes;
  }

  /** How many recovery codes are left. */
  async recoveryCodesLeft(): Promise<number> {
    const { left } = await this.options.api.call<{ left: number }>('GET', '/auth/recovery-codes');
    return left;
  }

  // Sessions

  /** Where one is signed in, the one used last first. */
  async sessions(): Promise<SessionInfo[]> {
    const { sessions } = await this.options.api.call<{ sessions: SessionInfo[] }>('GET', '/auth/sessions');
    return sessions;
  }

  /**
   * Signs another device out, which wipes what it kept of the user as soon as it hears of it; dangerous. `not_found`. One's own
   * is `logout`.
   */
  async endSession(id: string): Promise<void> {
    await this.options.api.call('DELETE', `/auth/sessions/${id}`);
  }

  /** Signs all other devices out; dangerous. Answers how many there were. */
  async endOtherSessions(): Promise<number> {
    const { ended } = await this.options.api.call<{ ended: number }>('DELETE', '/auth/sessions');
    return ended;
  }

  /** A call that makes the user another. */
  private async changing<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await this.options.api.call<T>(method, path, { body });
    await this.follow();
    return answer;
  }

  /** What was done is done, whether or not the server can be asked what came of it. */
  private async follow(): Promise<void> {
    if (this.options.session.user) await this.refresh().catch((error) => this.options.onError(ParleyError.from(error)));
  }
}
