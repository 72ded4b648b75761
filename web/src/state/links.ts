import { parley } from './parley.ts';

/** Links of letters, and asking for one. */
export const links = {
  /** The secret of a link stands behind the `#` of its address, which no server and no proxy sees. */
  get token(): string {
    return location.hash.slice(1);
  },

  /** A letter with a link goes to the address, if an account has it. */
  async forgot(email: string): Promise<void> {
    await parley.api.forgotPassword({ email });
  },

  /** Says that one reads the letters of the address. */
  async verify(): Promise<void> {
    await parley.api.verifyEmail({ token: this.token });
  },
};
