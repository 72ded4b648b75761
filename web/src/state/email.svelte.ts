import { ParleyError, type User } from '../sdk.ts';
import { strings } from '../strings.ts';
import { failureText } from './failure.ts';
import { installation } from './installation.svelte.ts';
import { parley } from './parley.ts';
import { reauthentication } from './reauthentication.svelte.ts';
import { returnTo } from './return-to.ts';
import { router } from './router.svelte.ts';
import { session } from './session.svelte.ts';
import { toasts } from './toasts.svelte.ts';

/** How long the link of a letter is good, in milliseconds. */
const LINK_MS = 24 * 3_600_000;
/** Who has just asked for a letter looks for it before they ask again: the next one ends the one before, in milliseconds. */
const LOOK_FIRST_MS = 30_000;
/** How often it is asked whether the address was confirmed elsewhere: soon at first, then ever more seldom, in milliseconds. */
const ASK_MS = { first: 3000, most: 60_000, growth: 1.5 };

/** The address of the account: whether it is known to be its owner's, and what makes it so. */
class Email {
  /** When another letter can be asked for, in milliseconds since the Unix epoch. */
  againAt = $state(0);
  isAsking = $state(false);

  /** The address that waits to be confirmed; undefined where none does. */
  get waiting(): string | undefined {
    return waitingOf(session.user);
  }

  /** Whether nothing else can be done before it is confirmed. */
  get isRequired(): boolean {
    return session.user?.restriction === 'email';
  }

  /** Whether it can be confirmed at all: without mail nobody can. */
  get canConfirm(): boolean {
    return this.waiting !== undefined && installation.info?.mail === 'sent';
  }

  /** After a sign-up: the link of the letter is to lead on to where somebody wanted to go. */
  signedUp(destination: string | undefined): void {
    this.againAt = Date.now() + LOOK_FIRST_MS;
    if (this.waiting !== undefined) returnTo.keep(destination, LINK_MS);
  }

  /** Confirms it by the six digits of the letter, for who is signed in. */
  confirm(code: string): Promise<void> {
    return parley.account.verifyEmail({ code: code.replaceAll(/\s/g, '') });
  }

  /** Confirms an address by the secret of a link, whoever is signed in. */
  confirmByLink(token: string): Promise<void> {
    return parley.account.verifyEmail({ token });
  }

  /** Asks for another letter; resolves to what is to be said of it, beside when the next one can be asked for. */
  async resend(): Promise<string> {
    if (this.isAsking) return '';
    this.isAsking = true;
    try {
      await parley.account.resendVerification();
      this.againAt = Date.now() + LOOK_FIRST_MS;
      return strings.confirm.resent;
    } catch (error) {
      const failure = ParleyError.from(error);
      if (failure.code === 'not_found') await this.look(); // nothing waits any more: it was confirmed elsewhere
      if (failure.code !== 'rate_limited' || failure.retryAfterMs === undefined) return failureText(failure);
      this.againAt = Date.now() + failure.retryAfterMs;
      return '';
    } finally {
      this.isAsking = false;
    }
  }

  /** Takes another address, which a letter goes to. */
  async change(address: string): Promise<void> {
    await reauthentication.guard(() => parley.account.changeEmail(address));
    this.againAt = Date.now() + LOOK_FIRST_MS;
  }

  /**
   * Looks whether the address was confirmed in another browser, which nobody tells this one: at once when somebody comes back to
   * this tab, else now and then while it is seen. Returns what ends that.
   */
  follow(): () => void {
    let wait = ASK_MS.first;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, wait);
    };
    const ask = async () => {
      if (document.visibilityState === 'hidden') return; // they come back to it, or never
      wait = Math.min(wait * ASK_MS.growth, ASK_MS.most);
      later();
      await this.look();
    };
    const back = () => {
      wait = ASK_MS.first;
      void ask();
    };
    void ask();
    document.addEventListener('visibilitychange', back);
    addEventListener('focus', back);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', back);
      removeEventListener('focus', back);
    };
  }

  /** To be called once: says that it is confirmed, wherever that was done. */
  watch(): void {
    let before: User | undefined;
    parley.account.user.subscribe((user) => {
      const waited = before?.id === user?.id ? waitingOf(before) : undefined;
      const isDone = waited !== undefined && user?.email === waited && user.email_verified;
      if (isDone && router.link !== 'verify') toasts.say(strings.confirm.done); // there the screen says it
      before = user;
    });
  }

  private async look(): Promise<void> {
    try {
      await parley.account.refresh();
    } catch {
      // Without a network nothing is known, and it is asked again; whose session is over is told by the SDK.
    }
  }
}

function waitingOf(user: User | undefined): string | undefined {
  if (!user) return undefined;
  return user.pending_email ?? (user.email_verified === false && user.email !== '' ? user.email : undefined);
}

export const email = new Email();
