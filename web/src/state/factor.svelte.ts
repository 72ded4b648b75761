import { ParleyError, type TotpSetup } from '../sdk.ts';
import { parley } from './parley.ts';
import { reauthentication } from './reauthentication.svelte.ts';
import { session } from './session.svelte.ts';

/** The second factor of the account: whether there is one, and what sets it up. */
class Factor {
  /** What the authenticator app is given, while one is set up: it is shown this one time. */
  setup = $state.raw<TotpSetup | undefined>();
  /** Recovery codes that were just made. Nobody is shown them again: they stay until whoever reads them says that they are kept. */
  codes = $state.raw<string[] | undefined>();
  /** How many recovery codes are left; undefined until it was asked. */
  left = $state<number | undefined>();
  /** Whether it was begun because nothing else can be done before. */
  #isForced = $state(false);

  get isOn(): boolean {
    return session.user?.has_second_factor === true;
  }

  /** Whether one has to be set up before anything else, or has just been, and its codes are not kept yet. */
  get isRequired(): boolean {
    const isOpen = this.setup !== undefined || this.codes !== undefined;
    return session.user?.restriction === 'factor' || (this.#isForced && isOpen);
  }

  async begin(): Promise<void> {
    this.#isForced = session.user?.restriction === 'factor';
    this.setup = await reauthentication.guard(() => parley.account.beginTotp());
  }

  /** Takes the app into use by a code of it. False where it was begun too long ago, and has to be begun again. */
  async confirm(code: string): Promise<boolean> {
    try {
      this.codes = await parley.account.confirmTotp(code.replaceAll(/\s/g, ''));
    } catch (error) {
      if (ParleyError.from(error).code !== 'link_expired') throw error;
      this.setup = undefined;
      return false;
    }
    this.setup = undefined;
    this.left = this.codes.length;
    return true;
  }

  leaveSetup(): void {
    this.setup = undefined;
  }

  /** Whoever reads the codes has kept them. */
  keepCodes(): void {
    this.codes = undefined;
    this.#isForced = false;
  }

  /** Turns it off. False where the installation asks for one. */
  async remove(): Promise<boolean> {
    try {
      await reauthentication.guard(() => parley.account.removeTotp());
    } catch (error) {
      if (ParleyError.from(error).code !== 'forbidden') throw error;
      return false;
    }
    this.left = undefined;
    return true;
  }

  async renewCodes(): Promise<void> {
    this.codes = await reauthentication.guard(() => parley.account.renewRecoveryCodes());
    this.left = this.codes.length;
  }

  async count(): Promise<void> {
    this.left = this.isOn ? await parley.account.recoveryCodesLeft() : undefined;
  }

  watch(): void {
    parley.on('signed_out', () => {
      this.setup = undefined;
      this.left = undefined;
      this.keepCodes();
    });
  }
}

export const factor = new Factor();
